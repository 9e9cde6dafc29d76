import { ACCESS_LEVELS } from '#api/roles.ts';
import type { AccessLevel } from '#api/roles.ts';

const RANKS: ReadonlyMap<string, number> = new Map(
  ACCESS_LEVELS.map((level, rank) => [level, rank]),
);

/** 0 for Read, growing; -1 for what is no level. */
export function rankOf(level: string): number {
  return RANKS.get(level) ?? -1;
}

/** The greater of two levels. */
export function atLeast(level: AccessLevel, minimum: AccessLevel | undefined): AccessLevel {
  return minimum !== undefined && rankOf(minimum) > rankOf(level) ? minimum : level;
}
