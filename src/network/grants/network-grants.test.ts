import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { policyOf, uncheckedPolicy } from '#access/testing/builders.ts';
import type { AccessPolicySpec, NetworkPeer, PolicyNetwork, Subject } from '#api/access-policy.ts';
import { EMPTY_SET, addressSet, unionOf } from '../cidr/address-set.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import type { GrantRule } from '../compiler/grant.ts';
import { EXCHANGE_HOSTS, EXCHANGE_TESTNET_HOSTS } from '../exchange-hosts/exchange-hosts.ts';
import type { HostAddresses } from './exchange-access.ts';
import { hostsWantedBy, networkGrants } from './network-grants.ts';
import type { GrantSurroundings } from './network-grants.ts';

const FACTS: ClusterFacts = {
  families: ['IPv4'],
  podRanges: addressSet(['10.244.0.0/16']),
  serviceRanges: addressSet(['10.96.0.0/12']),
  nodeAddresses: addressSet(['192.0.2.11', '192.0.2.12']),
  apiServer: { addresses: addressSet(['10.96.0.1', '192.0.2.10']), ports: [443, 6443] },
  dns: {
    addresses: addressSet(['10.96.0.10']),
    namespace: 'kube-system',
    podLabels: { 'k8s-app': 'kube-dns' },
  },
  policyEngine: { seen: 'Yes' },
  rewritingServices: [],
};

const UNRESOLVED: HostAddresses = { addresses: EMPTY_SET, state: 'Unresolved' };
const MAKER: Subject = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' };

function fresh(...addresses: readonly string[]): HostAddresses {
  return { addresses: addressSet(addresses), state: 'Fresh' };
}

/** Every host at an address of its own, but for those given. */
function names(told: Readonly<Record<string, HostAddresses>> = {}) {
  const at = new Map<string, HostAddresses>();
  return (host: string): HostAddresses => {
    const found = told[host] ?? at.get(host) ?? fresh(`198.51.100.${at.size + 1}`);
    at.set(host, found);
    return found;
  };
}

function grantsOf(
  network: PolicyNetwork,
  about: Partial<GrantSurroundings> & { readonly spec?: Partial<AccessPolicySpec> } = {},
) {
  const { spec, ...surroundings } = about;
  return networkGrants(policyOf({ subjects: [MAKER], network, ...spec }, 'market-making'), {
    facts: FACTS,
    addressesOf: names(),
    isReady: () => true,
    ...surroundings,
  });
}

const typesOf = (gaps: readonly { readonly type: string }[]) => gaps.map(({ type }) => type);

/** With sets as their CIDRs, so that they can be compared. */
function plain(rules: readonly GrantRule[] | undefined) {
  return rules?.map(({ addresses, ...rule }) => ({
    ...rule,
    ...(addresses === undefined ? {} : { addresses: addresses.cidrs() }),
  }));
}

