/** From objects of the cluster, and what its operator was told, to the facts that policies go by. */
import { isIP } from 'node:net';
import type { DaemonSet, EndpointSlice, Node, Service, ServiceCidr } from '#kube/objects.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { parseCidr } from '../cidr/parse-cidr.ts';
import type { ClusterFacts, Family } from '../cluster-facts.ts';
import { policyEngine } from './policy-engine.ts';

export interface ServiceWithEndpoints {
  readonly service?: Service;
  readonly slices: readonly EndpointSlice[];
}

/** What is read of the cluster. */
export interface ClusterObjects {
  readonly nodes: readonly Node[];
  readonly serviceCidrs: readonly ServiceCidr[];
  /** Service `kubernetes` of namespace `default`. */
  readonly apiServer: ServiceWithEndpoints;
  /** The Service that `dnsService` of the configuration names. */
  readonly dns: ServiceWithEndpoints;
  /** Services of guarded namespaces. */
  readonly services: readonly Service[];
  /** Of kube-system; absent: they may not be read. */
  readonly daemonSets?: readonly DaemonSet[];
  /** Groups that the API server serves; absent: not known. */
  readonly apiGroups?: readonly string[];
}

/** What the operator's configuration adds to what can be seen. */
export interface FactOverrides {
  /** CIDRs, beside those that the nodes tell: where the network gives pods addresses by itself. */
  readonly podRanges?: readonly string[];
  /** CIDRs, beside those that the ServiceCIDRs tell. */
  readonly serviceRanges?: readonly string[];
  /** Absent or `Auto`: as it is seen. */
  readonly policyEngine?: 'Auto' | 'Present' | 'Absent';
  readonly dnsService?: { readonly namespace: string; readonly name: string };
}

export const DNS_SERVICE = { namespace: 'kube-system', name: 'kube-dns' } as const;

const DNS_PORT = 53;
/** DaemonSet of kube-system that answers for the cluster's DNS on each node. */
const NODE_LOCAL_DNS = 'node-local-dns';

export function clusterFacts(objects: ClusterObjects, overrides: FactOverrides): ClusterFacts {
  const podRanges = rangesOf([
    ...objects.nodes.flatMap(({ spec }) => spec?.podCIDRs ?? spec?.podCIDR ?? []),
    ...(overrides.podRanges ?? []),
  ]);
  const serviceRanges = rangesOf([
    ...objects.serviceCidrs.flatMap(({ spec }) => spec?.cidrs ?? []),
    ...(overrides.serviceRanges ?? []),
  ]);
  const nodeAddresses = rangesOf(
    objects.nodes.flatMap(({ status }) =>
      // Names of hosts stand among them.
      (status?.addresses ?? []).map(({ address }) => address).filter(isAddress),
    ),
  );
  const apiServer = {
    addresses: rangesOf([
      ...serviceAddresses(objects.apiServer.service),
      ...endpointAddresses(objects.apiServer.slices),
    ]),
    ports: [
      ...new Set([
        ...(objects.apiServer.service?.spec?.ports ?? []).map(({ port }) => port),
        ...objects.apiServer.slices.flatMap(({ ports }) =>
          (ports ?? []).flatMap(({ port }) => port ?? []),
        ),
      ]),
    ].toSorted((one, other) => one - other),
  };
  return {
    families: familiesOf([podRanges, serviceRanges, apiServer.addresses, nodeAddresses]),
    podRanges,
    serviceRanges,
    nodeAddresses,
    apiServer,
    dns: dnsFacts(objects, overrides),
    policyEngine: engineFacts(objects, overrides.policyEngine ?? 'Auto'),
    rewritingServices: objects.services
      .filter(hidesClients)
      .map(({ metadata, spec }) => ({
        namespace: metadata.namespace ?? '',
        name: metadata.name,
        selector: spec?.selector ?? {},
      }))
      .toSorted((one, other) => compare(keyOf(one), keyOf(other))),
  };
}

/** What must be known before anything is written that could cut it off; each for people to read. */
export function missingFacts(facts: ClusterFacts): readonly string[] {
  return [
    ...(facts.nodeAddresses.isEmpty ? ['addresses of nodes (no Node tells one)'] : []),
    ...(facts.apiServer.addresses.isEmpty
      ? ['addresses of the API server (Service kubernetes of namespace default tells none)']
      : []),
  ];
}

/**
 * Families of the first that has any: what pods have is told best by their own ranges, and next
 * best by those of Services. Nodes often have addresses of a family that their pods lack.
 */
