import type { NetworkPolicy } from '#kube/objects.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction, NetworkNamespace, NetworkPod } from '../cluster-facts.ts';
import { matchesSelector } from './label-selector.ts';
import { rulesOf } from './policy-rules.ts';
import type { Peer, PolicyRules } from './policy-rules.ts';
import { spellingOf, writtenAddresses } from './written-addresses.ts';

/** All NetworkPolicies of the cluster, ours and others', and what their selectors go by. */
export interface NetworkWorld {
  readonly policies: readonly NetworkPolicy[];
  /** Without those that have ended: their addresses may be others' by now. */
  readonly pods: readonly NetworkPod[];
  readonly namespaces: readonly NetworkNamespace[];
}

export type PodPeer = Exclude<Peer, { readonly ipBlock: unknown }>;

export type PodsByNamespace = ReadonlyMap<string, readonly NetworkPod[]>;

export interface WorldIndex {
  /** The pod that NetworkPolicies know by this address, given in its one spelling. */
  podAt(spelling: string): NetworkPod | undefined;
  /** The policies that isolate the pod in the direction, in the order of the world. */
  isolating(pod: NetworkPod, direction: Direction): readonly PolicyRules[];
  isPeer(peer: PodPeer, policyNamespace: string, pod: NetworkPod): boolean;
  /** The pods that NetworkPolicies know and that have an address among these. */
  podsWithin(addresses: AddressSet): PodsByNamespace;
  podsOfPeer(peer: PodPeer, policyNamespace: string, among: PodsByNamespace): readonly NetworkPod[];
}

export function indexWorld({ policies, pods, namespaces }: NetworkWorld): WorldIndex {
  const labels = new Map(namespaces.map((namespace) => [namespace.name, namespace.labels]));
  const byNamespace = Map.groupBy(policies.map(rulesOf), ({ namespace }) => namespace);
  const indexes = new Map<string, (pod: NetworkPod) => readonly PolicyRules[]>();
  const ofPod = new WeakMap<NetworkPod, readonly PolicyRules[]>();
  // Those with hostNetwork are known by the address of their node alone.
  const covered = pods.filter(({ hostNetwork }) => !hostNetwork);
  let allAddresses: AddressSet | undefined;
  let byAddress: ReadonlyMap<string, NetworkPod> | undefined;

  return {
    podAt(spelling) {
      byAddress ??= new Map(
        covered.flatMap((pod) => pod.addresses.map((own) => [spellingOf(own), pod] as const)),
      );
      return byAddress.get(spelling);
    },

    isolating: (pod, direction) =>
      policiesOf(pod).filter(({ rules }) => rules[direction] !== undefined),

    isPeer: (peer, policyNamespace, pod) =>
      isPeerNamespace(peer, policyNamespace, pod.namespace) && isPeerPod(peer, pod),

    podsWithin(addresses) {
      allAddresses ??= writtenAddresses(covered.flatMap((pod) => pod.addresses));
      if (!allAddresses.intersects(addresses)) return new Map();
      const isWithin = (address: string): boolean => addresses.contains(address);
      return Map.groupBy(
        covered.filter((pod) => pod.addresses.some(isWithin)),
        ({ namespace }) => namespace,
      );
    },

    podsOfPeer: (peer, policyNamespace, among) =>
      [...among].flatMap(([namespace, pods]) =>
        isPeerNamespace(peer, policyNamespace, namespace)
          ? pods.filter((pod) => isPeerPod(peer, pod))
          : [],
      ),
  };

  function isPeerNamespace(
    { namespaces: wanted }: PodPeer,
    policyNamespace: string,
    name: string,
  ): boolean {
    if (wanted === undefined) return name === policyNamespace;
    return matchesSelector(wanted, labels.get(name) ?? ownLabels(name));
  }

  function policiesOf(pod: NetworkPod): readonly PolicyRules[] {
    if (pod.hostNetwork) return [];
    let found = ofPod.get(pod);
    if (found === undefined) {
      let indexed = indexes.get(pod.namespace);
      if (indexed === undefined) {
        indexed = indexPolicies(byNamespace.get(pod.namespace) ?? []);
        indexes.set(pod.namespace, indexed);
      }
      found = indexed(pod);
      ofPod.set(pod, found);
    }
    return found;
  }
}

function isPeerPod({ pods: wanted = {} }: PodPeer, pod: NetworkPod): boolean {
  return matchesSelector(wanted, pod.labels);
}

/** Those that every namespace has, also one that has not been seen yet. */
function ownLabels(namespace: string): Readonly<Record<string, string>> {
  return { 'kubernetes.io/metadata.name': namespace };
}

/** Most policies name a label that few pods have, so that few are looked at for each pod. */
function indexPolicies(
  policies: readonly PolicyRules[],
): (pod: NetworkPod) => readonly PolicyRules[] {
  const anywhere: number[] = [];
  const byLabel = new Map<string, number[]>();
  for (const [index, { podSelector }] of policies.entries()) {
    const [first] = Object.entries(podSelector.matchLabels ?? {});
    if (first === undefined) {
      anywhere.push(index);
      continue;
    }
    const label = labelKey(first);
    const same = byLabel.get(label);
    if (same === undefined) byLabel.set(label, [index]);
    else same.push(index);
  }
  return ({ labels }) =>
    [...anywhere, ...Object.entries(labels).flatMap((label) => byLabel.get(labelKey(label)) ?? [])]
      .toSorted((a, b) => a - b)
      .flatMap((index) => policies[index] ?? [])
      .filter(({ podSelector }) => matchesSelector(podSelector, labels));
}

function labelKey([key, value]: readonly [string, string]): string {
  return `${key}=${value}`;
}
