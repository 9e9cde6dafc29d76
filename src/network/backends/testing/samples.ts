import { addressSet, EMPTY_SET } from '../../cidr/address-set.ts';
import type { AddressSet } from '../../cidr/address-set.ts';
import type { ClusterFacts, Direction, Family } from '../../cluster-facts.ts';
import type { BlockGroup } from '../../blocks/groups.ts';

export function factsOf(...families: readonly Family[]): ClusterFacts {
  return {
    families,
    podRanges: addressSet(['10.244.0.0/16']),
    serviceRanges: addressSet(['10.96.0.0/16']),
    nodeAddresses: addressSet(['172.18.0.2']),
    apiServer: { addresses: addressSet(['10.96.0.1']), ports: [443] },
    dns: {
      addresses: addressSet(['10.96.0.10']),
      namespace: 'kube-system',
      podLabels: { 'k8s-app': 'kube-dns' },
    },
    policyEngine: { seen: 'Yes' },
    rewritingServices: [],
  };
}

export function groupOf(
  addresses: AddressSet | readonly string[],
  change: Partial<BlockGroup> & { readonly direction?: Direction } = {},
): BlockGroup {
  return {
    key: 'egress',
    namespaces: '*',
    direction: 'Egress',
    addresses: isSet(addresses) ? addresses : addressSet(addresses),
    blocks: ['scanner'],
    ...change,
  };
}

function isSet(addresses: AddressSet | readonly string[]): addresses is AddressSet {
  return 'cidrs' in addresses;
}

/** So many different addresses of the public space, the same ones each time. */
export function manyAddresses(count: number): readonly string[] {
  const found = new Set<string>();
  let state = 0x9e3779b9;
  while (found.size < count) {
    // Marsaglia's xorshift32.
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    const value = state >>> 0;
    // Even ones only, so that none are neighbours.
    const address = `${20 + ((value >>> 24) % 150)}.${(value >>> 16) & 255}.${(value >>> 8) & 255}.${value & 254}`;
    found.add(address);
  }
  return [...found];
}

/** Names of namespaces as long as they can be. */
export function longNamespaces(count: number): readonly string[] {
  return Array.from(
    { length: count },
    (_, index) => `${String(index).padStart(3, '0')}-${'n'.repeat(59)}`,
  );
}

export const NOTHING: AddressSet = EMPTY_SET;
