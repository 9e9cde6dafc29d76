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
import type { GrantedPods } from './grant.ts';
import type { DirectedHoles } from './holes.ts';
import { firstOf, peersOfRules, weightOf } from './layout.ts';
import type { Changed, LaidOutPart, Layout, LayoutCache, RulesOfSide } from './layout.ts';
import { OUR_POLICY_LABELS, policyName } from './our-policy.ts';
import { CHARACTERS_A_WEIGHT, leastWeightOf } from './parts.ts';
import { reasonFor } from './reason-for.ts';
import { podPeersOf, sortedLabels } from './rules.ts';
import type { Rule } from './rules.ts';

export interface PolicySet {
  readonly name: string;
  readonly namespace: string;
  readonly podSelector: LabelSelector;
  /** Their names, sorted. */
  readonly accessPolicies: readonly string[];
  /** Isolated in these directions. */
  readonly sides: readonly RulesOfSide[];
  /** In every rule of every policy. Those of the base alone would leave pods cut off for a moment. */
  readonly everywhere: readonly NetworkPolicyPeer[];
}

/**
 * The policies of a set. Those of parts that are the same as in the last call are the same objects.
 *
 * @param changed what is different in the holes since then
 */
export type PolicyWriter = (holes: DirectedHoles, changed?: Changed) => readonly NetworkPolicy[];

export function policyWriter(set: PolicySet, layouts: LayoutCache, most: number): PolicyWriter {
  const wings = wingsOf(set, most).map((wing) => wingWriter(set, wing, layouts));
  return (holes, changed) => wings.flatMap((write) => write(holes, changed));
}

function wingWriter(set: PolicySet, wing: Wing, layouts: LayoutCache): PolicyWriter {
  const ofPods = wing.otherPods.map(({ name, of }) =>
    policyOf(set, wing, { name: `pods-${name}`, pods: of }),
  );
  let last: Written | undefined;
  return (holes, changed) => {
    const sides = wing.sides.map((side) => ({ ...side, holes: holes[side.direction] }));
    const layout = layouts.of(sides, last?.layout, changed);
    if (last?.layout !== layout) last = write(layout, last);
    return [last.base, ...last.parts.values(), ...ofPods];
  };

  function write(layout: Layout, before: Written | undefined): Written {
    const { isHeavy, heavy, light } = layout;
    const [base, ...parts] = heavy;
    const isSameBase = before?.layout.light === light && before.layout.heavy[0] === base;
    return {
      layout,
      base: isSameBase ? before.base : baseOf(layout),
      // A part is of the same rules as before: those with the same addresses weigh the same.
      parts: new Map(
        parts.map((part) => [
          part,
          before?.parts.get(part) ??
            policyOf(set, wing, { ...part, peers: peersOfRules(wing.sides, isHeavy, part) }),
        ]),
      ),
    };
  }

  function baseOf({ isHeavy, heavy: [base], light }: Layout): NetworkPolicy {
    return policyOf(set, wing, {
      peers: peersOfRules(wing.sides, isHeavy, base, light),
      blocks: firstOf([...(base?.blocks ?? []), ...light.blocks]),
      pods: wing.podsOfBase,
    });
  }
}

interface Written {
  readonly layout: Layout;
  readonly base: NetworkPolicy;
  readonly parts: ReadonlyMap<LaidOutPart, NetworkPolicy>;
}

/** What one policy has of each rule of each side. */
interface Share extends Partial<LaidOutPart> {
  readonly pods?: PodsOfRules | undefined;
}

type PodsOfRules = readonly (readonly (readonly GrantedPods[])[])[];

