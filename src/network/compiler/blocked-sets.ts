/** What blocks do to pods that nothing else isolates. */
import type { NetworkPolicy } from '#kube/objects.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { ClusterFacts, Direction, Family, NetworkPod } from '../cluster-facts.ts';
import { WHOLE_IPV4, WHOLE_IPV6 } from '../cidr/special-ranges.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { Account } from './accounts.ts';
import { besideAll } from './beside.ts';
import { byText, conjunctionOf, matches, selectorOf } from './conjunction.ts';
import type { Conjunction } from './conjunction.ts';
import { isolatedByOthers, podsBesideTooMany } from './gaps.ts';
import type { PolicySet } from './policy-set.ts';
import { ofFamilies } from './rules.ts';

export interface BlockedInput {
  readonly namespace: string;
  readonly pods: readonly NetworkPod[];
  readonly foreign: readonly NetworkPolicy[];
  readonly accounts: readonly Account[];
  /** In which something is blocked. */
  readonly directions: readonly Direction[];
  readonly facts: ClusterFacts;
}

/**
 * Policies that open everything but the blocked addresses. They select only pods that no other policy
 * isolates in that direction, whatever pods may come: to all others they would open more.
 */
export function blockedSets(input: BlockedInput): {
  readonly sets: readonly PolicySet[];
  readonly gaps: readonly NetworkGap[];
} {
  const { namespace, facts } = input;
  const everything = everythingOf(facts.families);
  const found = input.directions.map((direction) => ({
    direction,
    ...unisolated(input, direction),
  }));
  const bySelector = Map.groupBy(
    found.flatMap(({ direction, selectors }) =>
      selectors.map((selector) => ({ direction, selector: selectorOf(selector) })),
    ),
    ({ selector }) => JSON.stringify(selector),
  );
  const counts = new Map<string, number>();
  const sets = [...bySelector]
    .sort(([one], [other]) => byText(one, other))
    .map(([, same]): PolicySet => {
      const [first] = same;
      // Numbers, not what they select: a policy that selects one pod more stays the same object.
      const kind = same.length > 1 ? 'block' : `block-${first?.direction.toLowerCase()}`;
      const index = counts.get(kind) ?? 0;
      counts.set(kind, index + 1);
      return {
        name: `${kind}-${index}`,
        namespace,
        podSelector: first?.selector ?? {},
        accessPolicies: [],
        sides: same.map(({ direction }) => ({
          direction,
          rules: [{ allowed: everything, pods: [] }],
        })),
        // Engines need not take the address of a pod for one that an `ipBlock` is about.
        everywhere: [{ namespaceSelector: {} }],
      };
    });
  return { sets, gaps: found.flatMap(({ gaps }) => gaps) };
}

const EVERYTHING = WHOLE_IPV4.union(WHOLE_IPV6);

/** What is open to a pod that nothing isolates. */
export function everythingOf(families: readonly Family[]): AddressSet {
  return ofFamilies(EVERYTHING, families);
}

function unisolated(
  { namespace, pods, foreign, accounts }: BlockedInput,
  direction: Direction,
): { readonly selectors: readonly Conjunction[]; readonly gaps: readonly NetworkGap[] } {
  const theirs = foreign
    .filter((policy) => isolates(policy, direction))
    .map((policy) => ({
      name: policy.metadata.name,
      selector: conjunctionOf(policy.spec?.podSelector),
    }))
    .sort((one, other) => byText(one.name, other.name));
  const ours = accounts
    .filter(({ rules }) => rules[direction] !== undefined)
    .map(({ labels }) => conjunctionOf({ matchLabels: labels }));
  const others = [...ours, ...theirs.map(({ selector }) => selector)].filter(isDefined);
  const covered = pods.filter(({ hostNetwork }) => !hostNetwork);
  const free = covered.filter((pod) => !others.some((one) => matches(one, pod.labels)));
  const beside = besideAll(
    others,
    free.map(({ labels }) => labels),
  );
  const missed = new Set(beside.missed);
  const left = free.filter(({ labels }) => missed.has(labels));
  const ungranted = covered.filter(
    ({ labels }) => !ours.filter(isDefined).some((one) => matches(one, labels)),
  );
  return {
    selectors: beside.selectors,
    gaps: [
      ...theirs.flatMap(({ name, selector }) => {
        const isolated = ungranted.filter(
          ({ labels }) => selector !== undefined && matches(selector, labels),
        );
        return isolated.length === 0
          ? []
          : [isolatedByOthers(direction, namespace, name, isolated)];
      }),
      ...(left.length === 0 ? [] : [podsBesideTooMany(direction, namespace, left)]),
    ],
  };
}

/** As the API server fills in `policyTypes`: ingress always, egress where there are rules for it. */
function isolates({ spec }: NetworkPolicy, direction: Direction): boolean {
  const types = spec?.policyTypes ?? [];
  if (types.length > 0) return types.includes(direction);
  return direction === 'Ingress' || (spec?.egress?.length ?? 0) > 0;
}

function isDefined<T>(value: T | undefined): value is T {
  return value !== undefined;
}
