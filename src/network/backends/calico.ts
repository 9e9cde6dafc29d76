/**
 * IPBlocks as Deny rules of Calico, in a tier of their own:
 * https://docs.tigera.io/calico/latest/network-policy/policy-tiers/tiered-policy.
 */
import { LABELS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { shardsOf } from '../cidr/shards.ts';
import type { BackendObjects, BackendOptions } from './backend.ts';
import { CALICO_APIS, isServed } from './backend-resources.ts';
import type { CalicoResources } from './backend-resources.ts';
import { groupsInCluster } from './group-scope.ts';
import type { GroupInCluster } from './group-scope.ts';
import { BACKEND_LABELS, objectName } from './object-names.ts';

interface CalicoObject extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

/** A change of one CIDR sends one set of this size, some 40 KB. */
const SET_CIDRS = 2000;
const TIER = 'strongroom';
/**
 * Before the tiers of ClusterNetworkPolicies (1,000) and of all other policies (1,000,000), so that
 * nothing of theirs allows first; room is left for tiers that a cluster's owner wants before ours.
 */
const TIER_ORDER = 100;
/** Calico takes selectors of 1,024 characters. */
const LONGEST_SELECTOR = 1024;

/**
 * A tier that passes on what it does not deny, and in it for each group of blocks
 * GlobalNetworkPolicies that deny what is in its GlobalNetworkSets. There is no tier without a
 * policy in it.
 */
export function compileCalico(groups: readonly BlockGroup[], o: BackendOptions): BackendObjects {
  const api = CALICO_APIS.find(({ tiers }) => isServed(o.served ?? [], tiers)) ?? CALICO_APIS[0];
  const { inCluster, gaps } = groupsInCluster(groups, o);
  const sets = inCluster.flatMap((one) => networkSets(api, one));
  const policies = inCluster.flatMap((one) => globalPolicies(api, one));
  return { objects: policies.length === 0 ? [] : [tier(api), ...sets, ...policies], gaps };
}

function tier({ tiers }: CalicoResources): CalicoObject {
  // Without Pass the tier would end every connection of a selected pod that it does not speak of.
  return object(tiers, TIER, BACKEND_LABELS, { order: TIER_ORDER, defaultAction: 'Pass' });
}

function networkSets(
  api: CalicoResources,
  { group, addresses }: GroupInCluster,
): readonly CalicoObject[] {
  const labels = { ...BACKEND_LABELS, [LABELS.addressGroup]: objectName(group.key) };
  return shardsOf(addresses, SET_CIDRS).map(({ name, set }) =>
    object(api.sets, objectName(group.key, name), labels, { nets: set.cidrs() }),
  );
}

function globalPolicies(
  api: CalicoResources,
  { group, namespaces }: GroupInCluster,
): readonly CalicoObject[] {
  const { direction, key } = group;
  const addresses = {
    // Only sets of the whole cluster: who may label pods must not be able to join a group.
    namespaceSelector: 'global()',
    selector: `${LABELS.addressGroup} == '${objectName(key)}'`,
  };
  const rules = [
    direction === 'Ingress'
      ? { action: 'Deny', source: addresses }
      : { action: 'Deny', destination: addresses },
    // Also where the tier's defaultAction is Deny, since somebody changed it.
    { action: 'Pass' },
  ];
  return namespaceSelectors(namespaces).map((namespaceSelector, index) =>
    // Until 3.31 the name of a policy must begin with its tier.
    object(api.policies, `${TIER}.${objectName(key, `n${index}`)}`, BACKEND_LABELS, {
      tier: TIER,
      order: TIER_ORDER,
      namespaceSelector,
      types: [direction],
      ...(direction === 'Ingress' ? { ingress: rules } : { egress: rules }),
    }),
  );
}

/** Of guarded namespaces, as few as their length allows. */
function namespaceSelectors(namespaces: '*' | readonly string[]): readonly string[] {
  const guarded = `${LABELS.guarded} == 'true'`;
  if (namespaces === '*') return [guarded];
  const selectors: string[][] = [];
  const selectorOf = (names: readonly string[]): string =>
    `${guarded} && kubernetes.io/metadata.name in {${names.map((name) => `'${name}'`).join(', ')}}`;
  for (const name of namespaces) {
    const last = selectors.at(-1);
    if (last !== undefined && selectorOf([...last, name]).length <= LONGEST_SELECTOR) {
      last.push(name);
    } else selectors.push([name]);
  }
  return selectors.map(selectorOf);
}

function object(
  resource: Resource,
  name: string,
  labels: Readonly<Record<string, string>>,
  spec: Readonly<Record<string, unknown>>,
): CalicoObject {
  return {
    apiVersion: apiVersionOf(resource),
    kind: resource.kind,
    metadata: { name, labels },
    spec,
  };
}
