/**
 * Egress by host name, which only Cilium can enforce:
 * https://docs.cilium.io/en/stable/security/policy/language/#dns-based.
 */
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { ClusterFacts, Protocol } from '../cluster-facts.ts';
import type { BackendObjects } from './backend.ts';
import { CILIUM_POLICIES } from './backend-resources.ts';
import { byText } from './group-scope.ts';
import { BACKEND_LABELS, objectName } from './object-names.ts';

/** Hosts that the pods of one ServiceAccount may reach. */
export interface HostGrant {
  readonly namespace: string;
  /** That select the pods of the ServiceAccount, and no others of the namespace. */
  readonly podLabels: Readonly<Record<string, string>>;
  /** Host names; `*.example.com` for all one label below. */
  readonly hosts: readonly string[];
  /** Absent: all. */
  readonly ports?: readonly {
    readonly port: number;
    readonly endPort?: number;
    readonly protocol: Protocol;
  }[];
}

interface CiliumPolicy extends KubeObject {
  readonly specs: readonly Readonly<Record<string, unknown>>[];
}

/** Rules of ports, of which Cilium takes 40 in a list. */
const MOST_PORTS = 40;

/**
 * One CiliumNetworkPolicy for each namespace. It isolates the pods for egress, as a NetworkPolicy
 * does, and adds to what NetworkPolicies allow them. Cilium learns the addresses of a host from the
 * answers that its DNS proxy sees, so pods ask the cluster's DNS through it; without known DNS pods
 * nothing is written.
 */
export function compileCiliumFqdn(
  grants: readonly HostGrant[],
  { facts }: { readonly facts: ClusterFacts },
): BackendObjects {
  const useful = grants.filter(({ hosts }) => hosts.length > 0);
  if (facts.dns.namespace === '' || Object.keys(facts.dns.podLabels).length === 0) {
    const hosts = [...new Set(useful.flatMap((grant) => grant.hosts))].toSorted(byText);
    return {
      objects: [],
      gaps:
        hosts.length === 0
          ? []
          : [
              {
                type: 'NameByAddress',
                direction: 'Egress',
                message: `the pods of the cluster's DNS are not known, so Cilium cannot learn the addresses of ${hosts.join(', ')} from their answers; they are opened by address`,
              },
            ],
    };
  }
  const byNamespace = Map.groupBy(useful, ({ namespace }) => namespace);
  return {
    objects: [...byNamespace]
      .toSorted(([one], [other]) => byText(one, other))
      .map(([namespace, own]) => policyOf(namespace, own, facts)),
    gaps: [],
  };
}

function policyOf(
  namespace: string,
  grants: readonly HostGrant[],
  facts: ClusterFacts,
): CiliumPolicy {
  const dns = dnsRule(facts.dns);
  return {
    apiVersion: apiVersionOf(CILIUM_POLICIES),
    kind: CILIUM_POLICIES.kind,
    metadata: { namespace, name: objectName('hosts'), labels: BACKEND_LABELS },
    specs: grants
      .map(({ podLabels, hosts, ports }) => ({
        endpointSelector: { matchLabels: k8sLabels(podLabels) },
        egress: [
          dns,
          {
            toFQDNs: [...new Set(hosts.map(canonicalHost))]
              .toSorted(byText)
              .map((host) => (host.includes('*') ? { matchPattern: host } : { matchName: host })),
            ...(ports === undefined ? {} : { toPorts: portRules(ports) }),
          },
        ],
      }))
      .toSorted((one, other) => byText(JSON.stringify(one), JSON.stringify(other))),
  };
}

/**
 * All names may be asked for: a resolver tries each name with the search domains too, and takes a
 * refusal of one of those for the end of the search.
 */
function dnsRule({ namespace, podLabels, podPorts = [] }: ClusterFacts['dns']): object {
  const ports = [...new Set([53, ...podPorts])].toSorted((one, other) => one - other);
  return {
    toEndpoints: [
      { matchLabels: { 'k8s:io.kubernetes.pod.namespace': namespace, ...k8sLabels(podLabels) } },
    ],
    toPorts: [
      {
        ports: ports.flatMap((port) =>
          ['UDP', 'TCP'].map((protocol) => ({ port: String(port), protocol })),
        ),
        rules: { dns: [{ matchPattern: '*' }] },
      },
    ],
  };
}

function portRules(ports: NonNullable<HostGrant['ports']>): readonly object[] {
  const written = ports
    .toSorted((one, other) => one.port - other.port || byText(one.protocol, other.protocol))
    .map(({ port, endPort, protocol }) => ({
      port: String(port),
      protocol,
      ...(endPort === undefined ? {} : { endPort }),
    }));
  return Array.from({ length: Math.ceil(written.length / MOST_PORTS) }, (_, index) => ({
    ports: written.slice(index * MOST_PORTS, (index + 1) * MOST_PORTS),
  }));
}

/** Sorted, and said to be labels of Kubernetes, so that none of another source is meant. */
function k8sLabels(labels: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(labels)
      .map(([key, value]) => [`k8s:${key}`, value] as const)
      .toSorted(([one], [other]) => byText(one, other)),
  );
}

function canonicalHost(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
