import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#kube/objects.ts';
import { addressSet, unionOf } from '../cidr/address-set.ts';
import { compileCilium } from './cilium.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { factsOf, groupOf, longNamespaces, manyAddresses, NOTHING } from './testing/samples.ts';

interface CidrGroup extends KubeObject {
  readonly spec: { readonly externalCIDRs: readonly string[] };
}
interface Policy extends KubeObject {
  readonly spec: {
    readonly endpointSelector: unknown;
    readonly enableDefaultDeny: unknown;
    readonly ingressDeny?: readonly { fromCIDRSet: readonly { cidrGroupRef: string }[] }[];
    readonly egressDeny?: readonly { toCIDRSet: readonly { cidrGroupRef: string }[] }[];
  };
}

const BOTH = factsOf('IPv4', 'IPv6');
const IPV4 = factsOf('IPv4');
const PLACEHOLDER = addressSet(['192.0.2.0/32']);
const OLD = [
  { group: 'cilium.io', version: 'v2', resources: ['ciliumclusterwidenetworkpolicies'] },
  { group: 'cilium.io', version: 'v2alpha1', resources: ['ciliumcidrgroups'] },
];

function compile(
  groups: readonly BlockGroup[],
  o: Partial<Parameters<typeof compileCilium>[1]> = {},
) {
  const { objects, gaps } = compileCilium(groups, { guardedNamespaces: [], facts: BOTH, ...o });
  return {
    objects,
    gaps,
    cidrGroups: objects.filter(({ kind }) => kind === 'CiliumCIDRGroup') as CidrGroup[],
    policies: objects.filter(({ kind }) => kind === 'CiliumClusterwideNetworkPolicy') as Policy[],
  };
}

function deniedBy(policy: Policy | undefined, cidrGroups: readonly CidrGroup[]) {
  const names = [
    ...(policy?.spec.ingressDeny ?? []).flatMap(({ fromCIDRSet }) => fromCIDRSet),
    ...(policy?.spec.egressDeny ?? []).flatMap(({ toCIDRSet }) => toCIDRSet),
  ].map(({ cidrGroupRef }) => cidrGroupRef);
  return unionOf(
    names.map((name) => {
      const found = cidrGroups.find(({ metadata }) => metadata.name === name);
      if (found === undefined) throw new Error(`${name} is referred to and not there`);
      return addressSet(found.spec.externalCIDRs);
    }),
  );
}

