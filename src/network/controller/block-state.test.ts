import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { IPBlock, IPBlockSpec } from '#api/ip-block.ts';
import { EMPTY_SET, addressSet, unionOf } from '../cidr/address-set.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { FeedCopy } from '../feeds/feed.ts';
import { blockState } from './block-state.ts';
import type { BlockInput } from './block-state.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

const FACTS: ClusterFacts = {
  families: ['IPv4'],
  podRanges: addressSet(['10.244.0.0/16', '198.51.100.64/28']),
  serviceRanges: addressSet(['10.96.0.0/16']),
  nodeAddresses: addressSet(['192.0.2.10']),
  apiServer: { addresses: addressSet(['192.0.2.20', '10.96.0.1']), ports: [443] },
  dns: { addresses: addressSet(['10.96.0.10']), namespace: 'kube-system', podLabels: {} },
  policyEngine: { seen: 'Yes' },
  rewritingServices: [],
};

function stateOf(spec: Partial<IPBlockSpec>, input: Partial<BlockInput> = {}, nowMs = NOW) {
  const block: IPBlock = {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: 'scanner', creationTimestamp: '2026-11-24T11:00:00Z' },
    spec: { reason: 'test', ...spec },
  };
  return blockState(
    {
      block,
      facts: FACTS,
      exchanges: addressSet(['203.0.113.0/28']),
      operatorClients: addressSet(['203.0.113.128/25']),
      isProtectionKnown: true,
      ...input,
    },
    nowMs,
  );
}

function copyOf(items: FeedCopy['items']): FeedCopy {
  return {
    url: 'https://lists.example/drop',
    format: 'Plain',
    items,
    counts: { entries: items.length, corrected: 0, skipped: 0, skippedSamples: [] },
    fetchedAtMs: NOW,
  };
}

const FEED = { url: 'https://lists.example/drop', format: 'Plain', every: '1h' } as const;