function policyOf(set: PolicySet, { sides, prefix }: Wing, share: Share): NetworkPolicy {
  const rules = sides.map((side, at) => ({
    direction: side.direction,
    rules: side.rules.flatMap((rule, index) => {
      const addresses = share.peers?.[at]?.[index] ?? [];
      const pods = podPeersOf(share.pods?.[at]?.[index] ?? []);
      const peers = [...addresses, ...pods, ...set.everywhere];
      return peers.length === 0 ? [] : [{ peers, ...portsOf(rule) }];
    }),
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: {
      name: policyName(set.name, [...prefix, ...listOf(share.name)].join('-')),
      namespace: set.namespace,
      labels: OUR_POLICY_LABELS,
      annotations: {
        [ANNOTATIONS.reasonFor]: reasonFor({
          accessPolicies: set.accessPolicies,
          ipBlocks: share.blocks ?? [],
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

/** Rules of a set that share parts, whatever is blocked. */
interface Wing {
  /** What the names of its policies begin with. */
  readonly prefix: readonly string[];
  readonly sides: readonly RulesOfSide[];
  readonly podsOfBase: PodsOfRules | undefined;
  readonly otherPods: readonly Bucket<PodsOfRules>[];
}

function wingsOf({ sides }: PolicySet, most: number): readonly Wing[] {
  return bucketsOfRules(sides, most).map(({ name, of }) => {
    const pods = bucketsOfPods(of, most);
    const inBase = pods.find((bucket) => bucket.name === '');
    return {
      prefix: name === '' ? [] : [`rules-${name}`],
      sides: of,
      podsOfBase: inBase?.of,
      otherPods: pods.filter((bucket) => bucket !== inBase),
    };
  });
}

/**
 * Rules with so many ports that little room would be left for addresses, over several sets of parts:
 * by a hash of what they are about, so that one more does not move the others.
 */
function bucketsOfRules(
  sides: readonly RulesOfSide[],
  most: number,
): readonly Bucket<readonly RulesOfSide[]>[] {
  const weightsIn = (wing: readonly RulesOfSide[]) =>
    wing.flatMap(({ rules }) => rules.map((rule) => ({ weight: weightOf(rule) })));
  return inBuckets(sides, {
    count: (wing) => weightsIn(wing).length,
    isTooLarge: (wing) => leastWeightOf(weightsIn(wing)) > most / 4,
    only: (isIn) =>
      sides.map((side) => ({
        ...side,
        rules: side.rules.filter(({ ports }) => isIn(JSON.stringify(ports ?? null))),
      })),
  });
}

/** The pods of all rules: in one bucket, which goes with the base, as long as that stays small. */
function bucketsOfPods(
  sides: readonly RulesOfSide[],
  most: number,
): readonly Bucket<PodsOfRules>[] {
  const all = sides.map(({ rules }) => rules.map(({ pods }) => pods));
  return inBuckets<PodsOfRules>(all, {
    count: (pods) => pods.flat(2).length,
    isTooLarge: (pods) => JSON.stringify(pods).length > (most * CHARACTERS_A_WEIGHT) / 2,
    only: (isIn) =>
      all.map((rules) =>
        rules.map((pods) =>
          pods.filter(({ namespace, podLabels }) =>
            isIn(JSON.stringify([namespace, sortedLabels(podLabels)])),
          ),
        ),
      ),
  });
}

interface Bucket<T> {
  /** Empty for the only one. */
  readonly name: string;
  readonly of: T;
}

const MOST_BUCKETS = 256;

/** Twice as many until none is too large that could be divided; without those that are empty. */
function inBuckets<T>(
  all: T,
  o: {
    readonly count: (one: T) => number;
    readonly isTooLarge: (one: T) => boolean;
    readonly only: (isIn: (key: string) => boolean) => T;
  },
): readonly Bucket<T>[] {
  let buckets: readonly Bucket<T>[] = [{ name: '', of: all }];
  let count = 1;
  while (count < MOST_BUCKETS && buckets.some(({ of }) => o.count(of) > 1 && o.isTooLarge(of))) {
    count *= 2;
    const divisor = count;
    buckets = Array.from({ length: divisor }, (_, index) => ({
      name: `${index}-${divisor}`,
      of: o.only((key) => hashOf(key) % divisor === index),
    })).filter(({ of }) => o.count(of) > 0);
  }
  return buckets;
}

function hashOf(key: string): number {
  return createHash('sha256').update(key).digest().readUInt32BE(0);
}

function listOf<T>(value: T | undefined): readonly T[] {
  return value === undefined ? [] : [value];
}
