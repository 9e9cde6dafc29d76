import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressSet, fromIntervals, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { anyBlocks, edgesOf, isIn } from '../cidr/testing/naive.ts';
import type { Block } from '../cidr/testing/naive.ts';
import { disjointIntervals } from './timeline.ts';
import type { TimedInterval } from './timeline.ts';

interface Ban {
  readonly blocks: readonly Block[];
  readonly addresses: AddressSet;
  readonly expiresAtMs?: number;
}

const anyBan: fc.Arbitrary<Ban> = fc
  .tuple(
    fc.array(anyBlocks(), { maxLength: 4 }),
    fc.oneof(fc.constant(undefined), fc.integer({ min: 1, max: 5 })),
  )
  .map(([blocks, expiresAtMs]) => ({
    blocks,
    addresses: addressSet(blocks.map(({ text }) => text)),
    ...(expiresAtMs !== undefined && { expiresAtMs }),
  }));

const anyBans = fc.array(anyBan, { maxLength: 8 });

/** Infinity: for ever. */
function endOf({ expiresAtMs }: { readonly expiresAtMs?: number }): number {
  return expiresAtMs ?? Infinity;
}

function isAt(family: string, address: bigint): (interval: TimedInterval) => boolean {
  return (one) => one.family === family && one.first <= address && address <= one.last;
}

describe('disjoint intervals', () => {
  it('have each address once, until the latest of its ends', () => {
    let overlaps = 0;
    fc.assert(
      fc.property(anyBans, (bans) => {
        const intervals = disjointIntervals(bans);
        const wrong = edgesOf(bans.flatMap(({ blocks }) => blocks)).filter(
          ({ family, address }) => {
            const ends = bans.filter(({ blocks }) => isIn(blocks, family, address)).map(endOf);
            const found = intervals.filter(isAt(family, address)).map(endOf);
            overlaps += new Set(ends).size > 1 ? 1 : 0;
            return found.join() !== (ends.length === 0 ? '' : String(Math.max(...ends)));
          },
        );
        expect(wrong).toEqual([]);
      }),
      { numRuns: 1000 },
    );
    expect(overlaps).toBeGreaterThan(1000);
  });

  it('block what the blocks do, and nothing more', () => {
    fc.assert(
      fc.property(anyBans, (bans) => {
        const all = unionOf(bans.map(({ addresses }) => addresses));
        expect(fromIntervals(disjointIntervals(bans)).equals(all)).toBe(true);
      }),
    );
  });

  it('are in order and as few as can be', () => {
    fc.assert(
      fc.property(anyBans, (bans) => {
        const intervals = disjointIntervals(bans);
        const wrong = intervals.filter((one, index) => {
          const before = intervals[index - 1];
          if (before === undefined) return false;
          if (before.family !== one.family) return before.family !== 'IPv4';
          const canJoin = before.last + 1n === one.first && endOf(before) === endOf(one);
          return before.last >= one.first || canJoin;
        });
        expect(wrong).toEqual([]);
      }),
    );
  });

  it('are the same in whatever order blocks come', () => {
    fc.assert(
      fc.property(anyBans, (bans) => {
        expect(disjointIntervals([...bans].reverse())).toEqual(disjointIntervals(bans));
      }),
    );
  });

  it('by example', () => {
    const intervals = disjointIntervals([
      { addresses: addressSet(['192.0.2.0/29']), expiresAtMs: 1000 },
      { addresses: addressSet(['192.0.2.2/31', '192.0.2.7']), expiresAtMs: 5000 },
      { addresses: addressSet(['192.0.2.3', '2001:db8::1']) },
    ]);
    const v4 = (first: number, last: number) =>
      ({
        family: 'IPv4',
        first: 0xc000_0200n + BigInt(first),
        last: 0xc000_0200n + BigInt(last),
      }) as const;
    const v6 = (0x2001_0db8n << 96n) + 1n;
    expect(intervals).toEqual([
      { ...v4(0, 1), expiresAtMs: 1000 },
      { ...v4(2, 2), expiresAtMs: 5000 },
      v4(3, 3),
      { ...v4(4, 6), expiresAtMs: 1000 },
      { ...v4(7, 7), expiresAtMs: 5000 },
      { family: 'IPv6', first: v6, last: v6 },
    ]);
    expect(disjointIntervals([])).toEqual([]);
  });

  it('take a hundred ends and 5,000 addresses', () => {
    const bans = Array.from({ length: 100 }, (_, ban) => ({
      addresses: addressSet(Array.from({ length: 50 }, (_, n) => `10.0.${n}.${ban * 2}`)),
      expiresAtMs: 1000 + ban,
    }));
    expect(disjointIntervals(bans)).toHaveLength(5000);
    expect(disjointIntervals([...bans, { addresses: addressSet(['10.0.0.0/8']) }])).toHaveLength(1);
  });
});
