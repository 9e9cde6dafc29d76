/** Sets of addresses of both families, as sorted disjoint intervals. Sets never change. */
import { blocksOf, combine, INTERSECTION, MINUS, rankOf, sweep, UNION } from './boundaries.ts';
import type { Blocks, Boundaries, Operation } from './boundaries.ts';
import { formatCidr } from './format-cidr.ts';
import type { Interval } from './interval.ts';
import { withMappedSettled } from './mapped.ts';
import { createCidrWords, parseCidr, readCidr } from './parse-cidr.ts';
import { readAddress } from './read-address.ts';
import { createWordList, fromBigInt, isMapped, skipBlock, toBigInt } from './words.ts';
import type { Width, WordList } from './words.ts';

export type { Interval } from './interval.ts';

export interface AddressSet {
  readonly isEmpty: boolean;
  /** Neighbours and overlaps are one interval; IPv4 first, then by address. */
  intervals(): readonly Interval[];
  /** The fewest CIDRs that make up the set, canonical, IPv4 first, then by address. */
  cidrs(): readonly string[];
  /** An IPv4 address in IPv6 (`::ffff:192.0.2.1`) is IPv4; what is no address is in no set. */
  contains(address: string): boolean;
  covers(other: AddressSet): boolean;
  intersects(other: AddressSet): boolean;
  union(other: AddressSet): AddressSet;
  minus(other: AddressSet): AddressSet;
  intersection(other: AddressSet): AddressSet;
  ofFamily(family: 'IPv4' | 'IPv6'): AddressSet;
  equals(other: AddressSet): boolean;
}

interface Families {
  readonly v4: Boundaries;
  readonly v6: Boundaries;
}

const NONE: Families = {
  v4: { width: 1, words: new Uint32Array(0) },
  v6: { width: 4, words: new Uint32Array(0) },
};
const familiesBySet = new WeakMap<AddressSet, Families>();
const asked = new Uint32Array(4);

export const EMPTY_SET: AddressSet = createSet(NONE);

/** Of CIDRs and single addresses. @throws RangeError for what `parseCidr` refuses, naming it */
export function addressSet(cidrs: Iterable<string>): AddressSet {
  const v4 = createIntervalList(1);
  const v6 = createIntervalList(4);
  const cidr = createCidrWords();
  for (const text of cidrs) {
    if (!readCidr(text, cidr)) throw new RangeError(refusalOf(text));
    const { firsts, ends } = cidr.width === 1 ? v4 : v6;
    firsts.push(cidr.words, 0);
    skipBlock(cidr.width, cidr.words, 0, cidr.prefix);
    ends.push(cidr.words, 0);
  }
  return swept(v4, v6);
}

/** @throws RangeError for an interval that ends before it begins or is outside its family */
export function fromIntervals(intervals: Iterable<Interval>): AddressSet {
  const v4 = createIntervalList(1);
  const v6 = createIntervalList(4);
  const words = new Uint32Array(4);
  for (const { family, first, last } of intervals) {
    const width = family === 'IPv4' ? 1 : 4;
    if (first < 0n || last < first || last >> BigInt(width * 32) !== 0n) {
      throw new RangeError(`no interval of ${family} addresses: ${first} to ${last}`);
    }
    const { firsts, ends } = width === 1 ? v4 : v6;
    fromBigInt(width, first, words, 0);
    firsts.push(words, 0);
    fromBigInt(width, last + 1n, words, 0);
    ends.push(words, 0);
  }
  return swept(v4, v6);
}

/** In halves, so that each address is looked at as often as the number of sets can be halved. */
export function unionOf(sets: Iterable<AddressSet>): AddressSet {
  const all = Array.isArray(sets) ? (sets as readonly AddressSet[]) : [...sets];
  if (all.length === 0) return EMPTY_SET;
  const [first] = all;
  if (all.length === 1 && first !== undefined) return first;
  const middle = all.length >>> 1;
  return unionOf(all.slice(0, middle)).union(unionOf(all.slice(middle)));
}

/** The set as aligned blocks, in the order of its CIDRs. */
export function blocksOfSet(set: AddressSet): readonly Blocks[] {
  const { v4, v6 } = familiesOf(set);
  return [blocksOf(v4), blocksOf(v6)];
}