describe('networkGrants', () => {
  it('opens DNS by the pods and by the Service, with both protocols', () => {
    const { grants, gaps } = grantsOf({ egress: { dns: true } });
    expect(grants).toEqual([
      {
        namespace: 'trading',
        grant: {
          policy: { name: 'market-making', uid: 'market-making-uid' },
          serviceAccount: 'maker',
          egress: [expect.anything()],
        },
      },
    ]);
    expect(plain(grants[0]?.grant.egress)).toEqual([
      {
        addresses: ['10.96.0.10/32'],
        pods: [{ namespace: 'kube-system', podLabels: { 'k8s-app': 'kube-dns' } }],
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      },
    ]);
    expect(gaps).toEqual([]);
  });

  it('opens the port that the pods of DNS listen on', () => {
    const facts = { ...FACTS, dns: { ...FACTS.dns, podPorts: [5353] } };
    const [rule] = grantsOf({ egress: { dns: true } }, { facts }).grants[0]?.grant.egress ?? [];
    expect(rule?.ports).toEqual([
      { port: 53, protocol: 'UDP' },
      { port: 5353, protocol: 'UDP' },
      { port: 53, protocol: 'TCP' },
      { port: 5353, protocol: 'TCP' },
    ]);
  });

  it('does not open all pods of a namespace for DNS without labels', () => {
    const facts = { ...FACTS, dns: { ...FACTS.dns, podLabels: {} } };
    const [rule] = grantsOf({ egress: { dns: true } }, { facts }).grants[0]?.grant.egress ?? [];
    expect(rule?.pods).toBeUndefined();
    expect(rule?.addresses?.cidrs()).toEqual(['10.96.0.10/32']);
  });

  it('opens the API server behind its Service and at its own addresses', () => {
    const { grants } = grantsOf({ egress: { apiServer: true } });
    expect(plain(grants[0]?.grant.egress)).toEqual([
      {
        addresses: ['10.96.0.1/32', '192.0.2.10/32'],
        ports: [
          { port: 443, protocol: 'TCP' },
          { port: 6443, protocol: 'TCP' },
        ],
      },
    ]);
  });

  const peers: readonly NetworkPeer[] = [
    {
      cidr: '203.0.113.0/24',
      ports: [{ port: 443 }, { port: 9000, endPort: 9010, protocol: 'UDP' }],
    },
    { cidr: '2001:db8::/48' },
    { pods: { namespaces: ['trading', 'quotes'], matchLabels: { app: 'feed' } } },
    { pods: { namespaces: ['quotes'] }, ports: [{ port: 8443, protocol: 'SCTP' }] },
  ];
  const rules = [
    {
      addresses: ['203.0.113.0/24'],
      ports: [
        { port: 443, protocol: 'TCP' },
        { port: 9000, endPort: 9010, protocol: 'UDP' },
      ],
    },
    { addresses: ['2001:db8::/48'] },
    {
      pods: [
        { namespace: 'trading', podLabels: { app: 'feed' } },
        { namespace: 'quotes', podLabels: { app: 'feed' } },
      ],
    },
    { pods: [{ namespace: 'quotes', podLabels: {} }], ports: [{ port: 8443, protocol: 'SCTP' }] },
  ];

  it('opens ranges and pods, in either direction', () => {
    const [out] = grantsOf({ egress: { to: peers } }).grants;
    expect(plain(out?.grant.egress)).toEqual(rules);
    expect(out?.grant.ingress).toBeUndefined();
    const [into] = grantsOf({ ingress: { from: peers } }).grants;
    expect(plain(into?.grant.ingress)).toEqual(rules);
    expect(into?.grant.egress).toBeUndefined();
  });

  it('isolates what is present and empty, and leaves alone what is absent', () => {
    const [grant] = grantsOf({ egress: {} }).grants;
    expect(grant?.grant.egress).toEqual([]);
    expect(grant !== undefined && 'ingress' in grant.grant).toBe(false);
    expect(grantsOf({ ingress: {}, egress: { dns: false } }).grants[0]?.grant).toMatchObject({
      egress: [],
      ingress: [],
    });
  });

  it('is about ServiceAccounts alone, each once', () => {
    const { grants } = grantsOf(
      { egress: {} },
      {
        spec: {
          subjects: [
            { kind: 'Group', name: 'desk-mm' },
            MAKER,
            { kind: 'User', name: 'alice' },
            MAKER,
            { kind: 'ServiceAccount', namespace: 'quotes', name: 'maker' },
          ],
        },
      },
    );
    expect(grants.map(({ namespace, grant }) => `${namespace}/${grant.serviceAccount}`)).toEqual([
      'trading/maker',
      'quotes/maker',
    ]);
  });

  it('says where the operator does not work', () => {
    const { grants, gaps } = grantsOf(
      { egress: {} },
      {
        spec: { subjects: [MAKER, { kind: 'ServiceAccount', namespace: 'dark', name: 'maker' }] },
        isReady: (namespace) => namespace === 'trading',
      },
    );
    expect(grants.map(({ namespace }) => namespace)).toEqual(['trading']);
    expect(gaps).toEqual([
      {
        type: 'NamespaceNotReady',
        namespace: 'dark',
        message: expect.stringContaining('namespace dark is not guarded') as string,
      },
    ]);
  });

  it('gives nothing for a Deny, one that is being deleted, and one without network', () => {
    const surroundings = { facts: FACTS, addressesOf: names(), isReady: () => true };
    const none = { grants: [], gaps: [] };
    const network = { egress: { exchanges: ['Phemex' as const] } };
    expect(grantsOf(network, { spec: { effect: 'Deny' } })).toEqual(none);
    expect(networkGrants(policyOf({ subjects: [MAKER] }), surroundings)).toEqual(none);
    const policy = policyOf({ subjects: [MAKER], network });
    const leaving = {
      ...policy,
      metadata: { ...policy.metadata, deletionTimestamp: '2026-11-26T12:00:00Z' },
    };
    expect(networkGrants(leaving, surroundings)).toEqual(none);
    expect(networkGrants(policy, surroundings)).not.toEqual(none);
  });

  it('opens nothing for what no schema has checked', () => {
    const policy = uncheckedPolicy({
      subjects: [MAKER, { kind: 'ServiceAccount', name: 'nowhere' }],
      network: { egress: { exchanges: ['Newer'], to: [{ cidr: '10.0.0.1/8' }, {}] } },
    });
    const { grants } = networkGrants(policy, {
      facts: FACTS,
      addressesOf: names(),
      isReady: () => true,
    });
    expect(grants).toHaveLength(1);
    expect(grants[0]?.grant.egress).toEqual([{}, {}]);
  });
});