describe('blocks as objects of Cilium', () => {
  it('deny what comes in, and switch no default-deny on', () => {
    const { policies, cidrGroups } = compile([
      groupOf(['198.51.100.0/24', '2001:db8:1::/48'], { key: 'ingress', direction: 'Ingress' }),
    ]);
    expect(cidrGroups.map(({ metadata, spec }) => [metadata.name, spec.externalCIDRs])).toEqual([
      ['strongroom-ingress-v4-0-0-0-0-0', ['192.0.2.0/32', '198.51.100.0/24']],
      ['strongroom-ingress-v6-0-0', ['192.0.2.0/32', '2001:db8:1::/48']],
    ]);
    expect(policies).toEqual([
      {
        apiVersion: 'cilium.io/v2',
        kind: 'CiliumClusterwideNetworkPolicy',
        metadata: {
          name: 'strongroom-ingress',
          labels: {
            'app.kubernetes.io/managed-by': 'strongroom',
            'strongroom.dev/component': 'network',
          },
        },
        spec: {
          endpointSelector: {
            matchLabels: {
              'k8s:io.cilium.k8s.namespace.labels.strongroom.dev/guarded': 'true',
            },
          },
          enableDefaultDeny: { ingress: false, egress: false },
          ingressDeny: [
            {
              fromCIDRSet: [
                { cidrGroupRef: 'strongroom-ingress-v4-0-0-0-0-0' },
                { cidrGroupRef: 'strongroom-ingress-v6-0-0' },
              ],
            },
          ],
        },
      },
    ]);
  });

  it('select named namespaces while they are guarded', () => {
    const { policies } = compile(
      [groupOf(['198.51.100.0/24'], { namespaces: ['trading', 'other', 'desk', 'desk'] })],
      { guardedNamespaces: ['desk', 'trading', 'more'] },
    );
    expect(policies[0]?.spec.endpointSelector).toEqual({
      matchLabels: { 'k8s:io.cilium.k8s.namespace.labels.strongroom.dev/guarded': 'true' },
      matchExpressions: [
        { key: 'k8s:io.kubernetes.pod.namespace', operator: 'In', values: ['desk', 'trading'] },
      ],
    });
  });

  it.each<readonly [string, readonly BlockGroup[]]>([
    ['no groups', []],
    ['a group without addresses', [groupOf(NOTHING)]],
    ['a group about no guarded namespace', [groupOf(['198.51.100.1'], { namespaces: ['other'] })]],
    ['a group about no namespace', [groupOf(['198.51.100.1'], { namespaces: [] })]],
  ])('are none for %s', (_, groups) => {
    const { objects, gaps } = compile(groups, { guardedNamespaces: ['trading'] });
    expect({ objects, gaps }).toEqual({ objects: [], gaps: [] });
  });

  it('hold no addresses of a family that the cluster lacks, and say so', () => {
    const groups = [groupOf(['2001:db8:1::/48', '198.51.100.1'], { blocks: ['a', 'b', 'c', 'd'] })];
    const { cidrGroups, gaps } = compile(groups, { facts: IPV4 });
    expect(cidrGroups.map(({ spec }) => spec.externalCIDRs)).toEqual([
      ['192.0.2.0/32', '198.51.100.1/32'],
    ]);
    expect(gaps).toEqual([
      {
        type: 'FamilyAbsent',
        direction: 'Egress',
        message:
          'pods have IPv4 addresses only, so the other addresses of IPBlocks a, b, c and 1 more are not written',
      },
    ]);
    const onlyIPv6 = compile([groupOf(['2001:db8:1::/48'])], { facts: IPV4 });
    expect([onlyIPv6.objects.length, onlyIPv6.gaps.length]).toEqual([0, 1]);
    const ipv6Cluster = compile(groups, { facts: factsOf('IPv6') });
    expect(ipv6Cluster.cidrGroups.map(({ spec }) => spec.externalCIDRs)).toEqual([
      ['2001:db8::/128', '2001:db8:1::/48'],
    ]);
  });

  it('deny exactly the addresses of their group, and the placeholder', () => {
    const cidr = fc.oneof(
      fc
        .tuple(fc.nat({ max: 255 }), fc.integer({ min: 8, max: 24 }))
        .map(([octet, bits]) => addressSet([`198.51.${octet}.0/24`]).cidrs()[0] ?? String(bits)),
      fc.nat({ max: 65_535 }).map((host) => `203.0.${host >> 8}.${host & 255}/32`),
      fc.nat({ max: 65_535 }).map((host) => `2001:db8:${host.toString(16)}::/48`),
    );
    fc.assert(
      fc.property(
        fc.array(
          fc.record({
            cidrs: fc.array(cidr, { minLength: 1, maxLength: 60 }),
            direction: fc.constantFrom('Ingress' as const, 'Egress' as const),
          }),
          { minLength: 1, maxLength: 4 },
        ),
        (drawn) => {
          const groups = drawn.map(({ cidrs, direction }, index) =>
            groupOf(cidrs, { key: `g${index}`, direction }),
          );
          const { policies, cidrGroups } = compile(groups);
          expect(policies).toHaveLength(groups.length);
          for (const [index, { addresses }] of groups.entries()) {
            const denied = deniedBy(policies[index], cidrGroups);
            expect(denied.equals(addresses.union(PLACEHOLDER))).toBe(true);
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are many small groups for 50,000 addresses, before the policy that refers to them', () => {
    const addresses = addressSet(manyAddresses(50_000));
    const { objects, policies, cidrGroups } = compile([groupOf(addresses)]);
    expect(deniedBy(policies[0], cidrGroups).equals(addresses.union(PLACEHOLDER))).toBe(true);
    expect(Math.max(...cidrGroups.map((one) => one.spec.externalCIDRs.length))).toBeLessThan(2002);
    expect(cidrGroups.length).toBeLessThan(100);
    expect(objects.at(-1)?.kind).toBe('CiliumClusterwideNetworkPolicy');
  });

  it('change in one object when one address does', () => {
    const before = manyAddresses(20_000);
    const after = [...before.slice(1), '198.51.100.1'];
    const [one, other] = [before, after.slice(0, -1)].map((cidrs) =>
      compile([groupOf(cidrs)]).objects.map((object) => JSON.stringify(object)),
    );
    expect(other?.filter((text) => !one?.includes(text))).toHaveLength(1);
    expect(other).toHaveLength(one?.length ?? -1);
  });

  it('have names of 63 characters at most', () => {
    const { objects } = compile(
      [
        groupOf(['2001:db8:1:2:3:4:5:6', '198.51.100.1'], { key: 'k'.repeat(253) }),
        groupOf(['198.51.100.1'], { key: `${'k'.repeat(252)}l`, namespaces: longNamespaces(200) }),
      ],
      { guardedNamespaces: longNamespaces(200) },
    );
    const names = objects.map(({ kind, metadata }) => `${kind} ${metadata.name}`);
    expect(new Set(names).size).toBe(5);
    expect(objects.map(({ metadata }) => metadata.name.length).filter((n) => n > 63)).toEqual([]);
  });
});

describe('for Cilium before 1.18', () => {
  it('groups are of v2alpha1', () => {
    const { cidrGroups } = compile([groupOf(['198.51.100.1'])], { served: OLD });
    expect(cidrGroups.map(({ apiVersion }) => apiVersion)).toEqual(['cilium.io/v2alpha1']);
  });

  it('no more is written than its policy maps hold, in each direction', () => {
    const addresses = addressSet(manyAddresses(20_000));
    const groups = [
      groupOf(['198.51.100.1'], { key: 'first' }),
      groupOf(addresses, { key: 'big', blocks: ['feed'] }),
      groupOf(['198.51.100.0/24'], { key: 'in', direction: 'Ingress' }),
    ];
    const { policies, cidrGroups, gaps } = compile(groups, { served: OLD });
    const [first, big, ingress] = policies.map((policy) => deniedBy(policy, cidrGroups));
    expect(first?.contains('198.51.100.1')).toBe(true);
    expect(ingress?.contains('198.51.100.77')).toBe(true);
    const written = big?.minus(PLACEHOLDER).cidrs().length ?? 0;
    expect(written).toBeGreaterThan(5000);
    expect(written).toBeLessThan(8000);
    expect(gaps.map(({ type, direction }) => [type, direction])).toEqual([
      ['BackendFull', 'Egress'],
    ]);
    expect(gaps[0]?.message).toContain(`${20_000 - written} of the 20000 CIDRs of IPBlock feed`);
  });
});
