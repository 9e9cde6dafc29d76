import type { NetworkPolicy } from '#kube/objects.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { ClusterFacts, Direction, Family, NetworkPod } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { Evaluator } from './evaluator.ts';
import { mergedGaps } from './merged-gaps.ts';
import type { PodGap } from './merged-gaps.ts';
import type { Openness } from './openness.ts';

export interface BlockJudgement {
  /**
   * `Enforced`: no pod can exchange a packet with any address of the block in any of its
   * directions; so too where there are no pods, or no addresses of a family that the cluster has.
   * `Ineffective`: no pod is cut off from any address. `PartiallyEnforced`: what lies between, and
   * what nobody can tell.
   */
  readonly state: 'Enforced' | 'PartiallyEnforced' | 'Ineffective';
  /** In a settled order. One for each policy, namespace and direction at fault: these can be many. */
  readonly gaps: readonly NetworkGap[];
  readonly podsInScope: number;
  /** Those that are cut off from the whole block in all its directions. */
  readonly podsCut: number;
}

export interface JudgedWorld {
  readonly evaluator: Evaluator;
  /** Those in the block's scope. */
  readonly pods: readonly NetworkPod[];
  readonly facts: ClusterFacts;
  readonly isOurs: (policy: NetworkPolicy) => boolean;
}

/** How much of the block a pod is cut off from in one direction, and what lets the rest through. */
interface PodCut {
  readonly cut: 'All' | 'Some' | 'None';
  readonly gaps: readonly PodGap[];
}

/** A policy that lets some of the block through. */
interface Leak {
  readonly type: 'OwnPolicyBehind' | 'ForeignPolicyReopens' | 'IsolatedByOthers';
  readonly policy: NetworkPolicy;
  readonly leaked: AddressSet;
}

/** How far NetworkPolicies alone enforce a block on the pods of guarded namespaces. */
export function judgeBlock(block: ActiveBlock, world: JudgedWorld): BlockJudgement {
  const { pods, facts } = world;
  const { seen } = facts.policyEngine;
  const addresses = ofFamilies(facts.families, block.addresses);
  const directions: readonly Direction[] = [
    ...(block.ingress ? (['Ingress'] as const) : []),
    ...(block.egress ? (['Egress'] as const) : []),
  ];
  const general = absentFamilyGaps(block, facts);
  if (addresses.isEmpty || directions.length === 0) {
    return { state: 'Enforced', gaps: general, podsInScope: pods.length, podsCut: pods.length };
  }
  if (seen !== 'Yes') general.push(engineGap(facts));
  if (seen === 'No') {
    return { state: 'Ineffective', gaps: general, podsInScope: pods.length, podsCut: 0 };
  }
  const cutOf = createPodCut(block.addresses, addresses, world);
  const found = pods.map((pod) => directions.map((direction) => cutOf(pod, direction)));
  const podsCut = found.filter((cuts) => cuts.every(({ cut }) => cut === 'All')).length;
  const isNoneCut = found.flat().every(({ cut }) => cut === 'None');
  return {
    state:
      podsCut === pods.length && seen === 'Yes'
        ? 'Enforced'
        : isNoneCut && pods.length > 0
          ? 'Ineffective'
          : 'PartiallyEnforced',
    gaps: [...general, ...mergedGaps(found.flat().flatMap(({ gaps }) => gaps))],
    podsInScope: pods.length,
    podsCut,
  };
}

