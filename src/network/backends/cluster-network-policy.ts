/**
 * IPBlocks as ClusterNetworkPolicies of SIG Network: https://network-policy-api.sigs.k8s.io/. Their
 * ingress rules know pods and namespaces but no addresses, so only egress can be denied.
 */
import { LABELS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { shardsOf } from '../cidr/shards.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { BackendObjects, BackendOptions } from './backend.ts';
import { CLUSTER_POLICIES, isServed } from './backend-resources.ts';
import { groupsInCluster, namesOf } from './group-scope.ts';
import type { GroupInCluster } from './group-scope.ts';
import { BACKEND_LABELS, objectName } from './object-names.ts';

interface ClusterPolicy extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Rules of a policy, peers of a rule and CIDRs of a peer: 25 of each at most. */
const MOST = 25;
/** Of 15,625 that one policy can hold: a change of one CIDR sends one policy of some 50 KB. */
const POLICY_CIDRS = 4 * MOST * MOST;
/**
 * The highest. Policies of one priority are applied in an order that nobody knows, which is of no
 * account among ours: all of them only deny. So any number of them can stand, and none moves when
 * another one comes.
 */
const PRIORITY = 0;

/**
 * For each group of blocks that denies egress, ClusterNetworkPolicies of the Admin tier, which come
 * before every NetworkPolicy. What they do not deny goes on to the next policy.
 */
export function compileClusterNetworkPolicy(
  groups: readonly BlockGroup[],
  o: BackendOptions,
): BackendObjects {
  const resource =
    CLUSTER_POLICIES.find((one) => isServed(o.served ?? [], one)) ?? CLUSTER_POLICIES[0];
  const ingress = groups.filter(({ direction }) => direction === 'Ingress');
  const { inCluster, gaps } = groupsInCluster(
    groups.filter(({ direction }) => direction === 'Egress'),
    o,
  );
  return {
    objects: inCluster.flatMap((one) => clusterPolicies(resource, one)),
    gaps: [...gaps, ...ingress.map(ingressGap)],
  };
}

function clusterPolicies(
  resource: Resource,
  { group, addresses, namespaces }: GroupInCluster,
): readonly ClusterPolicy[] {
  return shardsOf(addresses, POLICY_CIDRS).map(({ name, set }) => ({
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name: objectName(group.key, name), labels: BACKEND_LABELS },
    spec: {
      tier: 'Admin',
      priority: PRIORITY,
      subject: { namespaces: namespaceSelector(namespaces) },
      egress: chunks(chunks(set.cidrs())).map((peers) => ({
        action: 'Deny',
        to: peers.map((networks) => ({ networks })),
      })),
    },
  }));
}

function namespaceSelector(namespaces: '*' | readonly string[]): object {
  return {
    matchLabels: { [LABELS.guarded]: 'true' },
    ...(namespaces === '*'
      ? {}
      : {
          matchExpressions: [
            { key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces },
          ],
        }),
  };
}

function chunks<T>(items: readonly T[]): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / MOST) }, (_, index) =>
    items.slice(index * MOST, (index + 1) * MOST),
  );
}

function ingressGap({ blocks }: BlockGroup): NetworkGap {
  return {
    type: 'EgressOnly',
    direction: 'Ingress',
    message: `a ClusterNetworkPolicy cannot deny what comes from addresses, so it does not keep those of ${namesOf(blocks)} from reaching pods; the node agent can`,
  };
}
