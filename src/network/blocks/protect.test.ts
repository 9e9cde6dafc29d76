import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addressSet, EMPTY_SET } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { PRIVATE_RANGES } from '../cidr/special-ranges.ts';
import {
  anyBlocks,
  blockAround,
  edgesOf,
  FAMILIES,
  isIn,
  SMALL_V4,
  SMALL_V6,
  smallBlocks,
  wholeOf,
} from '../cidr/testing/naive.ts';
import type { Block } from '../cidr/testing/naive.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import { protectionFor } from './protect.ts';
import type { Protection } from './protect.ts';

/** Whose loss would cut the cluster off; a list of blocks each. */
const CLUSTER_PARTS = [
  'pods',
  'services',
  'nodes',
  'API server',
  'DNS',
  'exchanges',
  'clients',
] as const;
type ClusterPart = (typeof CLUSTER_PARTS)[number];
type Ranges = Readonly<Record<ClusterPart, readonly Block[]>>;

const NOWHERE: Ranges = Object.fromEntries(
  CLUSTER_PARTS.map((part) => [part, []]),
) as unknown as Ranges;

function setOf(blocks: readonly Block[]): AddressSet {
  return addressSet(blocks.map(({ text }) => text));
}

function protection(ranges: Ranges, explicit: AddressSet): Protection {
  const facts: ClusterFacts = {
    families: FAMILIES,
    podRanges: setOf(ranges.pods),
    serviceRanges: setOf(ranges.services),
    nodeAddresses: setOf(ranges.nodes),
    apiServer: { addresses: setOf(ranges['API server']), ports: [6443] },
    dns: { addresses: setOf(ranges.DNS), namespace: 'kube-system', podLabels: {} },
    policyEngine: { seen: 'Unknown' },
    rewritingServices: [],
  };
  const [exchanges, operatorClients] = [setOf(ranges.exchanges), setOf(ranges.clients)];
  return protectionFor({ facts, exchanges, operatorClients, explicit });
}

/** A few ranges for each part, those of clusters and any others. */
const someRanges: fc.Arbitrary<Ranges> = fc.record(
  Object.fromEntries(
    CLUSTER_PARTS.map((part) => [part, fc.array(anyBlocks(), { maxLength: 2 })]),
  ) as unknown as Record<ClusterPart, fc.Arbitrary<readonly Block[]>>,
);

/** Blocks that overlap, contain, equal and are inside what is protected, whole families, and others. */
function blocksAbout(protectedOnes: readonly Block[]): fc.Arbitrary<readonly Block[]> {
  const near = fc
    .tuple(
      fc.constantFrom(...protectedOnes, SMALL_V4, SMALL_V6, ...FAMILIES.map(wholeOf)),
      fc.integer({ min: -3, max: 3 }),
      fc.boolean(),
    )
    .map(([{ family, first, last, prefix }, more, atEnd]) => {
      const bits = family === 'IPv4' ? 32 : 128;
      return blockAround(family, atEnd ? last : first, Math.min(bits, Math.max(0, prefix + more)));
    })
    .filter(
      ({ family, first, prefix }) => family === 'IPv4' || prefix < 96 || first >> 32n !== 0xffffn,
    );
  return fc.array(fc.oneof({ weight: 3, arbitrary: near }, anyBlocks(), smallBlocks()), {
    minLength: 1,
    maxLength: 6,
  });
}

const cases = someRanges.chain((ranges) =>
  fc.record({
    ranges: fc.constant(ranges),
    blocks: blocksAbout(Object.values(ranges).flat()),
    explicit: fc.array(anyBlocks(), { maxLength: 3 }),
  }),
);

describe('protected ranges', () => {
  it('lose no address to any block, whatever its author names', () => {
    let met = 0;
    fc.assert(
      fc.property(cases, ({ ranges, blocks, explicit }) => {
        const { ranges: protectedSet } = protection(ranges, setOf([...explicit, ...blocks]));
        const kept = setOf(blocks).minus(protectedSet);
        const guarded = Object.values(ranges).flat();
        const edges = edgesOf([...guarded, ...blocks]).filter(({ family, address }) =>
          isIn(guarded, family, address),
        );
        met += edges.some(({ family, address }) => isIn(blocks, family, address)) ? 1 : 0;
        expect(edges.filter(({ text }) => kept.contains(text))).toEqual([]);
        expect(kept.intersects(protectedSet)).toBe(false);
      }),
      { numRuns: 1000 },
    );
    expect(met).toBeGreaterThan(500);
  });

  it('take nothing else from a block', () => {
    fc.assert(
      fc.property(cases, ({ ranges, blocks, explicit }) => {
        const { ranges: protectedSet } = protection(ranges, setOf(explicit));
        const kept = setOf(blocks).minus(protectedSet);
        const guarded = Object.values(ranges).flat();
        const edges = edgesOf([...guarded, ...blocks, ...explicit]);
        const wrong = edges.filter(({ family, address, text }) => {
          const isPrivate = PRIVATE_RANGES.contains(text) && !isIn(explicit, family, address);
          const isProtected = isPrivate || isIn(guarded, family, address);
          return kept.contains(text) !== (isIn(blocks, family, address) && !isProtected);
        });
        expect(wrong).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });

  it('are private ones only until the author names them', () => {
    const block = addressSet(['10.20.0.0/16', '192.168.0.0/16', '198.51.100.0/24']);
    const left = (explicit: AddressSet): readonly string[] =>
      block.minus(protection(NOWHERE, explicit).ranges).cidrs();
    expect(left(EMPTY_SET)).toEqual(['198.51.100.0/24']);
    expect(left(addressSet(['10.20.0.0/16']))).toEqual(['10.20.0.0/16', '198.51.100.0/24']);
  });

  it.each(CLUSTER_PARTS)('have %s, even if named by the author', (part) => {
    const address = blockAround('IPv4', 0x0a14_0001n, 32);
    const { ranges, parts } = protection(
      { ...NOWHERE, [part]: [address] },
      addressSet(['10.0.0.0/8']),
    );
    expect(addressSet(['10.20.0.0/24']).minus(ranges).contains('10.20.0.1')).toBe(false);
    expect(addressSet(['10.20.0.0/24']).minus(ranges).contains('10.20.0.2')).toBe(true);
    const whose = parts.filter(({ set }) => set.contains('10.20.0.1')).map(({ name }) => name);
    expect(whose).toEqual([part === 'clients' ? 'clients of the operator' : part]);
  });
});
