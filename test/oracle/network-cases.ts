/**
 * Random NetworkPolicies, pods and connections: few labels, addresses and ports, so that what is
 * written often concerns what is asked. An API server takes all of the policies.
 */
import type {
  LabelSelector,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
} from '#kube/objects.ts';
import { addressSet } from '#network/cidr/address-set.ts';
import type { NetworkNamespace, NetworkPod, Protocol } from '#network/cluster-facts.ts';
import type { NetworkWorld } from '#network/evaluator/world.ts';
import { createChooser } from './chooser.ts';
import type { Chooser } from './chooser.ts';

/** Between addresses, of pods or others; both of one family. */
export interface CaseConnection {
  readonly from: string;
  readonly to: string;
  readonly port: number;
  readonly protocol: Protocol;
}

export interface NetworkCase extends NetworkWorld {
  readonly connections: readonly CaseConnection[];
}

/** What policies are written with. */
export interface Vocabulary {
  /** Keys with their values. */
  readonly podLabels: Values;
  readonly namespaceLabels: Values;
  readonly cidrs: readonly BlockChoice[];
  readonly ports: readonly number[];
  readonly portNames: readonly string[];
}

/** A CIDR, and those that may stand in its `except`. */
export interface BlockChoice {
  readonly cidr: string;
  readonly inside: readonly string[];
}

export function blockChoices(cidrs: readonly string[]): readonly BlockChoice[] {
  const sets = cidrs.map((cidr) => ({ cidr, set: addressSet([cidr]) }));
  return sets.map(({ cidr, set }) => ({
    cidr,
    inside: sets
      .filter((each) => each.cidr !== cidr && set.covers(each.set))
      .map((each) => each.cidr),
  }));
}

type Values = Readonly<Record<string, readonly string[]>>;

const NAMESPACES = ['trading', 'risk', 'web'] as const;
const LABELS: Values = {
  app: ['maker', 'feed', 'db'],
  tier: ['front', 'back', ''],
  constructor: ['yes'],
};
const NAMESPACE_LABELS: Values = {
  team: ['mm', 'ops', ''],
  env: ['prod', 'test'],
};
const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP', 'SCTP'];
const PORTS = [1, 53, 80, 443, 8080, 65_535] as const;
const PORT_NAMES = ['http', 'dns', 'fix'] as const;
const NODES = [
  ['172.18.0.2', '2001:db8:ffff::2'],
  ['172.18.0.3', '2001:db8:ffff::3'],
] as const;
const OUTSIDE = [
  ['192.0.2.1', '192.0.2.17', '192.0.2.255', '198.51.100.7', '0.0.0.0', '255.255.255.255'],
  ['2001:db8::1', '2001:db8:0:1::1', '2001:db8:1::', 'ffff:ffff::', '::1'],
] as const;
const CIDRS = blockChoices([
  '0.0.0.0/0',
  '8.0.0.0/5',
  '10.0.0.0/8',
  '10.0.0.0/29',
  '10.0.0.2/31',
  '10.0.0.2/32',
  '10.0.0.4/30',
  '172.16.0.0/12',
  '172.18.0.2/31',
  '192.0.0.0/3',
  '192.0.2.0/24',
  '192.0.2.0/28',
  '192.0.2.16/28',
  '192.0.2.17/32',
  '198.51.100.0/24',
  '::/0',
  '2000::/3',
  '2001:db8::/32',
  '2001:db8::/64',
  '2001:db8:0:1::/64',
  '2001:db8:0:1::1/128',
  '2001:db8:1::/48',
  'fd00::/8',
  'fd00::/125',
  'fd00::2/127',
  'fd00::2/128',
  'fd00::4/126',
]);
const VOCABULARY: Vocabulary = {
  podLabels: LABELS,
  namespaceLabels: NAMESPACE_LABELS,
  cidrs: CIDRS,
  ports: PORTS,
  portNames: PORT_NAMES,
};

export function networkCase(seed: number): NetworkCase {
  const choose = createChooser(seed);
  const namespaces = NAMESPACES.slice(0, 2 + choose.below(2)).map((name): NetworkNamespace => ({
    name,
    labels: { 'kubernetes.io/metadata.name': name, ...labels(choose, NAMESPACE_LABELS) },
  }));
  const names = namespaces.map(({ name }) => name);
  let count = 0;
  const pods = choose.many(2, 6, () => randomPod(choose, choose.pick(names), (count += 1)));
  const policies = choose.many(1, 5, () =>
    randomPolicy(choose, VOCABULARY, choose.pick(names), (count += 1)),
  );
  return {
    namespaces,
    pods,
    policies,
    connections: choose.many(8, 8, () => randomConnection(choose, pods)),
  };
}

function labels(choose: Chooser, from: Values): Readonly<Record<string, string>> {
  return Object.fromEntries(
    choose.some(Object.entries(from), 0.85).map(([key, values]) => [key, choose.pick(values)]),
  );
}

