import { describe, expect, it } from 'vitest';
import { createSharedSets } from './shared-sets.ts';

const cidr = '192.0.2.0/24';
const holes = ['192.0.2.0/32', '192.0.2.8/32', '192.0.2.16/32'];

describe('createSharedSets', () => {
  it('gives the addresses without the excepts', () => {
    const setOf = createSharedSets();
    expect(setOf({ cidr }).cidrs()).toEqual([cidr]);
    expect(setOf({ cidr: '192.0.2.0/30', except: ['192.0.2.1/32'] }).cidrs()).toEqual([
      '192.0.2.0/32',
      '192.0.2.2/31',
    ]);
  });

  it('gives equal blocks the same set, also to a later one that knows them already', () => {
    const blocks = [1, 2, 3].map(() => ({ cidr, except: [...holes] }));
    for (const setOf of [createSharedSets(), createSharedSets()]) {
      expect(new Set(blocks.map(setOf)).size).toBe(1);
    }
  });

  it('tells blocks apart that differ in the middle alone', () => {
    const setOf = createSharedSets();
    const one = { cidr, except: holes };
    const other = { cidr, except: holes.with(1, '192.0.2.9/32') };
    for (const [block, hole] of [
      [one, '192.0.2.8'],
      [other, '192.0.2.9'],
      [one, '192.0.2.8'],
    ] as const) {
      expect(setOf(block).contains(hole)).toBe(false);
    }
    expect(setOf(other).contains('192.0.2.8')).toBe(true);
    expect(createSharedSets()(other).contains('192.0.2.8')).toBe(true);
  });
});