describe('blockState', () => {
  it.each<[string, Partial<IPBlockSpec>, Partial<BlockInput>, string]>([
    ['a list in force', { cidrs: ['198.51.100.0/24'] }, {}, 'Active'],
    ['one that only watches', { cidrs: ['198.51.100.0/24'], mode: 'Observe' }, {}, 'Observed'],
    ['one that is over', { cidrs: ['198.51.100.0/24'], duration: '1h' }, {}, 'Expired'],
    ['one that is not over yet', { cidrs: ['198.51.100.0/24'], duration: '61m' }, {}, 'Active'],
    [
      'an end in the past',
      { cidrs: ['198.51.100.0/24'], expiresAt: '2020-01-01T00:00:00Z' },
      {},
      'Expired',
    ],
    ['nothing but protected addresses', { cidrs: ['10.244.3.0/24'] }, {}, 'Empty'],
    ['a wide one', { cidrs: ['4.0.0.0/7'] }, {}, 'WideBan'],
    ['wide together', { cidrs: ['4.0.0.0/8', '5.0.0.0/8'] }, {}, 'WideBan'],
    ['a wide one that is meant', { cidrs: ['4.0.0.0/7'], acknowledgeWideBan: true }, {}, 'Active'],
    [
      'a cluster that is not known',
      { cidrs: ['198.51.100.0/24'] },
      { isProtectionKnown: false },
      'FactsMissing',
    ],
    ['a feed that was never read', { feed: FEED }, {}, 'FeedPending'],
    ['a feed', { feed: FEED }, { feed: copyOf([{ cidr: '198.51.100.0/24' }]) }, 'Active'],
  ])('of %s', (_, spec, input, phase) => {
    expect(stateOf(spec, input).phase).toBe(phase);
  });

  it('leaves out what is protected, and says as what', () => {
    const { block, leftOut } = stateOf({ cidrs: ['198.51.100.0/24', '203.0.113.0/24'] });
    expect(block.addresses.intersects(FACTS.podRanges)).toBe(false);
    expect(leftOut.map(({ name, cidrs }) => `${cidrs.join()} ${name}`)).toEqual([
      '198.51.100.64/28 pods',
      '203.0.113.0/28 exchanges',
      '203.0.113.128/25 clients of the operator',
    ]);
  });

  it('takes a private range that is named, and none that a feed or a wider range brings', () => {
    const own = addressSet(['10.1.0.0/16']);
    const listed = stateOf({ cidrs: ['10.1.0.0/16'] });
    expect(listed.block.addresses.equals(own)).toBe(true);
    const wider = stateOf({ cidrs: ['0.0.0.0/0'], acknowledgeWideBan: true });
    expect(wider.block.addresses.intersects(own)).toBe(false);
    const fed = stateOf({ feed: FEED }, { feed: copyOf([{ cidr: '10.1.0.0/16' }]) });
    expect(fed.phase).toBe('Empty');
  });

  it('takes no private range at all where the ranges of pods are not known', () => {
    const { phase, leftOut } = stateOf(
      { cidrs: ['10.1.0.0/16'] },
      { facts: { ...FACTS, podRanges: EMPTY_SET } },
    );
    expect(phase).toBe('Empty');
    expect(leftOut.map(({ cidrs }) => cidrs.join())).toEqual(['10.1.0.0/16']);
  });

  it('ends each item of a feed in its time, and looks again then', () => {
    const feed = copyOf([
      { cidr: '198.51.100.0/28' },
      { cidr: '198.51.100.16/28', expiresAtMs: NOW + 1_000 },
    ]);
    const before = stateOf({ feed: FEED }, { feed });
    expect(before.block.addresses.cidrs()).toEqual(['198.51.100.0/27']);
    expect(before.nextChangeMs).toBe(NOW + 1_000);
    const after = stateOf({ feed: FEED }, { feed }, NOW + 1_000);
    expect(after.block.addresses.cidrs()).toEqual(['198.51.100.0/28']);
  });

  it.each<[string, IPBlockSpec['scope'], unknown]>([
    ['no scope', undefined, '*'],
    ['all namespaces', { namespaces: ['*'] }, '*'],
    ['named ones', { namespaces: ['trading'] }, ['trading']],
    ['the gateway alone', { gateway: true }, []],
  ])('is about the right namespaces with %s', (_, scope, namespaces) => {
    const spec = { cidrs: ['198.51.100.0/24'], ...(scope === undefined ? {} : { scope }) };
    expect(stateOf(spec).block.namespaces).toEqual(namespaces);
  });

  it('never touches a protected address, whatever is asked for', () => {
    const never = unionOf([
      FACTS.podRanges,
      FACTS.serviceRanges,
      FACTS.nodeAddresses,
      FACTS.apiServer.addresses,
      FACTS.dns.addresses,
      addressSet(['203.0.113.0/28', '203.0.113.128/25']),
    ]);
    const base = fc.constantFrom(
      '10.244.0.0',
      '10.96.0.1',
      '192.0.2.10',
      '198.51.100.70',
      '203.0.113.5',
      '0.0.0.0',
    );
    const cidr = fc.tuple(base, fc.integer({ min: 0, max: 32 })).map(([address, length]) => {
      const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
      const value =
        (((a << 24) | (b << 16) | (c << 8) | d) >>> 0) & (length === 0 ? 0 : -1 << (32 - length));
      const bytes = [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
      return `${bytes.join('.')}/${length}`;
    });
    let met = 0;
    fc.assert(
      fc.property(fc.array(cidr, { minLength: 1, maxLength: 5 }), fc.boolean(), (cidrs, isFed) => {
        const { block, listed } = isFed
          ? stateOf(
              { feed: FEED, acknowledgeWideBan: true },
              { feed: copyOf(cidrs.map((one) => ({ cidr: one }))) },
            )
          : stateOf({ cidrs, acknowledgeWideBan: true });
        if (listed.intersects(never)) met += 1;
        expect(block.addresses.intersection(never).cidrs()).toEqual(EMPTY_SET.cidrs());
      }),
    );
    expect(met).toBeGreaterThan(50);
  });
});
