import type { ServedVersion } from '#kube/discovery.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';

/** What can enforce an IPBlock in a cluster. */
export type BackendName =
  | 'NetworkPolicy'
  | 'Cilium'
  | 'Calico'
  | 'ClusterNetworkPolicy'
  | 'NodeAgent';

export interface BackendObjects {
  /**
   * In the order in which they are applied: what is referenced comes first. What is removed is
   * removed in the order of kinds turned round, or a rule would refer to nothing for a while.
   */
  readonly objects: readonly KubeObject[];
  readonly gaps: readonly NetworkGap[];
}

export interface BackendOptions {
  readonly guardedNamespaces: readonly string[];
  readonly facts: ClusterFacts;
  /** Decides which version of the backend's API is written. Absent: the newest one known. */
  readonly served?: readonly ServedVersion[];
}
