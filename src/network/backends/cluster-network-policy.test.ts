import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#kube/objects.ts';
import { addressSet } from '../cidr/address-set.ts';
import { compileClusterNetworkPolicy } from './cluster-network-policy.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import { factsOf, groupOf, longNamespaces, manyAddresses, NOTHING } from './testing/samples.ts';

interface ClusterPolicy extends KubeObject {
  readonly spec: {
    readonly tier: string;
    readonly priority: number;
    readonly subject: unknown;
    readonly egress: readonly {
      readonly action: string;
      readonly to: readonly { readonly networks: readonly string[] }[];
    }[];
  };
}

function compile(
  groups: readonly BlockGroup[],
  o: Partial<Parameters<typeof compileClusterNetworkPolicy>[1]> = {},
) {
  const { objects, gaps } = compileClusterNetworkPolicy(groups, {
    guardedNamespaces: [],
    facts: factsOf('IPv4', 'IPv6'),
    ...o,
  });
  return { policies: objects as readonly ClusterPolicy[], gaps };
}

describe('blocks as ClusterNetworkPolicies', () => {
  it('deny egress before every other policy, and nothing else', () => {
    const { policies, gaps } = compile([groupOf(['198.51.100.0/24', '2001:db8::/48'])]);
    const policy = (shard: string, networks: readonly string[]) => ({
      apiVersion: 'policy.networking.k8s.io/v1beta1',
      kind: 'ClusterNetworkPolicy',
      metadata: {
        name: `strongroom-egress-${shard}`,
        labels: {
          'app.kubernetes.io/managed-by': 'strongroom',
          'strongroom.dev/component': 'network',
        },
      },
      spec: {
        tier: 'Admin',
        priority: 0,
        subject: { namespaces: { matchLabels: { 'strongroom.dev/guarded': 'true' } } },
        egress: [{ action: 'Deny', to: [{ networks }] }],
      },
    });
    expect(policies).toEqual([
      policy('v4-0-0-0-0-0', ['198.51.100.0/24']),
      policy('v6-0-0', ['2001:db8::/48']),
    ]);
    expect(gaps).toEqual([]);
  });

  it('cannot deny ingress, which is said and not written', () => {
    const { policies, gaps } = compile([
      groupOf(['198.51.100.0/24'], {
        key: 'ingress',
        direction: 'Ingress',
        blocks: ['a', 'b'],
      }),
    ]);
    expect(policies).toEqual([]);
    expect(gaps).toEqual([
      {
        type: 'EgressOnly',
        direction: 'Ingress',
        message:
          'a ClusterNetworkPolicy cannot deny what comes from addresses, so it does not keep those of IPBlocks a, b from reaching pods; the node agent can',
      },
    ]);
  });

  it('are of v1alpha2 where nothing newer is served', () => {
    const served = [
      {
        group: 'policy.networking.k8s.io',
        version: 'v1alpha2',
        resources: ['clusternetworkpolicies'],
      },
    ];
    const { policies } = compile([groupOf(['198.51.100.1'])], { served });
    expect(policies.map(({ apiVersion }) => apiVersion)).toEqual([
      'policy.networking.k8s.io/v1alpha2',
    ]);
  });

  it.each<readonly [string, readonly BlockGroup[]]>([
    ['no groups', []],
    ['a group without addresses', [groupOf(NOTHING)]],
    ['a group about no guarded namespace', [groupOf(['198.51.100.1'], { namespaces: ['other'] })]],
  ])('are none for %s', (_, groups) => {
    expect(compile(groups)).toEqual({ policies: [], gaps: [] });
  });

  it('select named namespaces while they are guarded', () => {
    const namespaces = longNamespaces(200);
    const { policies } = compile([groupOf(['198.51.100.1'], { namespaces })], {
      guardedNamespaces: namespaces,
    });
    expect(policies.map(({ spec }) => spec.subject)).toEqual([
      {
        namespaces: {
          matchLabels: { 'strongroom.dev/guarded': 'true' },
          matchExpressions: [
            { key: 'kubernetes.io/metadata.name', operator: 'In', values: namespaces },
          ],
        },
      },
    ]);
  });

  it('hold every CIDR once, and 25 of everything at most', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 600, max: 6000 })),
        (count) => {
          const cidrs = addressSet(manyAddresses(count)).cidrs();
          const { policies } = compile([groupOf(cidrs)]);
          const rules = policies.map(({ spec }) => spec.egress);
          const peers = rules.flat().map(({ to }) => to);
          const networks = peers.flat().map((peer) => peer.networks);
          for (const { length } of [...rules, ...peers, ...networks]) {
            expect(length).toBeGreaterThan(0);
            expect(length).toBeLessThanOrEqual(25);
          }
          expect(networks.flat()).toEqual(cidrs);
          expect(new Set(rules.flat().map(({ action }) => action))).toEqual(new Set(['Deny']));
        },
      ),
      { numRuns: 20 },
    );
  });

  it('hold 50,000 addresses, whatever the number of priorities', () => {
    const { policies, gaps } = compile([groupOf(manyAddresses(50_000))]);
    expect(gaps).toEqual([]);
    expect(policies.length).toBeGreaterThan(20);
    expect(new Set(policies.map(({ spec }) => spec.priority))).toEqual(new Set([0]));
    expect(Math.max(...policies.map((policy) => JSON.stringify(policy).length))).toBeLessThan(
      100_000,
    );
  });
});
