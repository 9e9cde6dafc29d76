/**
 * The Roles and RoleBindings that stand for policies: as the informers know them, and ahead of them
 * as we wrote them, since a cache lags behind our own writes. What others do to them is noticed.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Role, RoleBinding } from '#kube/objects.ts';
import type { Informer } from '#runtime/informer.ts';
import { keyOf } from '#runtime/store.ts';
import { policyOfName } from './objects.ts';
import type { StandingRbac } from './steps.ts';

export interface StandingObjects {
  of(policy: string): StandingRbac;
  /** What was written; undefined: what was deleted. */
  wrote(kind: string, object: Role | RoleBinding, isDeleted: boolean): void;
  /** `Role trading/…` of each object that others changed or deleted since the last call. */
  takeTampered(policy: string): ReadonlySet<string>;
}

/** Index of an informer of Roles or RoleBindings: by the policy that an object is named after. */
export function policyIndexValues({ metadata }: Role): readonly string[] {
  const policy = policyOfName(metadata.name);
  return policy === undefined ? [] : [policy];
}

export function createStandingObjects(
  roles: Informer<Role>,
  bindings: Informer<RoleBinding>,
): StandingObjects {
  /** Written and not seen in a cache yet; `isDeleted` ones are on their way out. */
  const ahead = new Map<string, { readonly object: Role; readonly isDeleted: boolean }>();
  const tampered = new Map<string, Set<string>>();

  function follow<T extends Role>(kind: string, informer: Informer<T>): void {
    informer.onChange((change) => {
      const { object } = change;
      const policy = policyOfName(object.metadata.name);
      if (policy === undefined) return;
      const key = `${kind} ${keyOf(object)}`;
      const ours = ahead.get(key);
      if (ours !== undefined && change.type !== 'Deleted' && isOlder(object, ours.object)) return;
      const isOurs =
        ours === undefined
          ? change.type === 'Added' ||
            (change.type === 'Updated' && hasSameContent(object, change.previous))
          : ours.isDeleted === (change.type === 'Deleted') && hasSameContent(object, ours.object);
      ahead.delete(key);
      if (isOurs) return;
      const keys = tampered.get(policy) ?? new Set();
      tampered.set(policy, keys.add(key));
    });
  }
  follow('Role', roles);
  follow('RoleBinding', bindings);

  function newest<T extends Role>(kind: string, informer: Informer<T>, policy: string): T[] {
    const found = new Map<string, T>(
      informer.byIndex('policy', policy).map((object) => [keyOf(object), object]),
    );
    for (const [key, { object, isDeleted }] of ahead) {
      if (!key.startsWith(`${kind} `) || policyOfName(object.metadata.name) !== policy) continue;
      if (isDeleted) found.delete(keyOf(object));
      else found.set(keyOf(object), object as T);
    }
    return [...found.values()];
  }

  return {
    of: (policy) => ({
      roles: newest('Role', roles, policy),
      bindings: newest('RoleBinding', bindings, policy),
    }),
    wrote: (kind, object, isDeleted) =>
      void ahead.set(`${kind} ${keyOf(object)}`, { object, isDeleted }),
    takeTampered(policy) {
      const keys = tampered.get(policy) ?? new Set<string>();
      tampered.delete(policy);
      return keys;
    },
  };
}

/** Resource versions are numbers that grow, as Kubernetes promises for its own resources. */
function isOlder(one: Role, than: Role): boolean {
  const [a = '', b = ''] = [one.metadata.resourceVersion, than.metadata.resourceVersion];
  return /^\d+$/.test(a) && /^\d+$/.test(b) && BigInt(a) < BigInt(b);
}

function hasSameContent(one: Role | RoleBinding, other: Role | RoleBinding): boolean {
  return isDeepStrictEqual(contentOf(one), contentOf(other));
}

function contentOf(object: Role | RoleBinding): unknown {
  const { labels, ownerReferences } = object.metadata;
  const body = 'roleRef' in object ? [object.roleRef, object.subjects ?? []] : [object.rules ?? []];
  return [labels, ownerReferences?.map(({ uid }) => uid), body];
}
