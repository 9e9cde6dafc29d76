import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressSet, EMPTY_SET, fromIntervals, unionOf } from './address-set.ts';
import type { AddressSet } from './address-set.ts';
import { parseCidr } from './parse-cidr.ts';
import {
  anyBlocks,
  edgesOf,
  fewestBlocks,
  isIn,
  SMALL_V4,
  SMALL_V6,
  smallBlocks,
} from './testing/naive.ts';
import type { Block } from './testing/naive.ts';

const RUNS = { numRuns: 1000 };
const anyList = fc.array(anyBlocks(), { maxLength: 12 });
const smallList = fc.array(smallBlocks(), { maxLength: 12 });

function setOf(blocks: readonly Block[]): AddressSet {
  return addressSet(blocks.map(({ text }) => text));
}

/** The edges of all lists that the set should have and has not, or the other way round. */
function wrongEdges(
  set: AddressSet,
  lists: readonly (readonly Block[])[],
  model: (...isIn: readonly boolean[]) => boolean,
): readonly string[] {
  return edgesOf(lists.flat())
    .filter(({ family, address, text }) => {
      const expected = model(...lists.map((list) => isIn(list, family, address)));
      return set.contains(text) !== expected;
    })
    .map(({ text }) => text);
}

describe('a set of addresses', () => {
  it('has the addresses of its CIDRs and no others', () => {
    fc.assert(
      fc.property(anyList, (blocks) => {
        expect(wrongEdges(setOf(blocks), [blocks], (a = false) => a)).toEqual([]);
      }),
      RUNS,
    );
  });

  it('adds, takes away and meets like sets do', () => {
    fc.assert(
      fc.property(anyList, anyList, (a, b) => {
        const [ours, theirs] = [setOf(a), setOf(b)];
        const or = (inA = false, inB = false) => inA || inB;
        const andNot = (inA = false, inB = false) => inA && !inB;
        const and = (inA = false, inB = false) => inA && inB;
        expect(wrongEdges(ours.union(theirs), [a, b], or)).toEqual([]);
        expect(wrongEdges(ours.minus(theirs), [a, b], andNot)).toEqual([]);
        expect(wrongEdges(ours.intersection(theirs), [a, b], and)).toEqual([]);
      }),
      RUNS,
    );
  });

  it('tells what it covers and meets', () => {
    fc.assert(
      fc.property(anyList, anyList, (a, b) => {
        const [ours, theirs] = [setOf(a), setOf(b)];
        const edges = edgesOf([...a, ...b]);
        const inA = edges.filter(({ family, address }) => isIn(a, family, address));
        const inB = edges.filter(({ family, address }) => isIn(b, family, address));
        expect(ours.covers(theirs)).toBe(inB.every((edge) => inA.includes(edge)));
        expect(ours.intersects(theirs)).toBe(inB.some((edge) => inA.includes(edge)));
        expect(ours.isEmpty).toBe(a.length === 0);
      }),
      RUNS,
    );
  });

  it('is equal to every other set with its addresses, and prints like it', () => {
    fc.assert(
      fc.property(anyList, anyList, fc.constantFrom('a', 'b', 'c'), (a, b, way) => {
        const [ours, theirs] = [setOf(a), setOf(b)];
        const one = ours.union(theirs);
        const same = {
          a: setOf([...b, ...a]),
          b: theirs.union(ours.minus(theirs)),
          c: unionOf([theirs, ours, ours]),
        };
        const other = same[way];
        expect(one.equals(other)).toBe(true);
        expect(other.cidrs()).toEqual(one.cidrs());
        expect(other.intervals()).toEqual(one.intervals());
        expect(ours.equals(theirs)).toBe(ours.covers(theirs) && theirs.covers(ours));
      }),
      RUNS,
    );
  });

  it('is the fewest CIDRs in order', () => {
    fc.assert(
      fc.property(smallList, smallList, (a, b) => {
        const fewest = [SMALL_V4, SMALL_V6].flatMap((small) =>
          fewestBlocks(
            small,
            (address) => isIn(a, small.family, address) && !isIn(b, small.family, address),
          ),
        );
        expect(setOf(a).minus(setOf(b)).cidrs()).toEqual(fewest.map(canonical));
      }),
      RUNS,
    );
  });

  it('can be read again from its CIDRs and from its intervals', () => {
    fc.assert(
      fc.property(anyList, anyList, (a, b) => {
        const set = setOf(a).minus(setOf(b));
        expect(addressSet(set.cidrs()).equals(set)).toBe(true);
        expect(fromIntervals(set.intervals()).equals(set)).toBe(true);
        expect(addressSet(set.cidrs()).cidrs()).toEqual(set.cidrs());
      }),
      RUNS,
    );
  });

  it('has intervals that neither meet nor touch, IPv4 first', () => {
    fc.assert(
      fc.property(anyList, anyList, (a, b) => {
        const intervals = setOf(a).minus(setOf(b)).intervals();
        expect(intervals.every(({ first, last }) => first <= last)).toBe(true);
        const order = intervals.map(
          ({ family, first }) => (family === 'IPv4' ? 0n : 1n << 64n) + first,
        );
        expect(order).toEqual(order.toSorted((x, y) => (x < y ? -1 : 1)));
        const touching = intervals.filter(({ family, first }, index) => {
          const before = intervals[index - 1];
          return before?.family === family && before.last + 1n >= first;
        });
        expect(touching).toEqual([]);
      }),
      RUNS,
    );
  });

  it('is its two families', () => {
    fc.assert(
      fc.property(anyList, (blocks) => {
        const set = setOf(blocks);
        const [v4, v6] = [set.ofFamily('IPv4'), set.ofFamily('IPv6')];
        expect([...v4.cidrs(), ...v6.cidrs()]).toEqual(set.cidrs());
        expect(v4.intervals().every(({ family }) => family === 'IPv4')).toBe(true);
        expect(v4.union(v6).equals(set)).toBe(true);
      }),
      RUNS,
    );
  });

  it('may have 50,000 CIDRs of each family', () => {
    const texts = Array.from(
      { length: 50_000 },
      (_, n) => `10.${n >> 8}.${n & 255}.${(n * 37) & 255}`,
    );
    const evens = Array.from(
      { length: 50_000 },
      (_, n) => `2001:db8::${(n >> 8).toString(16)}:${((n & 255) * 2).toString(16)}`,
    );
    const set = addressSet([...texts, ...evens, '::fffe:0:0/96'].reverse());
    expect(set.cidrs()).toHaveLength(100_001);
    expect(texts.concat(evens).every((text) => set.contains(text))).toBe(true);
    expect(set.contains('2001:db8::1:1')).toBe(false);
    expect(set.intersection(addressSet(['10.1.0.0/24'])).cidrs()).toHaveLength(1);
    expect(addressSet(['10.0.0.0/8', '2001:db8::/32', '::/8']).covers(set)).toBe(true);
    expect(set.minus(addressSet(['10.0.0.0/8'])).cidrs()).toHaveLength(50_001);
  });
});