function randomPod(choose: Chooser, namespace: string, number: number): NetworkPod {
  const nodeAddresses = choose.pick(NODES);
  const hostNetwork = choose.chance(0.12);
  const own = [`10.0.0.${number}`, `fd00::${number.toString(16)}`];
  const families = choose.pick([own, own, own.slice(0, 1), own.slice(1)]);
  return {
    namespace,
    name: `pod-${number}`,
    labels: labels(choose, LABELS),
    serviceAccount: 'default',
    addresses: hostNetwork ? nodeAddresses : families,
    nodeAddresses,
    hostNetwork,
    ports: choose.some(PORT_NAMES, 0.6).map((name) => ({
      name,
      port: choose.pick(PORTS),
      protocol: choose.pick(PROTOCOLS),
    })),
  };
}

export function randomPolicy(
  choose: Chooser,
  words: Vocabulary,
  namespace: string,
  number: number,
): NetworkPolicy {
  const ingress = rules(choose, words)?.map(([peers, ports]) => ({
    ...(peers && { from: peers }),
    ...(ports && { ports }),
  }));
  const egress = rules(choose, words)?.map(([peers, ports]) => ({
    ...(peers && { to: peers }),
    ...(ports && { ports }),
  }));
  const policyTypes = choose.pick([
    undefined,
    [],
    ['Ingress'],
    ['Egress'],
    ['Ingress', 'Egress'],
  ] as const);
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { name: `policy-${number}`, namespace },
    spec: {
      podSelector: choose.chance(0.5) ? {} : selector(choose, words.podLabels),
      ...(ingress && { ingress }),
      ...(egress && { egress }),
      ...(policyTypes && { policyTypes }),
    },
  };
}

type RandomRule = readonly [
  peers: readonly NetworkPolicyPeer[] | undefined,
  ports: readonly NetworkPolicyPort[] | undefined,
];

function rules(choose: Chooser, words: Vocabulary): readonly RandomRule[] | undefined {
  if (choose.chance(0.12)) return undefined;
  return choose.many(0, 2, () => [
    choose.chance(0.08) ? undefined : choose.many(0, 3, () => randomPeer(choose, words)),
    choose.chance(0.25) ? undefined : choose.many(0, 3, () => randomPort(choose, words)),
  ]);
}

function randomPeer(choose: Chooser, words: Vocabulary): NetworkPolicyPeer {
  const podSelector = choose.chance(0.25) ? {} : selector(choose, words.podLabels);
  const namespaceSelector = choose.chance(0.25) ? {} : selector(choose, words.namespaceLabels);
  const kind = choose.below(6);
  if (kind === 0) return { podSelector };
  if (kind === 1) return { namespaceSelector };
  if (kind === 2) return { podSelector, namespaceSelector };
  const { cidr, inside } = choose.pick(words.cidrs);
  const except = [...choose.some(inside, 0.25)];
  if (choose.chance(0.5)) except.reverse();
  const hasExcept = except.length > 0 || choose.chance(0.1);
  return { ipBlock: { cidr, ...(hasExcept && { except }) } };
}

function randomPort(choose: Chooser, words: Vocabulary): NetworkPolicyPort {
  const protocol = choose.pick([undefined, ...PROTOCOLS]);
  const port = choose.pick([undefined, ...words.ports, ...words.portNames, ...words.portNames]);
  const isRange = typeof port === 'number' && choose.chance(0.4);
  return {
    ...(protocol && { protocol }),
    ...(port !== undefined && { port }),
    ...(isRange && { endPort: choose.pick([port, ...words.ports.filter((each) => each > port)]) }),
  };
}

function selector(choose: Chooser, from: Values): LabelSelector {
  const keys = Object.keys(from);
  const value = (key: string): string => choose.pick(from[key] ?? []);
  const matchLabels = Object.fromEntries(choose.some(keys, 0.3).map((key) => [key, value(key)]));
  const matchExpressions = choose.many(0, 2, () => {
    const key = choose.pick(keys);
    const operator = choose.pick(['In', 'NotIn', 'Exists', 'DoesNotExist'] as const);
    const hasValues = operator === 'In' || operator === 'NotIn';
    return { key, operator, ...(hasValues && { values: choose.many(1, 2, () => value(key)) }) };
  });
  return {
    ...(Object.keys(matchLabels).length > 0 && { matchLabels }),
    ...(matchExpressions.length > 0 && { matchExpressions }),
  };
}

function randomConnection(choose: Chooser, pods: readonly NetworkPod[]): CaseConnection {
  const family = choose.below(2);
  const isOfFamily = (address: string): boolean => address.includes(':') === (family === 1);
  const ofPods = pods.flatMap(({ addresses }) => addresses).filter(isOfFamily);
  const outside = [...(OUTSIDE[family] ?? []), ...NODES.flat().filter(isOfFamily)];
  const end = (): string =>
    choose.pick(ofPods.length > 0 && choose.chance(0.75) ? ofPods : outside);
  const from = end();
  const ends = choose.many(4, 4, end);
  // A pod and itself is not compared.
  const to = ends.find((each) => each !== from) ?? from;
  // Ports that the destination has names for are asked for more often.
  const ports = pods.find(({ addresses }) => addresses.includes(to))?.ports ?? [];
  if (ports.length > 0 && choose.chance(0.5)) {
    const { port, protocol } = choose.pick(ports);
    return { from, to, port, protocol: choose.chance(0.8) ? protocol : choose.pick(PROTOCOLS) };
  }
  const port = choose.pick([...PORTS, 54, 1000, 65_534]);
  return { from, to, port, protocol: choose.pick(PROTOCOLS) };
}
