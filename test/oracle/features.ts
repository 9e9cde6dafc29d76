/**
 * What a random case is about, so that a test can tell that everything was compared. Features of
 * policies count where the policy isolates an end of the connection: there the answer hangs on it.
 */
import type { NetworkPolicyPeer, NetworkPolicyPort } from '#kube/objects.ts';
import type { Verdict } from '#network/evaluator/evaluator.ts';
import { podAt } from './left-out.ts';
import type { CaseConnection, NetworkCase } from './network-cases.ts';

type Spec = NonNullable<NetworkCase['policies'][number]['spec']>;

const ofSpec = {
  'no policyTypes, no egress rules': ({ policyTypes, egress = [] }: Spec) =>
    policyTypes === undefined && egress.length === 0,
  'no policyTypes, egress rules': ({ policyTypes, egress = [] }: Spec) =>
    policyTypes === undefined && egress.length > 0,
  'empty policyTypes': ({ policyTypes }: Spec) => policyTypes?.length === 0,
  'ingress alone': ({ policyTypes = [] }: Spec) => policyTypes.join() === 'Ingress',
  'egress alone': ({ policyTypes = [] }: Spec) => policyTypes.join() === 'Egress',
  'both directions': ({ policyTypes = [] }: Spec) => policyTypes.length === 2,
  'rules of a direction that is not in policyTypes': ({ policyTypes = [], egress = [] }: Spec) =>
    policyTypes.join() === 'Ingress' && egress.length > 0,
  'no rules': ({ ingress, egress }: Spec) => ingress === undefined || egress === undefined,
  'empty rules': ({ ingress, egress }: Spec) => ingress?.length === 0 || egress?.length === 0,
  'a podSelector that selects all': ({ podSelector = {} }: Spec) =>
    Object.keys(podSelector).length === 0,
  'a podSelector with matchLabels': ({ podSelector }: Spec) =>
    podSelector?.matchLabels !== undefined,
  In: hasOperator('In'),
  NotIn: hasOperator('NotIn'),
  Exists: hasOperator('Exists'),
  DoesNotExist: hasOperator('DoesNotExist'),
} as const;

const ofPeers = {
  'no peers': (peers: Peers) => peers === undefined,
  'empty peers': (peers: Peers) => peers?.length === 0,
  'a peer by podSelector': hasPeer(
    (peer) => 'podSelector' in peer && !('namespaceSelector' in peer),
  ),
  'a peer by namespaceSelector': hasPeer(
    (peer) => 'namespaceSelector' in peer && !('podSelector' in peer),
  ),
  'a peer by both': hasPeer((peer) => 'namespaceSelector' in peer && 'podSelector' in peer),
  'a peer by an empty podSelector': hasPeer(({ podSelector }) => isEmpty(podSelector)),
  'a peer by an empty namespaceSelector': hasPeer(({ namespaceSelector }) =>
    isEmpty(namespaceSelector),
  ),
  'an IPv4 ipBlock': hasPeer(({ ipBlock }) => ipBlock?.cidr.includes('.') === true),
  'an IPv6 ipBlock': hasPeer(({ ipBlock }) => ipBlock?.cidr.includes(':') === true),
  'an ipBlock of a whole family': hasPeer(({ ipBlock }) => ipBlock?.cidr.endsWith('/0') === true),
  'an ipBlock of one address': hasPeer(({ ipBlock }) => /\/(32|128)$/.test(ipBlock?.cidr ?? '')),
  'an IPv4 except': hasPeer(({ ipBlock }) => ipBlock?.except?.join().includes('.') === true),
  'an IPv6 except': hasPeer(({ ipBlock }) => ipBlock?.except?.join().includes(':') === true),
  'an empty except': hasPeer(({ ipBlock }) => ipBlock?.except?.length === 0),
  'several excepts': hasPeer(({ ipBlock }) => (ipBlock?.except?.length ?? 0) > 1),
} as const;

const ofPorts = {
  'no ports': (ports: Ports) => ports === undefined,
  'empty ports': (ports: Ports) => ports?.length === 0,
  'a port without protocol': hasPort(({ protocol }) => protocol === undefined),
  'a port of UDP': hasPort(({ protocol }) => protocol === 'UDP'),
  'a port of SCTP': hasPort(({ protocol }) => protocol === 'SCTP'),
  'a protocol without port': hasPort(
    ({ protocol, port }) => protocol !== undefined && port === undefined,
  ),
  'neither protocol nor port': hasPort(
    ({ protocol, port }) => protocol === undefined && port === undefined,
  ),
  'a port by number': hasPort(
    ({ port, endPort }) => typeof port === 'number' && endPort === undefined,
  ),
  'a port by name': hasPort(({ port }) => typeof port === 'string'),
  'an endPort': hasPort(({ port, endPort }) => endPort !== undefined && endPort !== port),
  'an endPort that is the port': hasPort(
    ({ port, endPort }) => endPort !== undefined && endPort === port,
  ),
} as const;

type Asked = readonly [connection: CaseConnection, all: NetworkCase];

