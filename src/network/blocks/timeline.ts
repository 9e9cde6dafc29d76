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
  const latestFirst = [...byEnd].toSorted(([a], [b]) => (a < b ? 1 : -1));
  const parts = latestFirst.map(([end, together]) => ({
    addresses: unionOf(together.map(({ addresses }) => addresses)),
    ...(end !== Infinity && { expiresAtMs: end }),
  }));
  const tree = treeOf(parts);
  return tree === undefined ? [] : withoutTaken(tree, EMPTY_SET).toSorted(byAddress);
}

/** In halves: with many ends, going through them one by one would copy all before for each. */
interface Tree extends Timed {
  /** Of all that is under it. */
  readonly addresses: AddressSet;
  readonly halves?: { readonly later: Tree; readonly earlier: Tree };
}

function treeOf(latestFirst: readonly Timed[]): Tree | undefined {
  if (latestFirst.length < 2) return latestFirst[0];
  const middle = latestFirst.length >>> 1;
  const later = treeOf(latestFirst.slice(0, middle));
  const earlier = treeOf(latestFirst.slice(middle));
  if (later === undefined || earlier === undefined) return later ?? earlier;
  return { addresses: later.addresses.union(earlier.addresses), halves: { later, earlier } };
}

/** Without addresses whose end is later still, of which `taken` has those that are in the tree. */
function withoutTaken({ addresses, halves, ...end }: Tree, taken: AddressSet): TimedInterval[] {
  if (halves === undefined) {
    const left = addresses.minus(taken).intervals();
    return left.map((interval) => ({ ...interval, ...end }));
  }
  const { later, earlier } = halves;
  const takenEarlier = taken.union(later.addresses.intersection(earlier.addresses));
  return [
    ...withoutTaken(later, taken.intersection(later.addresses)),
    ...withoutTaken(earlier, takenEarlier.intersection(earlier.addresses)),
  ];
}

function byAddress(a: Interval, b: Interval): number {
  if (a.family !== b.family) return a.family === 'IPv4' ? -1 : 1;
  return a.first < b.first ? -1 : 1;
}
