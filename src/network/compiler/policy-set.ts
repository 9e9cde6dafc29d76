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
import { weightOf } from './layout.ts';
import type { LayoutCache, LaidOutPart, Side } from './layout.ts';
import { OUR_POLICY_LABELS, policyName } from './our-policy.ts';
import { CHARACTERS_A_WEIGHT, leastWeightOf } from './parts.ts';
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

export function policiesOf(
  set: PolicySet,
  layouts: LayoutCache,
  most: number,
): readonly NetworkPolicy[] {
  return wingsOf(set.sides, most).flatMap((wing) => {
    const [base, ...parts] = layouts.of(wing.of);
    if (base === undefined) throw new TypeError(`${set.name} has no base`);
    const buckets = bucketsOfPods(wing.of, most);
    const inBase = buckets.find(({ name }) => name === '');
    const shares: readonly Share[] = [
      { ...base, pods: inBase?.of },
      ...parts,
      ...buckets
        .filter((bucket) => bucket !== inBase)
        .map(({ name, of }) => ({ name: `pods-${name}`, pods: of })),
    ];
    const prefix = wing.name === '' ? [] : [`rules-${wing.name}`];
    const ofWing = { ...set, sides: wing.of };
    const signature = signatureOf(ofWing);
    return shares.map((share) => {
      const part = [...prefix, ...listOf(share.name)].join('-');
      const make = (): NetworkPolicy => policyOf(ofWing, share, part);
      if (share.source === undefined) return make();
      return kept(
        share.source,
        `${set.namespace}/${set.name}/${part}`,
        `${share.about} ${signature}`,
        make,
      );
    });
  });
}

/** All that a policy says apart from its part. */
function signatureOf({ podSelector, accessPolicies, everywhere, sides }: PolicySet): string {
  return JSON.stringify([
    podSelector,
    accessPolicies,
    everywhere,
    sides.map(({ direction, rules, holes }) => [
      direction,
      holes.names,
      rules.map(({ ports, allowed }) => [ports ?? null, allowed.isEmpty]),
    ]),
  ]);
}

interface Made {
  readonly signature: string;
  readonly policy: NetworkPolicy;
}
const madeOfPart = new WeakMap<object, Map<string, Made>>();

/** Most parts stay when a few addresses change, in every namespace. */
function kept(
  part: object,
  key: string,
  signature: string,
  make: () => NetworkPolicy,
): NetworkPolicy {
  const all = madeOfPart.get(part) ?? new Map<string, Made>();
  const before = all.get(key);
  if (before?.signature === signature) return before.policy;
  const policy = make();
  madeOfPart.set(part, all.set(key, { signature, policy }));
  return policy;
}

/** What one policy has of each rule of each side. */
interface Share extends Partial<LaidOutPart> {
  readonly pods?: PodsOfRules | undefined;
}

type PodsOfRules = readonly (readonly (readonly GrantedPods[])[])[];

function policyOf(set: PolicySet, share: Share, part: string): NetworkPolicy {
  const { sides, namespace } = set;
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
      name: policyName(set.name, part),
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
 * Rules with so many ports that little room would be left for addresses, over several sets of parts:
 * by a hash of what they are about, so that one more does not move the others.
 */
function wingsOf(sides: readonly Side[], most: number): readonly Bucket<readonly Side[]>[] {
  const weightsIn = (wing: readonly Side[]) =>
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
function bucketsOfPods(sides: readonly Side[], most: number): readonly Bucket<PodsOfRules>[] {
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