describe('exchanges', () => {
  it('opens all hosts of an exchange on port 443, and says that it goes by address', () => {
    const addressesOf = names();
    const { grants, gaps } = grantsOf({ egress: { exchanges: ['Phemex'] } }, { addressesOf });
    const hosts = EXCHANGE_HOSTS.Phemex;
    expect(hosts.length).toBeGreaterThan(1);
    expect(plain(grants[0]?.grant.egress)).toEqual([
      {
        addresses: unionOf(hosts.map((host) => addressesOf(host).addresses)).cidrs(),
        ports: [{ port: 443, protocol: 'TCP' }],
      },
    ]);
    expect(typesOf(gaps)).toEqual(['NameByAddress', 'DnsClosed']);
  });

  it('opens no exchange by address where a backend does so by name', () => {
    const { grants, gaps } = grantsOf(
      { egress: { exchanges: ['Hyperliquid'] } },
      { opensByName: true },
    );
    expect(grants.map(({ grant }) => grant.egress)).toEqual([[]]);
    expect(typesOf(gaps)).toEqual(['DnsClosed']);
  });

  it('opens DNS beside, or says that it does not', () => {
    const { gaps } = grantsOf({ egress: { exchanges: ['Phemex'], dns: true } });
    expect(typesOf(gaps)).not.toContain('DnsClosed');
  });

  it('says what could not be resolved, and what lately could not', () => {
    const [first = '', second = '', ...others] = EXCHANGE_HOSTS.Phemex;
    const addressesOf = names({
      [first]: UNRESOLVED,
      [second]: { addresses: addressSet(['203.0.113.7']), state: 'Stale' },
    });
    const { grants, gaps } = grantsOf({ egress: { exchanges: ['Phemex'] } }, { addressesOf });
    expect(grants[0]?.grant.egress?.[0]?.addresses?.contains('203.0.113.7')).toBe(true);
    const total = others.length + 2;
    expect(gaps.slice(1, 3)).toEqual([
      {
        type: 'NameUnresolved',
        direction: 'Egress',
        message: expect.stringMatching(`^Phemex: 1 of ${total} .*${first}$`) as string,
      },
      {
        type: 'NameStale',
        direction: 'Egress',
        message: expect.stringMatching(`^Phemex: 1 of ${total} .*grace time: ${second}$`) as string,
      },
    ]);
  });

  it('isolates also while nothing is resolved', () => {
    const { grants, gaps } = grantsOf(
      { egress: { exchanges: ['Deribit'] } },
      { addressesOf: () => UNRESOLVED },
    );
    expect(grants[0]?.grant.egress).toEqual([]);
    expect(typesOf(gaps)).toEqual(['NameByAddress', 'NameUnresolved', 'DnsClosed']);
  });

  it.each([
    ['a pod', '10.244.3.4'],
    ['a Service', '10.96.3.4'],
    ['a node', '192.0.2.12'],
    ['the API server', '192.0.2.10'],
    ['the metadata of a cloud', '169.254.169.254'],
    ['the pod itself', '127.0.0.1'],
    ['the pod itself, in IPv6', '::1'],
  ])('does not open %s because a name server says so', (_, address) => {
    const [host = ''] = EXCHANGE_HOSTS.Deribit;
    const { grants, gaps } = grantsOf(
      { egress: { exchanges: ['Deribit'] } },
      { addressesOf: names({ [host]: fresh(address) }) },
    );
    expect(grants[0]?.grant.egress).toEqual([]);
    expect(gaps).toContainEqual({
      type: 'NameUnresolved',
      direction: 'Egress',
      message: expect.stringContaining('addresses of the cluster itself') as string,
    });
  });

  it('opens a private link', () => {
    const [host = ''] = EXCHANGE_HOSTS.Deribit;
    const addressesOf = names({ [host]: fresh('10.20.30.40') });
    const { grants } = grantsOf({ egress: { exchanges: ['Deribit'] } }, { addressesOf });
    expect(grants[0]?.grant.egress?.[0]?.addresses?.cidrs()).toEqual(['10.20.30.40/32']);
  });

  it('wants the testnet beside production outside of Production alone', () => {
    const network = { egress: { exchanges: ['Deribit' as const] } };
    const hosts = (spec: Partial<AccessPolicySpec>) =>
      hostsWantedBy(policyOf({ network, ...spec }));
    const both = [...EXCHANGE_HOSTS.Deribit, ...EXCHANGE_TESTNET_HOSTS.Deribit];
    expect(hosts({ environments: ['Production'] })).toEqual(EXCHANGE_HOSTS.Deribit);
    expect(hosts({ environments: ['Staging'] })).toEqual(both);
    expect(hosts({ environments: ['Production', 'Development'] })).toEqual(both);
    expect(hosts({ effect: 'Deny' })).toEqual([]);
  });
});

