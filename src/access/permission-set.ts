/** Sets of permissions as bits of a number, which decisions compare without allocating. */
import { PERMISSIONS } from '#api/roles.ts';
import type { Permission } from '#api/roles.ts';

const BITS: ReadonlyMap<unknown, number> = new Map(
  PERMISSIONS.map((permission, index) => [permission, 1 << index]),
);

export const ALL_PERMISSIONS: number = (1 << PERMISSIONS.length) - 1;

/** Zero for what is no permission. */
export function permissionBit(permission: unknown): number {
  return BITS.get(permission) ?? 0;
}

export function permissionSet(permissions: readonly Permission[]): number {
  return permissions.reduce((set, permission) => set | permissionBit(permission), 0);
}

export function permissionsIn(set: number): readonly Permission[] {
  return PERMISSIONS.filter((_, index) => (set & (1 << index)) !== 0);
}

/** Place in PERMISSIONS of the first one in the set; -1 for an empty set. */
export function firstIn(set: number): number {
  return 31 - Math.clz32(set & -set);
}
