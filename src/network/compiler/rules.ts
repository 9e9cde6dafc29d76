/** Rules of one direction, as few as say the same: what is open on the same ports is one rule. */
import type { NetworkPolicyPeer, NetworkPolicyPort } from '#kube/objects.ts';
import type { Family } from '../cluster-facts.ts';
import { EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { byText } from './conjunction.ts';
import type { GrantedPods, GrantPort, GrantRule } from './grant.ts';

export interface Rule {
  /** Absent: all. Never empty, which would be all too. */
  readonly ports?: readonly NetworkPolicyPort[];
  readonly allowed: AddressSet;
  readonly pods: readonly GrantedPods[];
}

/** In a stable order, whatever the order of the given ones is. */
export function mergeRules(
  given: readonly GrantRule[],
  families: readonly Family[],
): readonly Rule[] {
  const byPorts = Map.groupBy(
    // No ports in a NetworkPolicy mean all of them.
    given.filter(({ ports }) => ports === undefined || ports.length > 0),
    ({ ports }) => JSON.stringify(ports === undefined ? null : portsOf(ports)),
  );
  return [...byPorts]
    .sort(([one], [other]) => byText(one, other))
    .map(([, [first, ...others]]): Rule => {
      const same = first === undefined ? others : [first, ...others];
      return {
        ...(first?.ports === undefined ? {} : { ports: portsOf(first.ports) }),
        allowed: ofFamilies(unionOf(same.map(({ addresses }) => addresses ?? EMPTY_SET)), families),
        pods: same.flatMap(({ pods = [] }) => pods),
      };
    });
}

export function ofFamilies(set: AddressSet, families: readonly Family[]): AddressSet {
  const absent = FAMILIES.filter((family) => !families.includes(family));
  const [only] = FAMILIES.filter((family) => families.includes(family));
  return absent.length === 0 || only === undefined ? set : set.ofFamily(only);
}

const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];

function portsOf(ports: readonly GrantPort[]): readonly NetworkPolicyPort[] {
  const byKey = new Map(
    ports.map(({ port, endPort, protocol }) => {
      const one = { protocol, port, ...(endPort !== undefined && endPort !== port && { endPort }) };
      return [JSON.stringify(one), one];
    }),
  );
  return byKey
    .values()
    .toArray()
    .sort(
      (one, other) =>
        byText(one.protocol, other.protocol) ||
        one.port - other.port ||
        (one.endPort ?? 0) - (other.endPort ?? 0),
    );
}

/** One peer for all namespaces that the same labels are looked for in. */
export function podPeersOf(pods: readonly GrantedPods[]): readonly NetworkPolicyPeer[] {
  const byLabels = Map.groupBy(pods, ({ podLabels }) => JSON.stringify(sortedLabels(podLabels)));
  return [...byLabels]
    .sort(([one], [other]) => byText(one, other))
    .map(([labels, same]): NetworkPolicyPeer => {
      const podLabels = Object.fromEntries(JSON.parse(labels) as [string, string][]);
      const isAll = Object.keys(podLabels).length === 0;
      return {
        namespaceSelector: namespaceSelectorOf(same.map(({ namespace }) => namespace)),
        ...(!isAll && { podSelector: { matchLabels: podLabels } }),
      };
    });
}

/** The API server sees to it that every namespace carries it. */
const NAMESPACE_NAME = 'kubernetes.io/metadata.name';

function namespaceSelectorOf(
  names: readonly string[],
): NonNullable<NetworkPolicyPeer['namespaceSelector']> {
  const [only, ...others] = [...new Set(names)].sort(byText);
  if (only !== undefined && others.length === 0) return { matchLabels: { [NAMESPACE_NAME]: only } };
  const values = only === undefined ? [] : [only, ...others];
  return { matchExpressions: [{ key: NAMESPACE_NAME, operator: 'In', values }] };
}

export function sortedLabels(
  labels: Readonly<Record<string, string>>,
): readonly (readonly [string, string])[] {
  return Object.entries(labels).sort(([one], [other]) => byText(one, other));
}