describe('for any policy', () => {
  const peer = fc.oneof(
    fc.record({
      cidr: fc.constantFrom('203.0.113.0/24', '10.0.0.0/8', '0.0.0.0/0', '2001:db8::/32'),
    }),
    fc.record({ pods: fc.record({ namespaces: fc.constantFrom(['trading'], ['a', 'b']) }) }),
  );
  const network: fc.Arbitrary<PolicyNetwork> = fc.record(
    {
      egress: fc.record(
        {
          exchanges: fc.uniqueArray(fc.constantFrom('Phemex', 'Deribit', 'dYdX'), { maxLength: 3 }),
          to: fc.array(peer, { maxLength: 3 }),
          dns: fc.boolean(),
          apiServer: fc.boolean(),
        },
        { requiredKeys: [] },
      ),
      ingress: fc.record({ from: fc.array(peer, { maxLength: 3 }) }, { requiredKeys: [] }),
    },
    { requiredKeys: [] },
  );
  const account = fc.record({
    kind: fc.constant('ServiceAccount' as const),
    namespace: fc.constantFrom('trading', 'quotes', 'dark'),
    name: fc.constantFrom('maker', 'taker'),
  });
  const octet = fc.integer({ min: 0, max: 255 });
  /** Often an address that must stay shut. */
  const address = fc.oneof(
    fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.')),
    fc.tuple(octet, octet).map(([c, d]) => `10.244.${c}.${d}`),
    fc.constantFrom('192.0.2.10', '192.0.2.11', '10.96.0.1', '169.254.169.254', '127.0.0.1'),
  );

  it('opens what it names and nothing else', () => {
    let guardedHits = 0;
    fc.assert(
      fc.property(
        network,
        fc.array(account, { minLength: 1, maxLength: 4 }),
        fc.array(address, { minLength: 1, maxLength: 3 }),
        (wanted, subjects, resolved) => {
          const answer = fresh(...resolved);
          const { grants } = networkGrants(policyOf({ subjects, network: wanted }), {
            facts: FACTS,
            addressesOf: () => answer,
            isReady: (namespace) => namespace !== 'dark',
          });
          const inside = unionOf([
            FACTS.podRanges,
            FACTS.serviceRanges,
            FACTS.nodeAddresses,
            FACTS.apiServer.addresses,
          ]);
          if ((wanted.egress?.exchanges ?? []).length > 0 && answer.addresses.intersects(inside)) {
            guardedHits += 1;
          }
          const named = addressSet((wanted.egress?.to ?? []).flatMap(({ cidr }) => cidr ?? []));
          const hasExchange = (wanted.egress?.exchanges ?? []).length > 0;
          const mayOpen = unionOf([
            named,
            wanted.egress?.dns === true ? FACTS.dns.addresses : EMPTY_SET,
            wanted.egress?.apiServer === true ? FACTS.apiServer.addresses : EMPTY_SET,
            hasExchange ? answer.addresses.minus(inside) : EMPTY_SET,
          ]);
          for (const { namespace, grant } of grants) {
            expect(namespace).not.toBe('dark');
            expect(grant.egress === undefined).toBe(wanted.egress === undefined);
            expect(grant.ingress === undefined).toBe(wanted.ingress === undefined);
            const opened = unionOf(
              (grant.egress ?? []).map(({ addresses }) => addresses ?? EMPTY_SET),
            );
            expect(mayOpen.covers(opened)).toBe(true);
            expect(opened.covers(named)).toBe(true);
          }
          const ready = subjects.filter(({ namespace }) => namespace !== 'dark');
          expect(
            grants.map(({ namespace, grant }) => `${namespace}/${grant.serviceAccount}`),
          ).toEqual([...new Set(ready.map(({ namespace, name }) => `${namespace}/${name}`))]);
        },
      ),
      { numRuns: 500 },
    );
    // The generator must try to open what must stay shut.
    expect(guardedHits).toBeGreaterThan(50);
  });
});
