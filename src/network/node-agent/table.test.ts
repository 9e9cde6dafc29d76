import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Ban } from './ban.ts';
import { formatRange } from './range-text.ts';
import { tableOf } from './table.ts';

const WIDTHS = { IPv4: 32n, IPv6: 128n } as const;

/** From one address to a good part of all, wherever it begins. */
const wideBan: fc.Arbitrary<Ban> = fc
  .constantFrom('IPv4' as const, 'IPv6' as const)
  .chain((family) => {
    const max = (1n << WIDTHS[family]) - 1n;
    return fc
      .record({
        first: fc.bigInt(0n, max),
        bits: fc.integer({ min: 0, max: Number(WIDTHS[family]) - 3 }),
      })
      .map(({ first, bits }) => {
        const last = first + (1n << BigInt(bits)) - 1n;
        return { family, first, last: last > max ? max : last };
      });
  });

describe('the blocks that have a ban in them', () => {
  it('are all of those, and no others', () => {
    fc.assert(
      fc.property(fc.array(wideBan, { maxLength: 4 }), (bans) => {
        const both = bans.map((ban) => ({ ...ban, text: formatRange(ban) }));
        const { sets } = tableOf({
          revision: '1',
          scopes: [
            { key: 'node', namespaces: '*', bans: { both, ingress: [], egress: [] }, pods: [] },
          ],
        });
        for (const [family, name] of [
          ['IPv4', 'node_near4'],
          ['IPv6', 'node_near6'],
        ] as const) {
          const size = 1n << (WIDTHS[family] - 12n);
          const wanted = Array.from({ length: 4096 }, (_, index) => BigInt(index) * size)
            .filter((first) =>
              bans.some(
                (ban) => ban.family === family && ban.first < first + size && ban.last >= first,
              ),
            )
            .map((first) => formatRange({ family, first, last: first }));
          expect([...(sets.get(name)?.keys() ?? [])].toSorted()).toEqual(wanted.toSorted());
        }
      }),
      { numRuns: 100 },
    );
  });
});
