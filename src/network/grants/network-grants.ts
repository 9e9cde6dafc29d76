/** What `spec.network` of an AccessPolicy opens for the pods of each of its ServiceAccounts. */
import type { AccessPolicy, NetworkPeer, NetworkPort, PolicyNetwork } from '#api/access-policy.ts';
import { LABELS } from '#api/names.ts';
import { addressSet } from '../cidr/address-set.ts';
import { parseCidr } from '../cidr/parse-cidr.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { GrantPort, GrantRule, NetworkGrant } from '../compiler/grant.ts';
import type { NetworkGap } from '../network-gap.ts';
import { EXCHANGE_PORT, exchangeAccess, hostsOfExchange } from './exchange-access.ts';
import type { HostAddresses } from './exchange-access.ts';

export interface GrantSurroundings {
  readonly facts: ClusterFacts;
  readonly addressesOf: (host: string) => HostAddresses;
  /** Whether a backend opens hosts by name, so that none is opened by address. Absent: not. */
  readonly opensByName?: boolean;
  /** Whether the operator works in the namespace: it is guarded, and its rights are there. */
  readonly isReady: (namespace: string) => boolean;
}

export interface PolicyGrants {
  /** One for each of its ServiceAccounts. */
  readonly grants: readonly { readonly namespace: string; readonly grant: NetworkGrant }[];
  /** What is not enforced as it is written. */
  readonly gaps: readonly NetworkGap[];
}

function dnsGaps(egress: PolicyNetwork['egress'], { dns }: ClusterFacts): readonly NetworkGap[] {
  const isKnown = !dns.addresses.isEmpty || Object.keys(dns.podLabels).length > 0;
  if (egress?.dns === true && !isKnown) return [DNS_UNKNOWN];
  return (egress?.exchanges ?? []).length > 0 && egress?.dns !== true ? [DNS_CLOSED] : [];
}

const DNS_UNKNOWN: NetworkGap = {
  type: 'DnsUnknown',
  direction: 'Egress',
  message:
    'spec.network.egress.dns opens nothing: the Service of the DNS of the cluster is not found; name it in network.dnsService of the chart, or open its address in spec.network.egress.to',
};

/** Another policy of the same account can open it; whoever reads this one should still know. */
const DNS_CLOSED: NetworkGap = {
  type: 'DnsClosed',
  direction: 'Egress',
  message:
    'spec.network.egress names exchanges and does not open the DNS of the cluster; without it pods cannot look the hosts up: set spec.network.egress.dns: true',
};

const NONE: PolicyGrants = { grants: [], gaps: [] };
const DNS_PORT = 53;
const API_SERVER_PORT = 443;

/**
 * Users and groups have no pods, and a Deny has no network. The network holds whatever the policy's
 * constraints are: those are about requests, and without it the pods would be open to everything.
 */
export function networkGrants(policy: AccessPolicy, surroundings: GrantSurroundings): PolicyGrants {
  const { metadata, spec } = policy;
  const { network } = spec;
  const isInForce = spec.effect !== 'Deny' && metadata.deletionTimestamp === undefined;
  if (network === undefined || !isInForce) return NONE;
  const accounts = accountsOf(policy);
  if (accounts.length === 0) return NONE;
  const { facts, addressesOf, isReady } = surroundings;
  const { egress, ingress } = network;
  const byAddress = surroundings.opensByName === true ? [] : (egress?.exchanges ?? []);
  const exchanges = exchangeAccess(byAddress, spec.environments, facts, addressesOf);
  const opened = {
    ...(egress === undefined
      ? {}
      : {
          egress: [
            ...(egress.dns === true ? [dnsRule(facts)] : []),
            ...(egress.apiServer === true ? [apiServerRule(facts)] : []),
            ...(exchanges.addresses.isEmpty
              ? []
              : [{ addresses: exchanges.addresses, ports: [tcp(EXCHANGE_PORT)] }]),
            ...(egress.to ?? []).map(peerRule),
          ],
        }),
    ...(ingress === undefined ? {} : { ingress: (ingress.from ?? []).map(peerRule) }),
  };
  const about = { name: metadata.name, uid: metadata.uid ?? '' };
  return {
    grants: accounts
      .filter(({ namespace }) => isReady(namespace))
      .map(({ namespace, name }) => ({
        namespace,
        grant: { policy: about, serviceAccount: name, ...opened },
      })),
    gaps: [
      ...exchanges.gaps,
      ...dnsGaps(egress, facts),
      ...accounts
        .filter(({ namespace }) => !isReady(namespace))
        .map(({ namespace, name }): NetworkGap => ({
          type: 'NamespaceNotReady',
          namespace,
          message: `namespace ${namespace} is not guarded (label ${LABELS.guarded}: "true"), or the operator has no rights in it yet; the network of ServiceAccount ${name} is not limited there`,
        })),
    ],
  };
}

/** Host names that have to be resolved for the policy. */
export function hostsWantedBy({ spec }: AccessPolicy): readonly string[] {
  if (spec.effect === 'Deny') return [];
  const exchanges = spec.network?.egress?.exchanges ?? [];
  return [
    ...new Set(exchanges.flatMap((exchange) => hostsOfExchange(exchange, spec.environments))),
  ];
}

/** Each once, in the policy's order. */
function accountsOf({ spec }: AccessPolicy): readonly { namespace: string; name: string }[] {
  const accounts = new Map<string, { namespace: string; name: string }>();
  for (const { kind, namespace, name } of spec.subjects) {
    if (kind !== 'ServiceAccount' || namespace === undefined) continue;
    accounts.set(`${namespace}/${name}`, { namespace, name });
  }
  return [...accounts.values()];
}

/** By address before it is turned into that of a pod, and by pod after that: engines differ. */
function dnsRule({ dns }: ClusterFacts): GrantRule {
  const ports = [DNS_PORT, ...(dns.podPorts ?? [])];
  return {
    addresses: dns.addresses,
    // Without labels it would be all pods of the namespace.
    ...(Object.keys(dns.podLabels).length === 0
      ? {}
      : { pods: [{ namespace: dns.namespace, podLabels: dns.podLabels }] }),
    ports: (['UDP', 'TCP'] as const).flatMap((protocol) =>
      ports.map((port) => ({ port, protocol })),
    ),
  };
}

function apiServerRule({ apiServer }: ClusterFacts): GrantRule {
  const ports = apiServer.ports.length === 0 ? [API_SERVER_PORT] : apiServer.ports;
  return { addresses: apiServer.addresses, ports: ports.map(tcp) };
}

/** What is no range, in an object that nobody checked, opens nothing. */
function peerRule({ cidr, pods, ports }: NetworkPeer): GrantRule {
  return {
    ...(cidr === undefined || !parseCidr(cidr).ok ? {} : { addresses: addressSet([cidr]) }),
    ...(pods === undefined
      ? {}
      : {
          pods: pods.namespaces.map((namespace) => ({
            namespace,
            podLabels: pods.matchLabels ?? {},
          })),
        }),
    ...(ports === undefined ? {} : { ports: ports.map(grantPort) }),
  };
}

function grantPort({ port, endPort, protocol }: NetworkPort): GrantPort {
  return { port, ...(endPort === undefined ? {} : { endPort }), protocol: protocol ?? 'TCP' };
}

function tcp(port: number): GrantPort {
  return { port, protocol: 'TCP' };
}
