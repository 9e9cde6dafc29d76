import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressSet, EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { cidrListsOf } from './cidr-list.ts';
import { partsOf } from './parts.ts';
import type { Part } from './parts.ts';
import { arbitraryAllowed, arbitraryCidr, arbitraryHoles } from './testing/arbitrary-addresses.ts';

interface Wanted {
  readonly allowed: AddressSet;
  readonly holes: AddressSet;
}

const WHOLE = addressSet(['0.0.0.0/0', '::/0']);

function divided(channels: readonly Wanted[], most: number): readonly Part[] {
  return partsOf(
    channels.map(({ allowed, holes }) => ({
      allowed: cidrListsOf(allowed),
      holes: cidrListsOf(holes),
      weight: 1,
    })),
    most,
  );
}

function openIn(part: Part, channel: number): AddressSet {
  return unionOf(
    (part.peers[channel] ?? []).map(({ ipBlock }) =>
      addressSet([ipBlock?.cidr ?? '']).minus(addressSet(ipBlock?.except ?? [])),
    ),
  );
}

function weightOf({ peers }: Part): number {
  const cidrs = peers.flat().flatMap(({ ipBlock }) => [ipBlock?.cidr, ...(ipBlock?.except ?? [])]);
  const weights = cidrs.map((cidr) => (cidr?.includes(':') === true ? 2 : 1));
  return weights.reduce((sum, one) => sum + one, peers.filter((one) => one.length > 0).length);
}

/** A hole a place, from the first address on; each is 256 addresses from the next one. */
const spread = (count: number, from = 0) =>
  addressSet(
    Array.from({ length: count }, (_, at) => `10.${(from + at) >> 8}.${(from + at) & 255}.1/32`),
  );

