import { describe, expect, it } from 'vitest';
import type { DaemonSet, EndpointSlice, Node, Service, ServiceCidr } from '#kube/objects.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import { clusterFacts, missingFacts } from './gathered-facts.ts';
import type { ClusterObjects } from './gathered-facts.ts';

function node(name: string, podCIDRs: readonly string[], addresses: readonly string[]): Node {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name },
    spec: { podCIDRs },
    status: {
      addresses: [
        { type: 'Hostname', address: `${name}.example` },
        ...addresses.map((address) => ({ type: 'InternalIP', address })),
      ],
    },
  };
}

function service(namespace: string, name: string, spec: NonNullable<Service['spec']>): Service {
  return { apiVersion: 'v1', kind: 'Service', metadata: { namespace, name }, spec };
}

function slice(
  addressType: EndpointSlice['addressType'],
  addresses: readonly string[],
  port: number,
): EndpointSlice {
  return {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'default', name: 'slice' },
    addressType,
    endpoints: addresses.map((address) => ({ addresses: [address] })),
    ports: [{ name: 'https', protocol: 'TCP', port }],
  };
}

function serviceCidr(...cidrs: readonly string[]): ServiceCidr {
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'ServiceCIDR',
    metadata: { name: 'kubernetes' },
    spec: { cidrs },
  };
}

const NOTHING: ClusterObjects = {
  nodes: [],
  serviceCidrs: [],
  apiServer: { slices: [] },
  dns: { slices: [] },
  services: [],
};

const KUBE_DNS = service('kube-system', 'kube-dns', {
  clusterIPs: ['10.96.0.10'],
  selector: { 'k8s-app': 'kube-dns' },
});

/** A small cluster of one family, as kubeadm makes it. */
const CLUSTER: ClusterObjects = {
  nodes: [
    node('one', ['10.244.0.0/24'], ['192.0.2.11']),
    node('two', ['10.244.1.0/24'], ['192.0.2.12', '198.51.100.12']),
  ],
  serviceCidrs: [serviceCidr('10.96.0.0/12')],
  apiServer: {
    service: service('default', 'kubernetes', {
      clusterIP: '10.96.0.1',
      clusterIPs: ['10.96.0.1'],
      ports: [{ port: 443, targetPort: 6443 }],
    }),
    slices: [slice('IPv4', ['192.0.2.10'], 6443)],
  },
  dns: { service: KUBE_DNS, slices: [] },
  services: [],
  daemonSets: [],
  apiGroups: [],
};

/** With sets as their CIDRs, so that they can be compared. */
function plain(facts: ClusterFacts) {
  return {
    ...facts,
    podRanges: facts.podRanges.cidrs(),
    serviceRanges: facts.serviceRanges.cidrs(),
    nodeAddresses: facts.nodeAddresses.cidrs(),
    apiServer: { ...facts.apiServer, addresses: facts.apiServer.addresses.cidrs() },
    dns: { ...facts.dns, addresses: facts.dns.addresses.cidrs() },
  };
}

