/** Levels by their rank. They are never compared as strings, by which Admin would be below Read. */
import { ACCESS_LEVELS } from '#api/roles.ts';
import type { AccessLevel } from '#api/roles.ts';

const RANKS: ReadonlyMap<unknown, number> = new Map(
  ACCESS_LEVELS.map((level, rank) => [level, rank]),
);

/** What a request of a level that is not known needs: no policy grants it, every Deny takes it. */
export const ABOVE_ALL: number = ACCESS_LEVELS.length;

/** 0 for Read, growing; -1 for what is no level. */
export function rankOf(level: unknown): number {
  return RANKS.get(level) ?? -1;
}

/** The rank that a request needs: what is no level is above all of them. */
export function neededRank(level: unknown): number {
  return RANKS.get(level) ?? ABOVE_ALL;
}

/** The greater of two levels. */
export function atLeast(level: AccessLevel, minimum: AccessLevel | undefined): AccessLevel {
  return minimum !== undefined && neededRank(minimum) > neededRank(level) ? minimum : level;
}