describe('parts', () => {
  it('are one with a hole in the CIDR that is allowed, where that fits', () => {
    const allowed = addressSet(['0.0.0.0/0', '198.51.100.0/24', '::/0']);
    const holes = addressSet(['198.51.100.7/32', '203.0.113.0/24', '2001:db8::/32']);
    expect(divided([{ allowed, holes }], 100)).toEqual([
      {
        peers: [
          [
            { ipBlock: { cidr: '0.0.0.0/0', except: ['198.51.100.7/32', '203.0.113.0/24'] } },
            { ipBlock: { cidr: '::/0', except: ['2001:db8::/32'] } },
          ],
        ],
        within: ['0.0.0.0/0', '::/0'],
        without: [],
      },
    ]);
  });

  it.each<[string, readonly string[], readonly string[], readonly string[]]>([
    ['a CIDR that is a hole', ['10.0.0.0/24'], ['10.0.0.0/24'], []],
    ['a CIDR within a hole', ['10.0.0.0/24', '10.1.0.0/24'], ['10.0.0.0/16'], ['10.1.0.0/24']],
    ['a family that is a hole', ['0.0.0.0/0', '::/0'], ['0.0.0.0/0'], ['::/0']],
    ['a CIDR that holes fill', ['10.0.0.0/24'], ['10.0.0.0/25', '10.0.0.128/25'], []],
    ['everything', ['0.0.0.0/0', '::/0'], ['0.0.0.0/0', '::/0'], []],
  ])('leave out %s', (_, allowed, holes, left) => {
    const [base, ...others] = divided(
      [{ allowed: addressSet(allowed), holes: addressSet(holes) }],
      100,
    );
    expect(base?.peers[0]?.map(({ ipBlock }) => ipBlock)).toEqual(left.map((cidr) => ({ cidr })));
    expect(others).toEqual([]);
  });

  it('are cut out of the base, which has them as holes', () => {
    const parts = divided([{ allowed: addressSet(['0.0.0.0/0']), holes: spread(12) }], 10);
    expect(parts.map(({ name }) => name)).toEqual([undefined, 'v4-10-0-0-0-21']);
    expect(parts[0]?.peers[0]).toEqual([
      {
        ipBlock: {
          cidr: '0.0.0.0/0',
          except: ['10.0.0.0/21', ...spread(4, 8).cidrs()],
        },
      },
    ]);
    expect(parts[1]?.peers[0]).toEqual([
      { ipBlock: { cidr: '10.0.0.0/21', except: spread(8).cidrs() } },
    ]);
  });

  it('divide what is allowed and no hole: each address is in one of them, and none beside', () => {
    const channel = fc.record({ allowed: arbitraryAllowed, holes: arbitraryHoles });
    const seen = { several: 0, nested: 0 };
    fc.assert(
      fc.property(
        fc.array(channel, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 8, max: 40 }),
        (channels, most) => {
          const parts = divided(channels, most);
          if (parts.length > 1) seen.several += 1;
          if (parts.some(({ name, without }) => name !== undefined && without.length > 0)) {
            seen.nested += 1;
          }
          for (const [index, { allowed, holes }] of channels.entries()) {
            const open = parts.map((part) => openIn(part, index));
            expect(unionOf(open).cidrs()).toEqual(allowed.minus(holes).cidrs());
            for (const [at, one] of open.entries()) {
              expect(open.slice(at + 1).some((other) => other.intersects(one))).toBe(false);
            }
          }
          const limit = Math.max(most, 12 * channels.length);
          for (const part of parts) expect(weightOf(part)).toBeLessThanOrEqual(limit);
        },
      ),
      { numRuns: 400 },
    );
    expect(seen.several).toBeGreaterThan(100);
    expect(seen.nested).toBeGreaterThan(20);
  });

  it('lie within their prefixes and without those of others', () => {
    fc.assert(
      fc.property(arbitraryAllowed, arbitraryHoles, (allowed, holes) => {
        for (const part of divided([{ allowed, holes }], 10)) {
          const area = addressSet(part.within).minus(addressSet(part.without));
          expect(area.covers(openIn(part, 0))).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('are at least half full, so that there are few of them wherever the holes lie', () => {
    for (const holes of [
      spread(5000),
      addressSet(Array.from({ length: 5000 }, (_, at) => `2001:db8::${(at * 2).toString(16)}/128`)),
    ]) {
      const parts = divided([{ allowed: WHOLE, holes }], 400);
      const entries = holes.cidrs().length * (holes.cidrs()[0]?.includes(':') === true ? 2 : 1);
      expect(parts.length).toBeGreaterThanOrEqual(entries / 400);
      expect(parts.length).toBeLessThanOrEqual(1 + (2 * entries) / 400 + 1);
    }
  });

  it('but one stay as they are when one hole comes or goes, save where one is full', () => {
    const changes: number[] = [];
    fc.assert(
      fc.property(arbitraryCidr, (cidr) => {
        const before = divided([{ allowed: WHOLE, holes: SCATTERED }], 400);
        const after = divided(
          [{ allowed: WHOLE, holes: SCATTERED.union(addressSet([cidr])) }],
          400,
        );
        const texts = new Set(before.map((part) => JSON.stringify(part)));
        changes.push(after.filter((part) => !texts.has(JSON.stringify(part))).length);
      }),
      { numRuns: 300 },
    );
    expect(changes.filter((count) => count === 1).length).toBeGreaterThan(200);
    expect(Math.max(...changes)).toBeLessThanOrEqual(4);
  });

  it('of nothing are an empty base', () => {
    expect(divided([], 10)).toEqual([{ peers: [], within: ['0.0.0.0/0', '::/0'], without: [] }]);
    const nothing = { allowed: EMPTY_SET, holes: EMPTY_SET };
    expect(divided([nothing], 10)[0]?.peers).toEqual([[]]);
  });
});

/** 3,000 single addresses without an order that anyone could see. */
const SCATTERED = addressSet(
  Array.from({ length: 3000 }, (_, at) => {
    const word = Math.imul(at + 1, 0x9e37_79b1) >>> 0;
    return `${[24, 16, 8, 0].map((shift) => (word >>> shift) & 255).join('.')}/32`;
  }),
);
