import { EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet, Interval } from '../cidr/address-set.ts';

/** Blocked until then: milliseconds since 1970; absent: for ever. */
export interface TimedInterval extends Interval {
  readonly expiresAtMs?: number;
}

interface Timed {
  readonly addresses: AddressSet;
  readonly expiresAtMs?: number;
}

/**
 * All that the blocks hold, each address once and until the latest of its ends: a set of nftables
 * has one timeout an element, and of two elements that overlap the first to end would take away
 * what the other still blocks. IPv4 first, then by address; neighbours with one end are one.
 */
export function disjointIntervals(blocks: readonly Timed[]): readonly TimedInterval[] {
  const byEnd = Map.groupBy(blocks, ({ expiresAtMs }) => expiresAtMs ?? Infinity);
  const latestFirst = [...byEnd]
    .toSorted(([a], [b]) => (a < b ? 1 : -1))
    .map(([end, together]) => ({
      addresses: unionOf(together.map(({ addresses }) => addresses)),
      ...(end !== Infinity && { expiresAtMs: end }),
    }));
  return withoutTaken(latestFirst, EMPTY_SET).toSorted(byAddress);
}

/**
 * In halves, and each looking only at what of `taken` concerns it: with many ends, going through
 * them one by one would copy all that is taken for each.
 */
function withoutTaken(latestFirst: readonly Timed[], taken: AddressSet): readonly TimedInterval[] {
  const [first] = latestFirst;
  if (first === undefined) return [];
  if (latestFirst.length === 1) {
    const { addresses, ...end } = first;
    return addresses
      .minus(taken)
      .intervals()
      .map((interval) => ({ ...interval, ...end }));
  }
  const middle = latestFirst.length >>> 1;
  const [later, earlier] = [latestFirst.slice(0, middle), latestFirst.slice(middle)];
  const [inLater, inEarlier] = [later, earlier].map((half) =>
    unionOf(half.map(({ addresses }) => addresses)),
  ) as [AddressSet, AddressSet];
  return [
    ...withoutTaken(later, taken.intersection(inLater)),
    ...withoutTaken(earlier, taken.union(inLater).intersection(inEarlier)),
  ];
}

function byAddress(a: Interval, b: Interval): number {
  if (a.family !== b.family) return a.family === 'IPv4' ? -1 : 1;
  return a.first < b.first ? -1 : 1;
}
