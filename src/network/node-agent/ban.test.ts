import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ban } from './ban.ts';
import { byKind } from './ban.ts';

const SPACE = 24;

/** Disjoint and in order, over few addresses, so that the lists of two directions meet. */
const bans: fc.Arbitrary<readonly Ban[]> = fc
  .array(
    fc.record({ gap: fc.nat(3), size: fc.nat(4), until: fc.constantFrom(undefined, 1, 2, 3) }),
    {
      maxLength: 6,
    },
  )
  .map((drafts) => {
    let from = 0;
    return drafts.flatMap(({ gap, size, until }) => {
      const first = from + gap;
      from = first + size + 1;
      if (from > SPACE) return [];
      const range = { family: 'IPv4' as const, first: BigInt(first), last: BigInt(first + size) };
      return [until === undefined ? range : { ...range, expiresAtMs: until }];
    });
  });

/** Until when an address is banned; 0: not at all. */
function until(list: readonly Ban[], address: number): number {
  const found = list.find((ban) => ban.first <= address && address <= ban.last);
  return found === undefined ? 0 : (found.expiresAtMs ?? Infinity);
}

describe('byKind', () => {
  it('bans every address in each direction exactly as long as before', () => {
    fc.assert(
      fc.property(bans, bans, (ingress, egress) => {
        const kinds = byKind(ingress, egress);
        for (let address = 0; address < SPACE; address += 1) {
          const both = until(kinds.both, address);
          expect(Math.max(both, until(kinds.ingress, address))).toBe(until(ingress, address));
          expect(Math.max(both, until(kinds.egress, address))).toBe(until(egress, address));
        }
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps what is in two kinds disjoint within each', () => {
    fc.assert(
      fc.property(bans, bans, (ingress, egress) => {
        for (const list of Object.values(byKind(ingress, egress))) {
          for (const [index, ban] of list.entries()) {
            expect(ban.first <= ban.last).toBe(true);
            expect(index === 0 || (list[index - 1]?.last ?? 0n) < ban.first).toBe(true);
          }
        }
      }),
    );
  });

  it('has one entry for what is banned in both directions alike', () => {
    const list: Ban[] = [{ family: 'IPv6', first: 1n, last: 9n, expiresAtMs: 5 }];
    expect(byKind(list, list)).toEqual({ both: list, ingress: [], egress: [] });
  });
});
