import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#kube/objects.ts';
import { addressSet, unionOf } from '../cidr/address-set.ts';
import { compileCalico } from './calico.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { factsOf, groupOf, longNamespaces, manyAddresses, NOTHING } from './testing/samples.ts';

interface CalicoObject extends KubeObject {
  readonly spec: Readonly<Record<string, unknown>>;
}

const LABELS = {
  'app.kubernetes.io/managed-by': 'strongroom',
  'strongroom.dev/component': 'network',
};
const GLOBAL = (key: string) => ({
  namespaceSelector: 'global()',
  selector: `strongroom.dev/address-group == 'strongroom-${key}'`,
});

function compile(
  groups: readonly BlockGroup[],
  o: Partial<Parameters<typeof compileCalico>[1]> = {},
) {
  const { objects, gaps } = compileCalico(groups, {
    guardedNamespaces: [],
    facts: factsOf('IPv4', 'IPv6'),
    ...o,
  });
  const of = (kind: string) => objects.filter((object) => object.kind === kind) as CalicoObject[];
  return {
    objects,
    gaps,
    sets: of('GlobalNetworkSet'),
    policies: of('GlobalNetworkPolicy'),
  };
}

describe('blocks as objects of Calico', () => {
  it('deny in a tier of their own, and pass on all else', () => {
    const { objects } = compile([
      groupOf(['198.51.100.0/24', '2001:db8::/48'], { key: 'ingress', direction: 'Ingress' }),
      groupOf(['198.51.100.0/24']),
    ]);
    const apiVersion = 'projectcalico.org/v3';
    const set = (key: string, shard: string, nets: readonly string[]) => ({
      apiVersion,
      kind: 'GlobalNetworkSet',
      metadata: {
        name: `strongroom-${key}-${shard}`,
        labels: { ...LABELS, 'strongroom.dev/address-group': `strongroom-${key}` },
      },
      spec: { nets },
    });
    const policy = (key: string, spec: object) => ({
      apiVersion,
      kind: 'GlobalNetworkPolicy',
      metadata: { name: `strongroom.strongroom-${key}-n0`, labels: LABELS },
      spec: {
        tier: 'strongroom',
        order: 100,
        namespaceSelector: "strongroom.dev/guarded == 'true'",
        ...spec,
      },
    });
    expect(objects).toEqual([
      {
        apiVersion,
        kind: 'Tier',
        metadata: { name: 'strongroom', labels: LABELS },
        spec: { order: 100, defaultAction: 'Pass' },
      },
      set('ingress', 'v4-0-0-0-0-0', ['198.51.100.0/24']),
      set('ingress', 'v6-0-0', ['2001:db8::/48']),
      set('egress', 'v4-0-0-0-0-0', ['198.51.100.0/24']),
      policy('ingress', {
        types: ['Ingress'],
        ingress: [{ action: 'Deny', source: GLOBAL('ingress') }, { action: 'Pass' }],
      }),
      policy('egress', {
        types: ['Egress'],
        egress: [{ action: 'Deny', destination: GLOBAL('egress') }, { action: 'Pass' }],
      }),
    ]);
  });

  it('are of the CRDs behind the API server where that is not served', () => {
    const served = [
      {
        group: 'crd.projectcalico.org',
        version: 'v1',
        resources: ['tiers', 'globalnetworksets', 'globalnetworkpolicies'],
      },
    ];
    const versions = (o: object) =>
      new Set(compile([groupOf(['198.51.100.1'])], o).objects.map(({ apiVersion }) => apiVersion));
    expect([...versions({ served })]).toEqual(['crd.projectcalico.org/v1']);
    const both = [
      ...served,
      { group: 'projectcalico.org', version: 'v3', resources: [], stale: true as const },
    ];
    expect([...versions({ served: both })]).toEqual(['projectcalico.org/v3']);
  });

  it.each<readonly [string, readonly BlockGroup[]]>([
    ['no groups', []],
    ['a group without addresses', [groupOf(NOTHING)]],
    ['a group about no guarded namespace', [groupOf(['198.51.100.1'], { namespaces: ['other'] })]],
  ])('are none, and no tier, for %s', (_, groups) => {
    expect(compile(groups).objects).toEqual([]);
  });

  it('hold no addresses of a family that the cluster lacks', () => {
    const { sets, gaps } = compile([groupOf(['2001:db8::/48', '198.51.100.1'])], {
      facts: factsOf('IPv4'),
    });
    expect(sets.map(({ spec }) => spec['nets'])).toEqual([['198.51.100.1/32']]);
    expect(gaps.map(({ type }) => type)).toEqual(['FamilyAbsent']);
  });

  it('select 200 namespaces in as many policies as the length of selectors asks for', () => {
    const namespaces = longNamespaces(200);
    const { policies } = compile([groupOf(['198.51.100.1'], { namespaces })], {
      guardedNamespaces: namespaces.toReversed(),
    });
    const selectors = policies.map(({ spec }) => String(spec['namespaceSelector']));
    expect(selectors.filter((one) => one.length > 1024)).toEqual([]);
    expect(
      selectors.filter((one) =>
        one.startsWith("strongroom.dev/guarded == 'true' && kubernetes.io/metadata.name in {"),
      ),
    ).toHaveLength(selectors.length);
    const selected = selectors.flatMap((one) => [...one.matchAll(/'([0-9]{3}-n+)'/g)]);
    expect(selected.map(([, name]) => name)).toEqual(namespaces);
    expect(new Set(policies.map(({ metadata }) => metadata.name)).size).toBe(policies.length);
    // 14 names of 63 characters fit.
    expect(policies).toHaveLength(15);
  });

  it('hold 50,000 addresses in sets of 2,000, and each once', () => {
    const addresses = addressSet(manyAddresses(50_000));
    const { sets, policies } = compile([groupOf(addresses)]);
    const nets = sets.map(({ spec }) => spec['nets'] as readonly string[]);
    expect(Math.max(...nets.map(({ length }) => length))).toBeLessThanOrEqual(2000);
    expect(nets.flat()).toHaveLength(50_000);
    expect(unionOf(nets.map((one) => addressSet(one))).equals(addresses)).toBe(true);
    expect(policies).toHaveLength(1);
  });
});