describe('clusterFacts', () => {
  it('reads a cluster', () => {
    expect(plain(clusterFacts(CLUSTER, {}))).toEqual({
      families: ['IPv4'],
      podRanges: ['10.244.0.0/23'],
      serviceRanges: ['10.96.0.0/12'],
      nodeAddresses: ['192.0.2.11/32', '192.0.2.12/32', '198.51.100.12/32'],
      apiServer: { addresses: ['10.96.0.1/32', '192.0.2.10/32'], ports: [443, 6443] },
      dns: {
        addresses: ['10.96.0.10/32'],
        namespace: 'kube-system',
        podLabels: { 'k8s-app': 'kube-dns' },
      },
      policyEngine: { seen: 'No' },
      rewritingServices: [],
    });
    expect(missingFacts(clusterFacts(CLUSTER, {}))).toEqual([]);
  });

  it('leaves empty what is not known, and says what must be', () => {
    const facts = clusterFacts(NOTHING, {});
    expect(plain(facts)).toEqual({
      families: ['IPv4'],
      podRanges: [],
      serviceRanges: [],
      nodeAddresses: [],
      apiServer: { addresses: [], ports: [] },
      dns: { addresses: [], namespace: 'kube-system', podLabels: {} },
      policyEngine: { seen: 'Unknown' },
      rewritingServices: [],
    });
    expect(missingFacts(facts)).toEqual([
      expect.stringContaining('nodes'),
      expect.stringContaining('API server'),
    ]);
    expect(missingFacts(clusterFacts({ ...NOTHING, nodes: CLUSTER.nodes }, {}))).toEqual([
      expect.stringContaining('API server'),
    ]);
    expect(missingFacts(clusterFacts({ ...NOTHING, apiServer: CLUSTER.apiServer }, {}))).toEqual([
      expect.stringContaining('nodes'),
    ]);
  });

  it.each<readonly [string, Partial<ClusterObjects>, readonly string[]]>([
    [
      'pods of both families',
      { nodes: [node('one', ['10.244.0.0/24', 'fd00:1::/64'], ['192.0.2.11'])] },
      ['IPv4', 'IPv6'],
    ],
    ['pods of IPv6 alone', { nodes: [node('one', ['fd00:1::/64'], ['192.0.2.11'])] }, ['IPv6']],
    [
      // Where the network gives out addresses by itself, Services still tell the families.
      'nodes without ranges',
      { nodes: [node('one', [], ['192.0.2.11', '2001:db8::11'])] },
      ['IPv4'],
    ],
    [
      'Services of both families',
      { nodes: [], serviceCidrs: [serviceCidr('10.96.0.0/12', 'fd00:2::/108')] },
      ['IPv4', 'IPv6'],
    ],
    [
      'nothing but nodes',
      {
        nodes: [node('one', [], ['2001:db8::11'])],
        serviceCidrs: [],
        apiServer: { slices: [] },
      },
      ['IPv6'],
    ],
  ])('tells the families of a cluster with %s', (_, objects, families) => {
    expect(clusterFacts({ ...CLUSTER, ...objects }, {}).families).toEqual(families);
  });

  it('adds what the configuration tells', () => {
    const facts = clusterFacts(
      { ...CLUSTER, dns: { slices: [] } },
      {
        podRanges: ['10.0.0.0/16'],
        serviceRanges: ['fd00:2::/108'],
        policyEngine: 'Present',
        dnsService: { namespace: 'openshift-dns', name: 'dns-default' },
      },
    );
    expect(facts.podRanges.cidrs()).toEqual(['10.0.0.0/16', '10.244.0.0/23']);
    expect(facts.serviceRanges.cidrs()).toEqual(['10.96.0.0/12', 'fd00:2::/108']);
    expect(facts.policyEngine).toEqual({ seen: 'Yes' });
    expect(facts.dns.namespace).toBe('openshift-dns');
  });

  it('lets the configuration say whether an engine is there', () => {
    const cilium: DaemonSet = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { namespace: 'kube-system', name: 'cilium' },
    };
    const objects = { ...CLUSTER, daemonSets: [cilium] };
    const told = (policyEngine: 'Auto' | 'Present' | 'Absent') =>
      clusterFacts(objects, { policyEngine }).policyEngine;
    expect(told('Auto')).toEqual({ seen: 'Yes', name: 'Cilium' });
    expect(told('Present')).toEqual({ seen: 'Yes', name: 'Cilium' });
    expect(told('Absent')).toEqual({ seen: 'No' });
  });

  it('knows where the pods of DNS listen', () => {
    const ports = [
      { name: 'dns', port: 53, targetPort: 'dns', protocol: 'UDP' as const },
      { name: 'dns-tcp', port: 53, targetPort: 5353, protocol: 'TCP' as const },
      { name: 'metrics', port: 9154, targetPort: 'metrics', protocol: 'TCP' as const },
    ];
    const service: Service = { ...KUBE_DNS, spec: { ...KUBE_DNS.spec, ports } };
    const slices: readonly EndpointSlice[] = [
      {
        ...slice('IPv4', ['10.244.0.2'], 53),
        ports: [
          { name: 'dns', port: 5454, protocol: 'UDP' },
          { name: 'metrics', port: 9154, protocol: 'TCP' },
        ],
      },
    ];
    const { dns } = clusterFacts({ ...CLUSTER, dns: { service, slices } }, {});
    expect(dns.podPorts).toEqual([5353, 5454]);
  });

  it('finds DNS outside of the cluster by its endpoints, in it by its pods alone', () => {
    const slices = [slice('IPv4', ['10.244.0.2'], 53)];
    expect(
      clusterFacts({ ...CLUSTER, dns: { service: KUBE_DNS, slices } }, {}).dns.addresses.cidrs(),
    ).toEqual(['10.96.0.10/32']);
    const withoutPods = service('kube-system', 'kube-dns', { clusterIPs: ['10.96.0.10'] });
    const { dns } = clusterFacts({ ...CLUSTER, dns: { service: withoutPods, slices } }, {});
    expect(dns.addresses.cidrs()).toEqual(['10.96.0.10/32', '10.244.0.2/32']);
    expect(dns.podLabels).toEqual({});
  });

  it.each([
    [['-localip', '169.254.20.10,10.96.0.10', '-conf', '/etc/Corefile']],
    [['-localip=169.254.20.10,10.96.0.10']],
    [['--localip', '169.254.20.10']],
  ])('knows the addresses of NodeLocal DNSCache from %j', (args) => {
    const cache: DaemonSet = {
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: { namespace: 'kube-system', name: 'node-local-dns' },
      spec: { template: { spec: { containers: [{ name: 'node-cache', args }] } } },
    };
    const { dns } = clusterFacts({ ...CLUSTER, daemonSets: [cache] }, {});
    expect(dns.addresses.cidrs()).toEqual(['10.96.0.10/32', '169.254.20.10/32']);
  });

  const selector = { app: 'maker' };
  it.each<readonly [string, NonNullable<Service['spec']>, boolean]>([
    ['a load balancer', { type: 'LoadBalancer', selector }, true],
    [
      'a load balancer that keeps the address',
      { type: 'LoadBalancer', externalTrafficPolicy: 'Local', selector },
      false,
    ],
    ['a node port', { type: 'NodePort', externalTrafficPolicy: 'Cluster', selector }, true],
    ['external addresses', { type: 'ClusterIP', externalIPs: ['192.0.2.80'], selector }, true],
    ['a Service for the cluster', { type: 'ClusterIP', selector }, false],
    ['a load balancer without pods', { type: 'LoadBalancer' }, false],
  ])('tells whether clients are hidden by %s', (_, spec, hides) => {
    const objects = { ...CLUSTER, services: [service('trading', 'quotes', spec)] };
    expect(clusterFacts(objects, {}).rewritingServices).toEqual(
      hides ? [{ namespace: 'trading', name: 'quotes', selector }] : [],
    );
  });

  it('takes what can be taken from objects with odd spellings', () => {
    const facts = clusterFacts(
      {
        ...CLUSTER,
        nodes: [node('one', ['10.244.3.7/24', 'none'], ['192.0.2.11', 'fe80::1%eth0', ''])],
        dns: {
          service: service('kube-system', 'kube-dns', { clusterIP: 'None', clusterIPs: ['None'] }),
          slices: [slice('FQDN', ['dns.example'], 53)],
        },
      },
      {},
    );
    expect(facts.podRanges.cidrs()).toEqual(['10.244.3.0/24']);
    expect(facts.nodeAddresses.cidrs()).toEqual(['192.0.2.11/32', 'fe80::1/128']);
    expect(facts.dns.addresses.isEmpty).toBe(true);
  });
});
