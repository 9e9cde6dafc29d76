import type { ServedVersion } from '#kube/discovery.ts';
import type { Resource } from '#kube/resource.ts';
import { CONFIG_MAPS, NETWORK_POLICIES } from '#kube/resources.ts';
import type { BackendName } from './backend.ts';

function cluster(group: string, version: string, kind: string, plural: string): Resource {
  return { group, version, kind, plural, namespaced: false };
}

const CILIUM = 'cilium.io';

/** Newest first. Cilium 1.16 and 1.17 serve v2alpha1 only. */
export const CIDR_GROUPS: readonly [Resource, Resource] = [
  cluster(CILIUM, 'v2', 'CiliumCIDRGroup', 'ciliumcidrgroups'),
  cluster(CILIUM, 'v2alpha1', 'CiliumCIDRGroup', 'ciliumcidrgroups'),
];

export const CILIUM_CLUSTERWIDE_POLICIES: Resource = cluster(
  CILIUM,
  'v2',
  'CiliumClusterwideNetworkPolicy',
  'ciliumclusterwidenetworkpolicies',
);

export const CILIUM_POLICIES: Resource = {
  group: CILIUM,
  version: 'v2',
  kind: 'CiliumNetworkPolicy',
  plural: 'ciliumnetworkpolicies',
  namespaced: true,
};

export interface CalicoResources {
  readonly tiers: Resource;
  readonly sets: Resource;
  readonly policies: Resource;
}

function calico(group: string, version: string): CalicoResources {
  return {
    tiers: cluster(group, version, 'Tier', 'tiers'),
    sets: cluster(group, version, 'GlobalNetworkSet', 'globalnetworksets'),
    policies: cluster(group, version, 'GlobalNetworkPolicy', 'globalnetworkpolicies'),
  };
}

/**
 * The API that Calico supports, of its API server or of CRDs (since 3.32), and then the CRDs that
 * the API server keeps its objects in.
 */
export const CALICO_APIS: readonly [CalicoResources, CalicoResources] = [
  calico('projectcalico.org', 'v3'),
  calico('crd.projectcalico.org', 'v1'),
];

/** Newest first. */
export const CLUSTER_POLICIES: readonly [Resource, Resource] = [
  cluster('policy.networking.k8s.io', 'v1beta1', 'ClusterNetworkPolicy', 'clusternetworkpolicies'),
  cluster('policy.networking.k8s.io', 'v1alpha2', 'ClusterNetworkPolicy', 'clusternetworkpolicies'),
];

/**
 * All that a backend may have written, whatever the version, in the order in which it is applied;
 * to be looked through for objects that nothing needs any more where it is served.
 */
export const BACKEND_RESOURCES: Readonly<Record<BackendName, readonly Resource[]>> = {
  NetworkPolicy: [NETWORK_POLICIES],
  Cilium: [...CIDR_GROUPS, CILIUM_CLUSTERWIDE_POLICIES, CILIUM_POLICIES],
  Calico: CALICO_APIS.flatMap(({ tiers, sets, policies }) => [tiers, sets, policies]),
  ClusterNetworkPolicy: [...CLUSTER_POLICIES],
  NodeAgent: [CONFIG_MAPS],
};

/**
 * An aggregated API that cannot be reached now still counts: writing its objects another way for a
 * few minutes would make two of each.
 */
export function isServed(served: readonly ServedVersion[], resource: Resource): boolean {
  return served.some(
    ({ group, version, resources, stale }) =>
      group === resource.group &&
      version === resource.version &&
      (stale === true || resources.includes(resource.plural)),
  );
}