describe('a set of addresses, by example', () => {
  it.each([
    [[], []],
    [['10.0.0.1'], ['10.0.0.1/32']],
    [['10.0.0.0/25', '10.0.0.128/25'], ['10.0.0.0/24']],
    [['10.0.0.0/24', '10.0.0.7'], ['10.0.0.0/24']],
    [['0.0.0.0/1', '128.0.0.0/1'], ['0.0.0.0/0']],
    [
      ['::/1', '8000::/1', '255.255.255.255'],
      ['255.255.255.255/32', '::/0'],
    ],
    [['2001:DB8:0::/33', '2001:0db8:8000::/33'], ['2001:db8::/32']],
    [
      ['192.0.2.255', '192.0.3.0'],
      ['192.0.2.255/32', '192.0.3.0/32'],
    ],
  ])('%j is %j', (texts, cidrs) => expect(addressSet(texts).cidrs()).toEqual(cidrs));

  it.each([
    ['10.0.0.1/8', '"10.0.0.1/8" has bits set behind its prefix: write 10.0.0.0/8'],
    ['<html>', '"<html>" is neither an address nor a CIDR such as 10.20.0.0/16 or 2001:db8::/32'],
  ])('refuses %j', (text, message) => {
    expect(() => addressSet(['10.0.0.0/8', text])).toThrow(new RangeError(message));
  });

  it('shows no more than the start of what it refuses', () => {
    expect(() => addressSet([`10.0.0.${'9'.repeat(100_000)}`])).toThrow(/^.{1,200}$/);
  });

  it.each([
    { family: 'IPv4', first: 2n, last: 1n },
    { family: 'IPv4', first: -1n, last: 1n },
    { family: 'IPv4', first: 0n, last: 1n << 32n },
    { family: 'IPv6', first: 0n, last: 1n << 128n },
  ] as const)('refuses an interval of $family from $first to $last', (interval) => {
    expect(() => fromIntervals([interval])).toThrow(RangeError);
  });

  it('takes an IPv4 address in IPv6 for IPv4', () => {
    const v4 = addressSet(['192.0.2.0/24']);
    expect(v4.contains('::ffff:192.0.2.1')).toBe(true);
    expect(v4.contains('::FFFF:c000:201')).toBe(true);
    expect(v4.contains('::ffff:192.0.3.1')).toBe(false);
    expect(addressSet(['::/0']).contains('::ffff:192.0.2.1')).toBe(false);
  });

  // Go reads ::ffff:0:0/96 as 0.0.0.0/0.
  it.each([
    [['::/0'], ['::fffe:0:0/96']],
    [['::/0'], ['::fffe:0:0/97']],
    [['::fffe:8000:0/97', '::1:0:0:0'], []],
    [['::/0'], ['::1:0:0:0/80']],
    [['::/0'], ['::1:0:0:1']],
  ])('prints no IPv4 in IPv6: %j without %j', (some, others) => {
    const set = addressSet(some).minus(addressSet(others));
    const printed = set.cidrs();
    expect(printed.filter((cidr) => cidr.startsWith('::ffff:'))).toEqual([]);
    expect(addressSet(printed).equals(set)).toBe(true);
    expect(addressSet(printed.toReversed()).intervals()).toEqual(set.intervals());
  });

  it('has no addresses of an interval of IPv4 in IPv6', () => {
    const mapped = { family: 'IPv6', first: 0xffff_0000_0000n, last: 0xffff_0000_00ffn } as const;
    expect(fromIntervals([mapped]).isEmpty).toBe(true);
  });

  it.each([
    '',
    'localhost',
    '10.0.0',
    '10.0.0.1/32',
    '10.0.0.01',
    '10.0.0.1 ',
    'fe80::1%eth0',
    '::g',
    ':::',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '::1.2.3',
  ])('does not have %j, which is no address', (text) =>
    expect(addressSet(['0.0.0.0/0', '::/0']).contains(text)).toBe(false),
  );

  it('of nothing has nothing', () => {
    expect(unionOf([]).equals(EMPTY_SET)).toBe(true);
    expect(EMPTY_SET.isEmpty).toBe(true);
    expect(EMPTY_SET.cidrs()).toEqual([]);
    expect(EMPTY_SET.covers(EMPTY_SET)).toBe(true);
    expect(EMPTY_SET.intersects(addressSet(['::/0']))).toBe(false);
  });
});

function canonical(text: string): string {
  const parsed = parseCidr(text);
  return parsed.ok ? parsed.cidr : parsed.fault;
}