/** `written` is the whole block, which the evaluator knows again; `addresses` is what counts of it. */
function createPodCut(
  written: AddressSet,
  addresses: AddressSet,
  { evaluator, facts, isOurs }: JudgedWorld,
): (pod: NetworkPod, direction: Direction) => PodCut {
  const services = Map.groupBy(facts.rewritingServices, ({ namespace }) => namespace);
  const counting = (set: AddressSet): AddressSet => ofFamilies(facts.families, set);
  const isAll = new Map<AddressSet, boolean>();
  const known = new Map<Openness['byPolicy'], readonly Leak[]>();

  return (pod, direction) => {
    const gap = (type: PodGap['type'], message: () => string, policy?: NetworkPolicy): PodGap => ({
      type,
      namespace: pod.namespace,
      pod: pod.name,
      direction,
      ...(policy && { networkPolicy: policy.metadata.name }),
      message,
    });
    if (pod.hostNetwork) {
      return { cut: 'None', gaps: [gap('HostNetworkPod', hostNetworkMessage)] };
    }
    const { isolated, open, byPolicy, always } = evaluator.openWithin(pod, direction, written);
    const gaps: PodGap[] = [];
    const rewriting =
      direction === 'Ingress'
        ? (services.get(pod.namespace) ?? []).filter(({ selector }) => isSelected(selector, pod))
        : [];
    if (rewriting.length > 0) {
      gaps.push(gap('SourceAddressRewritten', () => rewritingMessage(rewriting)));
    }
    if (!isolated) gaps.push(gap('NotIsolated', () => notIsolatedMessage(direction)));
    for (const { type, policy, leaked } of leaksOf(byPolicy)) {
      gaps.push(gap(type, () => policyMessage(type, policy, direction, leaked), policy));
    }
    const uncut = always.isEmpty ? always : counting(always);
    if (!uncut.isEmpty) gaps.push(gap('AlwaysOpen', () => alwaysOpenMessage(uncut)));
    if (gaps.length === 0) return { cut: 'All', gaps };
    const isNone = rewriting.length > 0 || opensAll(uncut.isEmpty ? open : open.union(uncut));
    return { cut: isNone ? 'None' : 'Some', gaps };
  };

  function leaksOf(byPolicy: Openness['byPolicy']): readonly Leak[] {
    let leaks = known.get(byPolicy);
    if (leaks === undefined) {
      const isOursAmong = byPolicy.some(({ policy }) => isOurs(policy));
      const foreign = isOursAmong ? 'ForeignPolicyReopens' : 'IsolatedByOthers';
      leaks = byPolicy
        .map(({ policy, open }): Leak => ({
          type: isOurs(policy) ? 'OwnPolicyBehind' : foreign,
          policy,
          leaked: counting(open),
        }))
        .filter(({ leaked }) => !leaked.isEmpty);
      known.set(byPolicy, leaks);
    }
    return leaks;
  }

  /** Most pods share what is open to them. */
  function opensAll(open: AddressSet): boolean {
    let answer = isAll.get(open);
    if (answer === undefined) {
      answer = open.covers(addresses);
      isAll.set(open, answer);
    }
    return answer;
  }
}

/** The very same set where the cluster has both families. */
function ofFamilies(families: readonly Family[], set: AddressSet): AddressSet {
  const [only, other] = families;
  return only === undefined || other !== undefined ? set : set.ofFamily(only);
}

/** A Service without a selector has no pods of its own. */
function isSelected(selector: Readonly<Record<string, string>>, { labels }: NetworkPod): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([key, value]) => labels[key] === value);
}

function absentFamilyGaps(block: ActiveBlock, { families }: ClusterFacts): NetworkGap[] {
  return (['IPv4', 'IPv6'] as const)
    .filter((family) => !families.includes(family) && !block.addresses.ofFamily(family).isEmpty)
    .map((family) => ({
      type: 'FamilyAbsent' as const,
      message: `The cluster has no ${family}, so that the ${family} addresses of the block do nothing`,
    }));
}

function engineGap({ policyEngine: { seen } }: ClusterFacts): NetworkGap {
  return {
    type: 'NoPolicyEngine',
    message:
      seen === 'No'
        ? 'Nothing in the cluster enforces NetworkPolicies; install a network plugin that does, or run the node agent'
        : 'Whether anything in the cluster enforces NetworkPolicies cannot be seen from inside; try a pod, or run the node agent',
  };
}

function hostNetworkMessage(): string {
  return 'The pods have hostNetwork, and so the addresses of their nodes, which no NetworkPolicy covers; take hostNetwork away, or run the node agent';
}

function rewritingMessage(services: ClusterFacts['rewritingServices']): string {
  const names = services.map(({ name }) => name).toSorted();
  return `Clients from outside come in with the address of a node through ${names.length === 1 ? 'Service' : 'Services'} ${names.join(', ')}; set externalTrafficPolicy: Local there, or run the node agent`;
}

function notIsolatedMessage(direction: Direction): string {
  return `No NetworkPolicy isolates the pods for ${direction.toLowerCase()}, so that everything is open; where this lasts, another gap of the namespace says what keeps Strongroom from isolating them`;
}

function policyMessage(
  type: Leak['type'],
  { metadata: { name } }: NetworkPolicy,
  direction: Direction,
  leaked: AddressSet,
): string {
  const allows = `allows ${direction === 'Ingress' ? 'ingress from' : 'egress to'} ${examplesOf(leaked)}`;
  switch (type) {
    case 'OwnPolicyBehind':
      return `NetworkPolicy ${name} of Strongroom still ${allows}; it is being brought up to date`;
    case 'ForeignPolicyReopens':
      return `NetworkPolicy ${name} ${allows}, and what one policy allows no other can deny; narrow it with \`except\`, delete it, or run the node agent`;
    case 'IsolatedByOthers':
      return `NetworkPolicy ${name} ${allows}, and no policy of Strongroom isolates the pods; narrow it with \`except\`, or run the node agent`;
  }
}

function alwaysOpenMessage(addresses: AddressSet): string {
  return `The pods themselves or their nodes have ${examplesOf(addresses)}, from which no NetworkPolicy cuts a pod off; take these out of the block`;
}

const MAX_EXAMPLES = 3;

function examplesOf(addresses: AddressSet): string {
  const cidrs = addresses.cidrs();
  const rest = cidrs.length - MAX_EXAMPLES;
  return `${cidrs.slice(0, MAX_EXAMPLES).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}