function familiesOf(sets: readonly AddressSet[]): readonly Family[] {
  const told = sets.find((set) => !set.isEmpty);
  if (told === undefined) return ['IPv4'];
  return (['IPv4', 'IPv6'] as const).filter((family) => !told.ofFamily(family).isEmpty);
}

function dnsFacts(objects: ClusterObjects, overrides: FactOverrides): ClusterFacts['dns'] {
  const { service, slices } = objects.dns;
  const podLabels = service?.spec?.selector ?? {};
  const isElsewhere = Object.keys(podLabels).length === 0;
  const podPorts = dnsPodPorts(objects.dns);
  return {
    addresses: rangesOf([
      ...serviceAddresses(service),
      ...nodeLocalAddresses(objects.daemonSets ?? []),
      // Pods behind it are found by their labels, and change their addresses too often.
      ...(isElsewhere ? endpointAddresses(slices) : []),
    ]),
    namespace: (overrides.dnsService ?? DNS_SERVICE).namespace,
    podLabels,
    ...(podPorts.length === 0 ? {} : { podPorts }),
  };
}

/** Where pods behind port 53 of a Service listen, other than there: 5353 on OpenShift. */
function dnsPodPorts({ service, slices }: ServiceWithEndpoints): readonly number[] {
  const served = (service?.spec?.ports ?? []).filter(({ port }) => port === DNS_PORT);
  const names = new Set(served.map(({ name }) => name ?? ''));
  const ports = [
    ...served.map(({ targetPort }) => targetPort),
    // A port by name is a number there.
    ...slices.flatMap((slice) =>
      (slice.ports ?? []).filter(({ name }) => names.has(name ?? '')).map(({ port }) => port),
    ),
  ].filter((port) => typeof port === 'number' && port !== DNS_PORT);
  return [...new Set(ports as readonly number[])].toSorted((one, other) => one - other);
}

/** NodeLocal DNSCache listens on addresses that only its arguments tell: `-localip A,B`. */
function nodeLocalAddresses(daemonSets: readonly DaemonSet[]): readonly string[] {
  const cache = daemonSets.find(({ metadata }) => metadata.name === NODE_LOCAL_DNS);
  const containers = cache?.spec?.template?.spec?.containers ?? [];
  return containers.flatMap(({ command = [], args = [] }) => {
    const words = [...command, ...args].flatMap((word) => word.split('='));
    const at = words.findIndex((word) => /^--?localip$/.test(word));
    return at === -1 ? [] : (words[at + 1] ?? '').split(',').filter(isAddress);
  });
}

function engineFacts(
  objects: ClusterObjects,
  told: 'Auto' | 'Present' | 'Absent',
): ClusterFacts['policyEngine'] {
  switch (told) {
    case 'Auto':
      return policyEngine(objects);
    case 'Present': {
      const { name } = policyEngine(objects);
      return { seen: 'Yes', ...(name === undefined ? {} : { name }) };
    }
    case 'Absent':
      return { seen: 'No' };
  }
}

/**
 * Whether it lets addresses in from outside and puts that of a node in their place. Without a
 * selector no pod is behind it by labels, and none can be named.
 */
function hidesClients({ spec }: Service): boolean {
  const isOpen =
    spec?.type === 'LoadBalancer' ||
    spec?.type === 'NodePort' ||
    (spec?.externalIPs ?? []).length > 0;
  return (
    isOpen &&
    spec?.externalTrafficPolicy !== 'Local' &&
    Object.keys(spec?.selector ?? {}).length > 0
  );
}

function serviceAddresses(service: Service | undefined): readonly string[] {
  const { clusterIPs, clusterIP } = service?.spec ?? {};
  // A headless Service has `None`.
  return (clusterIPs ?? (clusterIP === undefined ? [] : [clusterIP])).filter(isAddress);
}

function endpointAddresses(slices: readonly EndpointSlice[]): readonly string[] {
  return slices
    .filter(({ addressType }) => addressType !== 'FQDN')
    .flatMap(({ endpoints }) => (endpoints ?? []).flatMap(({ addresses }) => addresses))
    .filter(isAddress);
}

/** Old objects can hold spellings that are refused today; what they mean is plain. */
function rangesOf(texts: readonly string[]): AddressSet {
  return addressSet(
    texts.flatMap((text) => {
      const parsed = parseCidr(text);
      return parsed.ok ? parsed.cidr : (parsed.corrected ?? []);
    }),
  );
}

function isAddress(text: string): boolean {
  return isIP(text) !== 0;
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function compare(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
