/** Inputs of the compiler for tests: complete ones, and what differs from them. */
import type { NetworkPolicy } from '#kube/objects.ts';
import type { ActiveBlock } from '../../active-block.ts';
import { addressSet, EMPTY_SET } from '../../cidr/address-set.ts';
import type { ClusterFacts, NetworkPod } from '../../cluster-facts.ts';
import type { NamespaceInput } from '../compiler.ts';
import type { NetworkGrant } from '../grant.ts';

export const NAMESPACE = 'trading';

export function factsOf(facts: Partial<ClusterFacts> = {}): ClusterFacts {
  return {
    families: ['IPv4', 'IPv6'],
    podRanges: EMPTY_SET,
    serviceRanges: EMPTY_SET,
    nodeAddresses: EMPTY_SET,
    apiServer: { addresses: EMPTY_SET, ports: [] },
    dns: { addresses: EMPTY_SET, namespace: 'kube-system', podLabels: {} },
    policyEngine: { seen: 'Yes' },
    rewritingServices: [],
    ...facts,
  };
}

export function inputOf(input: Partial<NamespaceInput> = {}): NamespaceInput {
  return {
    namespace: NAMESPACE,
    pods: [],
    foreign: [],
    grants: [],
    blocks: [],
    facts: factsOf(),
    ...input,
  };
}

export function podOf(
  name: string,
  labels: Readonly<Record<string, string>>,
  pod: Partial<NetworkPod> = {},
): NetworkPod {
  return {
    namespace: NAMESPACE,
    name,
    labels,
    serviceAccount: 'default',
    addresses: [],
    hostNetwork: false,
    ports: [],
    ...pod,
  };
}

export function blockOf(
  name: string,
  cidrs: readonly string[],
  block: Partial<ActiveBlock> = {},
): ActiveBlock {
  return {
    name,
    addresses: addressSet(cidrs),
    ingress: true,
    egress: true,
    namespaces: '*',
    ...block,
  };
}

export function grantOf(
  serviceAccount: string,
  grant: Partial<NetworkGrant> = {},
  policy = 'desk',
): NetworkGrant {
  return { policy: { name: policy, uid: `${policy}-uid` }, serviceAccount, ...grant };
}

export function foreignOf(name: string, spec: NonNullable<NetworkPolicy['spec']>): NetworkPolicy {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name, namespace: NAMESPACE },
    spec,
  };
}
