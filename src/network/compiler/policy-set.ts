/** NetworkPolicies that select the same pods and together say one thing. */
import { createHash } from 'node:crypto';
import { ANNOTATIONS } from '#api/names.ts';
import type {
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '#kube/objects.ts';
import type { Direction } from '../cluster-facts.ts';
import { byText } from './conjunction.ts';
import type { GrantedPods } from './grant.ts';
import type { LayoutCache, LaidOutPart, Side } from './layout.ts';
import { OUR_POLICY_LABELS, policyName } from './our-policy.ts';
import { CHARACTERS_A_WEIGHT, MOST_WEIGHT } from './parts.ts';
import { NAMED, reasonFor } from './reason-for.ts';
import { podPeersOf, sortedLabels } from './rules.ts';
import type { Rule } from './rules.ts';

export interface PolicySet {
  readonly name: string;
  readonly namespace: string;
  readonly podSelector: LabelSelector;
  /** Their names, sorted. */
  readonly accessPolicies: readonly string[];
  /** Isolated in these directions. */
  readonly sides: readonly Side[];
  /** In every rule of every policy. Those of the base alone would leave pods cut off for a moment. */
  readonly everywhere: readonly NetworkPolicyPeer[];
}

export function policiesOf(set: PolicySet, layouts: LayoutCache): readonly NetworkPolicy[] {
  const [base, ...parts] = layouts.of(set.sides);
  if (base === undefined) throw new TypeError(`${set.name} has no base`);
  const buckets = bucketsOfPods(set.sides);
  const [inBase, ...others] = buckets.length === 1 ? buckets : [undefined, ...buckets];
  return [
    policyOf(set, { ...base, pods: inBase }),
    ...parts.map((part) => policyOf(set, part)),
    ...others.map((pods, index) => policyOf(set, { name: `pods-${index}-${others.length}`, pods })),
  ];
}

/** What one policy has of each rule of each side. */
interface Share extends Partial<LaidOutPart> {
  readonly pods?: PodsOfRules | undefined;
}

type PodsOfRules = readonly (readonly (readonly GrantedPods[])[])[];

function policyOf(set: PolicySet, share: Share): NetworkPolicy {
  const { sides, namespace } = set;
  let channel = 0;
  const rules = sides.map((side, at) => ({
    direction: side.direction,
    rules: side.rules.flatMap((rule, index) => {
      const addresses = share.peers?.[channel] ?? [];
      channel += 1;
      const pods = podPeersOf(share.pods?.[at]?.[index] ?? []);
      const peers = [...addresses, ...pods, ...set.everywhere];
      return peers.length === 0 ? [] : [{ peers, ...portsOf(rule) }];
    }),
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: policyName(set.name, share.name),
      namespace,
      labels: OUR_POLICY_LABELS,
      annotations: {
        [ANNOTATIONS.reasonFor]: reasonFor({
          accessPolicies: set.accessPolicies,
          ipBlocks: blockNamesOf(sides, share),
        }),
      },
    },
    spec: {
      podSelector: set.podSelector,
      policyTypes: sides.map(({ direction }) => direction),
      ...ingressOf(rules),
      ...egressOf(rules),
    },
  };
}

type DirectedRules = readonly {
  readonly direction: Direction;
  readonly rules: readonly {
    readonly peers: readonly NetworkPolicyPeer[];
    readonly ports?: readonly NetworkPolicyPort[];
  }[];
}[];

/** Left out when it is empty, as the API server does. */
function ingressOf(all: DirectedRules): Pick<NonNullable<NetworkPolicy['spec']>, 'ingress'> {
  const rules = all.find(({ direction }) => direction === 'Ingress')?.rules ?? [];
  if (rules.length === 0) return {};
  return { ingress: rules.map(({ peers, ...ports }) => ({ from: peers, ...ports })) };
}

function egressOf(all: DirectedRules): Pick<NonNullable<NetworkPolicy['spec']>, 'egress'> {
  const rules = all.find(({ direction }) => direction === 'Egress')?.rules ?? [];
  if (rules.length === 0) return {};
  return { egress: rules.map(({ peers, ...ports }) => ({ to: peers, ...ports })) };
}

function portsOf({ ports }: Rule): { readonly ports?: readonly NetworkPolicyPort[] } {
  return ports === undefined ? {} : { ports };
}

function blockNamesOf(sides: readonly Side[], { blocks = [] }: Share): readonly string[] {
  const names = sides.flatMap(({ holes }, at) =>
    (blocks[at] ?? []).map((index) => holes.blocks[index]?.name ?? ''),
  );
  return [...new Set(names)].sort(byText).slice(0, NAMED + 1);
}

/**
 * The pods of all rules: in one bucket, which goes with the base, as long as that stays small enough;
 * else in as many as it takes, by a hash, so that one more does not move the others.
 */
function bucketsOfPods(sides: readonly Side[]): readonly PodsOfRules[] {
  const pods = sides.map(({ rules }) => rules.map((rule) => rule.pods));
  let buckets: readonly PodsOfRules[] = [pods];
  while (buckets.some(isTooLarge)) {
    const count = buckets.length * 2;
    if (count > MOST_BUCKETS) break;
    buckets = Array.from({ length: count }, (_, bucket) =>
      pods.map((rules) => rules.map((all) => all.filter((one) => hashOf(one) % count === bucket))),
    );
  }
  return buckets;
}

const MOST_BUCKETS = 256;

function isTooLarge(pods: PodsOfRules): boolean {
  return JSON.stringify(pods).length > (MOST_WEIGHT * CHARACTERS_A_WEIGHT) / 2;
}

function hashOf({ namespace, podLabels }: GrantedPods): number {
  const text = JSON.stringify([namespace, sortedLabels(podLabels)]);
  return createHash('sha256').update(text).digest().readUInt32BE(0);
}