const ofConnections = {
  IPv4: ([{ to }]: Asked) => to.includes('.'),
  IPv6: ([{ to }]: Asked) => to.includes(':'),
  TCP: ([{ protocol }]: Asked) => protocol === 'TCP',
  UDP: ([{ protocol }]: Asked) => protocol === 'UDP',
  SCTP: ([{ protocol }]: Asked) => protocol === 'SCTP',
  'between pods of a namespace': ([{ from, to }, all]: Asked) => {
    const [source, destination] = [podAt(from, all), podAt(to, all)];
    return source !== undefined && source.namespace === destination?.namespace;
  },
  'between pods of two namespaces': ([{ from, to }, all]: Asked) => {
    const [source, destination] = [podAt(from, all), podAt(to, all)];
    return (
      source !== undefined &&
      destination !== undefined &&
      source.namespace !== destination.namespace
    );
  },
  'from outside': ([{ from, to }, all]: Asked) => !isPod(from, all) && isCovered(to, all),
  'to outside': ([{ from, to }, all]: Asked) => !isPod(to, all) && isCovered(from, all),
  'from a pod with hostNetwork': ([{ from, to }, all]: Asked) =>
    isHost(from, all) && isCovered(to, all),
  'to a pod with hostNetwork': ([{ from, to }, all]: Asked) =>
    isHost(to, all) && isCovered(from, all),
  'to a port with a name': ([{ to, port, protocol }, all]: Asked) =>
    podAt(to, all)?.ports.some((each) => each.port === port && each.protocol === protocol) === true,
  'to a port with a name at another protocol': ([{ to, port, protocol }, all]: Asked) => {
    const same = podAt(to, all)?.ports.filter((each) => each.port === port) ?? [];
    return same.length > 0 && same.every((each) => each.protocol !== protocol);
  },
  'to a port with two names': ([{ to, port, protocol }, all]: Asked) =>
    (podAt(to, all)?.ports.filter((each) => each.port === port && each.protocol === protocol) ?? [])
      .length > 1,
} as const;

const ofVerdicts = {
  'allowed by default': ({ allowed, egress, ingress }: Verdict) =>
    allowed && egress.isolatedBy.length === 0 && ingress.isolatedBy.length === 0,
  'allowed by a policy at one end': ({ allowed, egress, ingress }: Verdict) =>
    allowed && egress.allowedBy.length + ingress.allowedBy.length > 0,
  'allowed by policies at both ends': ({ egress, ingress }: Verdict) =>
    egress.allowedBy.length > 0 && ingress.allowedBy.length > 0,
  'allowed by one policy of several': ({ egress, ingress }: Verdict) =>
    [egress, ingress].some(
      ({ isolatedBy, allowedBy }) => isolatedBy.length > 1 && allowedBy.length === 1,
    ),
  'denied by the source alone': ({ egress, ingress }: Verdict) =>
    !egress.allowed && ingress.allowed,
  'denied by the destination alone': ({ egress, ingress }: Verdict) =>
    egress.allowed && !ingress.allowed,
  'denied by both': ({ egress, ingress }: Verdict) => !egress.allowed && !ingress.allowed,
} as const;

type Peers = readonly NetworkPolicyPeer[] | undefined;
type Ports = readonly NetworkPolicyPort[] | undefined;

export const FEATURES: readonly string[] = [
  ...Object.keys(ofSpec),
  ...Object.keys(ofPeers),
  ...Object.keys(ofPorts),
  ...Object.keys(ofConnections),
  ...Object.keys(ofVerdicts),
];

/** Those of one connection; some names may come twice. */
export function featuresOf(
  connection: CaseConnection,
  all: NetworkCase,
  verdict: Verdict,
): readonly string[] {
  const keys = new Set([...verdict.egress.isolatedBy, ...verdict.ingress.isolatedBy]);
  const isolating = all.policies.filter(({ metadata }) =>
    keys.has(`${metadata.namespace}/${metadata.name}`),
  );
  return [
    ...isolating.flatMap(({ spec = {} }) => {
      const rules = [
        ...(spec.ingress ?? []).map(({ from, ports }) => ({ peers: from, ports })),
        ...(spec.egress ?? []).map(({ to, ports }) => ({ peers: to, ports })),
      ];
      return [
        ...namesOf(ofSpec, spec),
        ...rules.flatMap(({ peers, ports }) => [
          ...namesOf(ofPeers, peers),
          ...namesOf(ofPorts, ports),
        ]),
      ];
    }),
    ...namesOf(ofConnections, [connection, all] as const),
    ...namesOf(ofVerdicts, verdict),
  ];
}

function namesOf<T>(
  tests: Readonly<Record<string, (subject: T) => boolean>>,
  subject: T,
): readonly string[] {
  return Object.entries(tests)
    .filter(([, test]) => test(subject))
    .map(([name]) => name);
}

function hasOperator(operator: string): (spec: Spec) => boolean {
  return ({ podSelector }) =>
    podSelector?.matchExpressions?.some((each) => each.operator === operator) === true;
}

function hasPeer(test: (peer: NetworkPolicyPeer) => boolean): (peers: Peers) => boolean {
  return (peers) => peers?.some(test) === true;
}

function hasPort(test: (port: NetworkPolicyPort) => boolean): (ports: Ports) => boolean {
  return (ports) => ports?.some(test) === true;
}

function isEmpty(selector: object | undefined): boolean {
  return selector !== undefined && Object.keys(selector).length === 0;
}

function isPod(address: string, { pods }: NetworkCase): boolean {
  return pods.some(({ addresses }) => addresses.includes(address));
}

function isCovered(address: string, all: NetworkCase): boolean {
  return podAt(address, all) !== undefined;
}

function isHost(address: string, { pods }: NetworkCase): boolean {
  return pods.some(({ hostNetwork, addresses }) => hostNetwork && addresses.includes(address));
}
