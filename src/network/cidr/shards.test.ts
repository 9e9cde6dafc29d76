import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressSet, EMPTY_SET, unionOf } from './address-set.ts';
import { shardsOf } from './shards.ts';
import type { Shard } from './shards.ts';
import { anyBlocks } from './testing/naive.ts';

const anySet = fc
  .array(anyBlocks(), { maxLength: 60 })
  .map((blocks) => addressSet(blocks.map(({ text }) => text)));
const anyMax = fc.integer({ min: 1, max: 12 });

/** Name to CIDRs. */
function contentOf(shards: readonly Shard[]): ReadonlyMap<string, string> {
  return new Map(shards.map(({ name, set }) => [name, set.cidrs().join()]));
}

describe('shards', () => {
  it('partition the set along their prefixes, and none has more than it may', () => {
    fc.assert(
      fc.property(anySet, anyMax, (set, max) => {
        const shards = shardsOf(set, max);
        expect(shards.flatMap((shard) => shard.set.cidrs())).toEqual(set.cidrs());
        expect(unionOf(shards.map((shard) => shard.set)).equals(set)).toBe(true);
        for (const { prefix, set: part } of shards) {
          expect(part.cidrs().length).toBeGreaterThan(0);
          expect(part.cidrs().length).toBeLessThanOrEqual(max);
          expect(addressSet([prefix]).covers(part)).toBe(true);
        }
        for (const [index, { prefix }] of shards.entries()) {
          const others = unionOf(
            shards.slice(index + 1).map((other) => addressSet([other.prefix])),
          );
          expect(addressSet([prefix]).intersects(others)).toBe(false);
        }
      }),
    );
  });

  it('have names of their own that fit into a label', () => {
    fc.assert(
      fc.property(anySet, anyMax, (set, max) => {
        const names = shardsOf(set, max).map(({ name }) => name);
        expect(new Set(names).size).toBe(names.length);
        for (const name of names) expect(name).toMatch(/^[a-z0-9]([-a-z0-9]{0,38}[a-z0-9])$/);
      }),
    );
  });

  it('change one at a time', () => {
    let changes = 0;
    fc.assert(
      fc.property(anySet, anyMax, anyBlocks(), (set, max, { text }) => {
        const before = contentOf(shardsOf(set, max));
        const after = contentOf(shardsOf(set.union(addressSet([text])), max));
        // Where the number of CIDRs under some prefix crosses the limit, others come and go.
        fc.pre([...before.keys()].join() === [...after.keys()].join());
        const changed = [...before].filter(([name, cidrs]) => after.get(name) !== cidrs);
        changes += changed.length;
        expect(changed.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 1000 },
    );
    expect(changes).toBeGreaterThan(100);
  });

  it('halve the one that grew too large, and no other', () => {
    const low = ['10.0.0.1', '10.0.0.3', '10.0.0.5'];
    const high = ['200.0.0.1', '200.0.0.3', '200.0.0.5'];
    const before = contentOf(shardsOf(addressSet([...low, ...high]), 3));
    const after = contentOf(shardsOf(addressSet([...low, ...high, '201.0.0.1']), 3));
    expect([...before.keys()]).toEqual(['v4-0-0-0-0-1', 'v4-128-0-0-0-1']);
    expect([...after.keys()]).toEqual(['v4-0-0-0-0-1', 'v4-200-0-0-0-8', 'v4-201-0-0-0-8']);
    expect(after.get('v4-0-0-0-0-1')).toBe(before.get('v4-0-0-0-0-1'));
  });

  it('are named by their prefix', () => {
    const set = addressSet(['192.0.2.1', '2001:db8::1', '2001:db8::3']);
    expect(shardsOf(set, 5).map(({ prefix, name }) => [prefix, name])).toEqual([
      ['0.0.0.0/0', 'v4-0-0-0-0-0'],
      ['::/0', 'v6-0-0'],
    ]);
    expect(shardsOf(set, 1).map(({ prefix, name }) => [prefix, name])).toEqual([
      ['0.0.0.0/0', 'v4-0-0-0-0-0'],
      ['2001:db8::/127', 'v6-20010db8000000000000000000000000-127'],
      ['2001:db8::2/127', 'v6-20010db8000000000000000000000002-127'],
    ]);
  });

  it('do not fall apart beside IPv4 in IPv6', () => {
    const set = addressSet(['::ffc0:0:0/90', '::1:0:0:0/90']);
    expect(shardsOf(set, 1).map((shard) => shard.set.cidrs())).toEqual([
      ['::ffc0:0:0/90'],
      ['::1:0:0:0/90'],
    ]);
  });

  it('of nothing are none; of none in each there are none', () => {
    expect(shardsOf(EMPTY_SET, 1)).toEqual([]);
    expect(() => shardsOf(EMPTY_SET, 0)).toThrow(RangeError);
  });
});
