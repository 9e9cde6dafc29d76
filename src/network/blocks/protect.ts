import { unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { PRIVATE_RANGES } from '../cidr/special-ranges.ts';
import type { ClusterFacts } from '../cluster-facts.ts';

/** What no block may cut off; it is taken out of each before anything is written. */
export interface Protection {
  readonly ranges: AddressSet;
  /** By what is protected, for people; they may overlap. */
  readonly parts: readonly { readonly name: string; readonly set: AddressSet }[];
}

export interface ProtectionInput {
  readonly facts: ClusterFacts;
  /** Of all that any policy opens. */
  readonly exchanges: AddressSet;
  /** Whoever looks after the operator from outside, and must not lock himself out. */
  readonly operatorClients: AddressSet;
  /** Ranges that the author of the block named himself: private ones are then his to block. */
  readonly explicit: AddressSet;
}

/** `explicit` opens private and special ranges alone, never what the cluster lives on. */
export function protectionFor({
  facts,
  exchanges,
  operatorClients,
  explicit,
}: ProtectionInput): Protection {
  const parts = [
    { name: 'pods', set: facts.podRanges },
    { name: 'services', set: facts.serviceRanges },
    { name: 'nodes', set: facts.nodeAddresses },
    { name: 'API server', set: facts.apiServer.addresses },
    { name: 'DNS', set: facts.dns.addresses },
    { name: 'exchanges', set: exchanges },
    { name: 'clients of the operator', set: operatorClients },
    { name: 'private and special ranges', set: PRIVATE_RANGES.minus(explicit) },
  ];
  return { ranges: unionOf(parts.map(({ set }) => set)), parts };
}
