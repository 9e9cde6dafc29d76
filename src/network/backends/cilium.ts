/**
 * IPBlocks as deny rules of Cilium: https://docs.cilium.io/en/stable/security/policy/deny/ and
 * https://docs.cilium.io/en/stable/network/kubernetes/ciliumcidrgroup/.
 */
import { LABELS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { shardsOf } from '../cidr/shards.ts';
import type { Shard } from '../cidr/shards.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { BackendObjects, BackendOptions } from './backend.ts';
import { CIDR_GROUPS, CILIUM_CLUSTERWIDE_POLICIES, isServed } from './backend-resources.ts';
import { groupsInCluster, namesOf } from './group-scope.ts';
import type { GroupInCluster } from './group-scope.ts';
import { BACKEND_LABELS, objectName } from './object-names.ts';

interface CidrGroup extends KubeObject {
  readonly spec: { readonly externalCIDRs: readonly string[] };
}

interface ClusterwidePolicy extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A change of one CIDR sends one group of this size, some 40 KB. */
const GROUP_CIDRS = 2000;
/**
 * Where groups are of v2alpha1 only (1.16, 1.17) each CIDR may take an entry in the policy map of
 * every pod, which has 16,384 of them by default; when it overflows, what was allowed is cut off too.
 * Half is left alone.
 */
const V2ALPHA1_CIDRS = 8000;
/**
 * In every group, since a rule whose group is empty was once read as a rule for all addresses
 * (cilium/cilium#25122). First addresses of documentation ranges (RFC 5737, RFC 3849): no host has
 * them, so denying them denies nothing.
 */
const PLACEHOLDERS = { IPv4: '192.0.2.0/32', IPv6: '2001:db8::/128' } as const;

/**
 * For each group of blocks one CiliumClusterwideNetworkPolicy that denies what is in its
 * CiliumCIDRGroups. A deny wins over every allow of Cilium's own kinds and of NetworkPolicies.
 */
export function compileCilium(groups: readonly BlockGroup[], o: BackendOptions): BackendObjects {
  const resource = CIDR_GROUPS.find((one) => isServed(o.served ?? [], one)) ?? CIDR_GROUPS[0];
  const isOld = resource.version === 'v2alpha1';
  const room = { Ingress: V2ALPHA1_CIDRS, Egress: V2ALPHA1_CIDRS };
  const { inCluster, gaps: groupGaps } = groupsInCluster(groups, o);
  const gaps: NetworkGap[] = [...groupGaps];
  const cidrGroups: CidrGroup[] = [];
  const policies: ClusterwidePolicy[] = [];
  for (const one of inCluster) {
    const { direction, key } = one.group;
    const all = shardsOf(one.addresses, GROUP_CIDRS);
    const shards = isOld ? whileRoom(all, room[direction]) : all;
    if (isOld) room[direction] -= countOf(shards);
    if (shards.length < all.length) gaps.push(tooManyGap(one.group, countOf(all), countOf(shards)));
    if (shards.length === 0) continue;
    const names = shards.map(({ name }) => objectName(key, name));
    cidrGroups.push(
      ...shards.map((shard) => cidrGroup(resource, objectName(key, shard.name), shard, o.facts)),
    );
    policies.push(clusterwidePolicy(one, names));
  }
  return { objects: [...cidrGroups, ...policies], gaps };
}

function cidrGroup(
  resource: Resource,
  name: string,
  shard: Shard,
  { families }: ClusterFacts,
): CidrGroup {
  const placeholder = PLACEHOLDERS[families.includes('IPv4') ? 'IPv4' : 'IPv6'];
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, labels: BACKEND_LABELS },
    spec: { externalCIDRs: [placeholder, ...shard.set.cidrs().filter((c) => c !== placeholder)] },
  };
}

function clusterwidePolicy(
  { group, namespaces }: GroupInCluster,
  cidrGroups: readonly string[],
): ClusterwidePolicy {
  const sets = cidrGroups.map((cidrGroupRef) => ({ cidrGroupRef }));
  return {
    apiVersion: apiVersionOf(CILIUM_CLUSTERWIDE_POLICIES),
    kind: CILIUM_CLUSTERWIDE_POLICIES.kind,
    metadata: { name: objectName(group.key), labels: BACKEND_LABELS },
    spec: {
      endpointSelector: {
        matchLabels: { [`k8s:io.cilium.k8s.namespace.labels.${LABELS.guarded}`]: 'true' },
        ...(namespaces === '*'
          ? {}
          : {
              matchExpressions: [
                { key: 'k8s:io.kubernetes.pod.namespace', operator: 'In', values: namespaces },
              ],
            }),
      },
      // A deny rule alone would cut the pods off from everything that no other policy allows.
      enableDefaultDeny: { ingress: false, egress: false },
      ...(group.direction === 'Ingress'
        ? { ingressDeny: [{ fromCIDRSet: sets }] }
        : { egressDeny: [{ toCIDRSet: sets }] }),
    },
  };
}

function whileRoom(shards: readonly Shard[], room: number): readonly Shard[] {
  let left = room;
  return shards.filter((shard) => {
    const count = countOf([shard]);
    if (count > left) return false;
    left -= count;
    return true;
  });
}

function countOf(shards: readonly Shard[]): number {
  return shards.reduce((sum, { set }) => sum + set.cidrs().length, 0);
}

function tooManyGap({ direction, blocks }: BlockGroup, all: number, written: number): NetworkGap {
  return {
    type: 'BackendFull',
    direction,
    message: `Cilium before 1.18 has room for about ${V2ALPHA1_CIDRS} denied CIDRs a direction beside its other rules, so ${all - written} of the ${all} CIDRs of ${namesOf(blocks)} are not written; update Cilium, or shorten the lists`,
  };
}
