/** Random choices that a seed decides. */
export interface Chooser {
  chance(probability: number): boolean;
  /** From 0 up to, and without, `end`. */
  below(end: number): number;
  /** Of a list that is not empty. */
  pick<T>(from: readonly T[]): T;
  /** Each of them with this probability, in their order. */
  some<T>(from: readonly T[], probability: number): readonly T[];
  /** From `least` to `most` times what `make` makes. */
  many<T>(least: number, most: number, make: () => T): readonly T[];
}

/** By the generator mulberry32 of Tommy Ettinger, which is in the public domain. */
export function createChooser(seed: number): Chooser {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    below,
    chance: (probability) => next() < probability,
    pick: <T>(from: readonly T[]) => from[below(from.length)] as T,
    some: (from, probability) => from.filter(() => next() < probability),
    many: (least, most, make) =>
      Array.from({ length: least + below(most - least + 1) }, () => make()),
  };
}