function createSet(families: Families): AddressSet {
  const { v4, v6 } = families;
  const isEmpty = v4.words.length + v6.words.length === 0;
  let intervals: readonly Interval[] | undefined;
  let cidrs: readonly string[] | undefined;
  const set: AddressSet = {
    isEmpty,
    intervals: () => (intervals ??= [...intervalsOf(v4), ...intervalsOf(v6)]),
    cidrs: () => (cidrs ??= cidrsOf([v4, v6])),
    contains(address) {
      const width = readAddress(address, 0, address.length, asked);
      if (width === 0) return false;
      if (width === 1) return rankOf(v4, asked, 0) % 2 === 1;
      return (isMapped(asked) ? rankOf(v4, asked, 3) : rankOf(v6, asked, 0)) % 2 === 1;
    },
    covers: (other) => !meets(MINUS, familiesOf(other), families),
    intersects: (other) => meets(INTERSECTION, families, familiesOf(other)),
    union: (other) => combined(UNION, set, other),
    minus: (other) => combined(MINUS, set, other),
    intersection: (other) => combined(INTERSECTION, set, other),
    ofFamily: (family) => createSet(family === 'IPv4' ? { ...NONE, v4 } : { ...NONE, v6 }),
    equals(other) {
      const theirs = familiesOf(other);
      return isEqual(v4.words, theirs.v4.words) && isEqual(v6.words, theirs.v6.words);
    },
  };
  familiesBySet.set(set, families);
  return set;
}

/** Every set is made here. */
function familiesOf(set: AddressSet): Families {
  return familiesBySet.get(set) ?? NONE;
}

function combined(operation: Operation, a: AddressSet, b: AddressSet): AddressSet {
  const [ours, theirs] = [familiesOf(a), familiesOf(b)];
  return createSet({
    v4: combine(operation, ours.v4, theirs.v4),
    v6: withMappedSettled(combine(operation, ours.v6, theirs.v6)),
  });
}

function meets(operation: Operation, a: Families, b: Families): boolean {
  return (
    combine(operation, a.v4, b.v4, true).words.length > 0 ||
    combine(operation, a.v6, b.v6, true).words.length > 0
  );
}

function isEqual(a: Uint32Array, b: Uint32Array): boolean {
  return a.length === b.length && a.every((word, at) => word === b[at]);
}

function intervalsOf({ width, words }: Boundaries): readonly Interval[] {
  const count = Math.ceil(words.length / width / 2);
  const behindLast = 1n << BigInt(width * 32);
  return Array.from({ length: count }, (_, index): Interval => {
    const at = index * 2 * width;
    const end = at + width < words.length ? toBigInt(width, words, at + width) : behindLast;
    return {
      family: width === 1 ? 'IPv4' : 'IPv6',
      first: toBigInt(width, words, at),
      last: end - 1n,
    };
  });
}

function cidrsOf(families: readonly Boundaries[]): readonly string[] {
  const cidrs: string[] = [];
  for (const boundaries of families) {
    const { width, firsts, prefixes } = blocksOf(boundaries);
    for (let index = 0; index < prefixes.length; index += 1) {
      cidrs.push(formatCidr(width, firsts, index * width, prefixes[index] ?? 0));
    }
  }
  return cidrs;
}

interface IntervalList {
  readonly width: Width;
  readonly firsts: WordList;
  /** Without the end itself; zero is behind the last address. */
  readonly ends: WordList;
}

function createIntervalList(width: Width): IntervalList {
  return { width, firsts: createWordList(width, 0), ends: createWordList(width, 0) };
}

function swept(v4: IntervalList, v6: IntervalList): AddressSet {
  return createSet({
    v4: sweep(1, v4.firsts.words(), v4.ends.words()),
    v6: withMappedSettled(sweep(4, v6.firsts.words(), v6.ends.words())),
  });
}

/** At most so much is said of a text that is no address: it may be a page of HTML. */
const SHOWN = 60;

function refusalOf(text: string): string {
  const parsed = parseCidr(text);
  const fault = parsed.ok ? '' : parsed.fault;
  const corrected = parsed.ok ? undefined : parsed.corrected;
  const hint = corrected === undefined ? '' : `: write ${corrected}`;
  return `${JSON.stringify(text.slice(0, SHOWN))} ${fault}${hint}`;
}
