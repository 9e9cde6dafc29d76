import type { ServedVersion } from '#kube/discovery.ts';
import type { BackendName } from './backend.ts';
import {
  CALICO_APIS,
  CIDR_GROUPS,
  CILIUM_CLUSTERWIDE_POLICIES,
  CLUSTER_POLICIES,
  isServed,
} from './backend-resources.ts';

/**
 * The backends whose objects can be written, by what the API server serves. `NodeAgent` is not seen
 * in the API and never among them. That something enforces the objects is not said either: CRDs stay
 * when their engine is gone.
 */
export function detectBackends(served: readonly ServedVersion[]): readonly BackendName[] {
  const has: Readonly<Record<Exclude<BackendName, 'NodeAgent'>, boolean>> = {
    NetworkPolicy: true,
    Cilium:
      isServed(served, CILIUM_CLUSTERWIDE_POLICIES) &&
      CIDR_GROUPS.some((resource) => isServed(served, resource)),
    // Before 3.30 there are no tiers, and a Deny cannot stand without switching default-deny on.
    Calico: CALICO_APIS.some((api) =>
      Object.values(api).every((resource) => isServed(served, resource)),
    ),
    ClusterNetworkPolicy: CLUSTER_POLICIES.some((resource) => isServed(served, resource)),
  };
  return (Object.keys(has) as (keyof typeof has)[]).filter((name) => has[name]);
}
