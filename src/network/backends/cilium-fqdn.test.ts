import { describe, expect, it } from 'vitest';
import { compileCiliumFqdn } from './cilium-fqdn.ts';
import type { HostGrant } from './cilium-fqdn.ts';
import { factsOf } from './testing/samples.ts';

const FACTS = factsOf('IPv4');
const MAKER: HostGrant = {
  namespace: 'trading',
  podLabels: { app: 'maker' },
  hosts: ['api.hyperliquid.xyz', 'API.Phemex.com.', '*.phemex.com', 'api.phemex.com'],
  ports: [{ port: 443, protocol: 'TCP' }],
};
const HEDGER: HostGrant = { namespace: 'trading', podLabels: { app: 'hedger' }, hosts: ['a.test'] };

describe('host names for Cilium', () => {
  it('are opened to the pods, with the DNS that Cilium learns addresses from', () => {
    expect(compileCiliumFqdn([MAKER], { facts: FACTS })).toEqual({
      gaps: [],
      objects: [
        {
          apiVersion: 'cilium.io/v2',
          kind: 'CiliumNetworkPolicy',
          metadata: {
            namespace: 'trading',
            name: 'strongroom-hosts',
            labels: {
              'app.kubernetes.io/managed-by': 'strongroom',
              'strongroom.dev/component': 'network',
            },
          },
          specs: [
            {
              endpointSelector: { matchLabels: { 'k8s:app': 'maker' } },
              egress: [
                {
                  toEndpoints: [
                    {
                      matchLabels: {
                        'k8s:io.kubernetes.pod.namespace': 'kube-system',
                        'k8s:k8s-app': 'kube-dns',
                      },
                    },
                  ],
                  toPorts: [
                    {
                      ports: [
                        { port: '53', protocol: 'UDP' },
                        { port: '53', protocol: 'TCP' },
                      ],
                      rules: { dns: [{ matchPattern: '*' }] },
                    },
                  ],
                },
                {
                  toFQDNs: [
                    { matchPattern: '*.phemex.com' },
                    { matchName: 'api.hyperliquid.xyz' },
                    { matchName: 'api.phemex.com' },
                  ],
                  toPorts: [{ ports: [{ port: '443', protocol: 'TCP' }] }],
                },
              ],
            },
          ],
        },
      ],
    });
  });

  it('are one policy a namespace, the same whatever the order of grants', () => {
    const other = { ...HEDGER, namespace: 'desk' };
    const { objects } = compileCiliumFqdn([MAKER, HEDGER, other], { facts: FACTS });
    expect(objects.map(({ metadata }) => metadata.namespace)).toEqual(['desk', 'trading']);
    expect(compileCiliumFqdn([other, HEDGER, MAKER], { facts: FACTS }).objects).toEqual(objects);
  });

  it('open all ports where none is named, and 40 in a list', () => {
    const ports = Array.from({ length: 90 }, (_, index) => ({
      port: 8000 + index * 10,
      endPort: 8005 + index * 10,
      protocol: 'TCP' as const,
    }));
    const [object] = compileCiliumFqdn([{ ...MAKER, ports }, HEDGER], { facts: FACTS }).objects;
    const lists = (object as unknown as Written).specs.map(({ egress }) =>
      (egress[1]?.toPorts ?? []).map((list) => list.ports.length),
    );
    expect(lists).toEqual([[], [40, 40, 10]]);
  });

  it('ask the DNS where its pods listen', () => {
    const facts = { ...FACTS, dns: { ...FACTS.dns, podPorts: [1053, 53] } };
    const [object] = compileCiliumFqdn([HEDGER], { facts }).objects;
    const [rule] = (object as unknown as Written).specs[0]?.egress ?? [];
    expect(rule?.toPorts?.[0]?.ports.map(({ port }) => port)).toEqual(['53', '53', '1053', '1053']);
  });

  it('are left to addresses where the DNS pods are not known, which is said', () => {
    const facts = { ...FACTS, dns: { ...FACTS.dns, podLabels: {} } };
    const { objects, gaps } = compileCiliumFqdn([HEDGER, MAKER], { facts });
    expect(objects).toEqual([]);
    expect(gaps.map(({ type }) => type)).toEqual(['NameByAddress']);
    expect(gaps[0]?.message).toContain('a.test');
    expect(compileCiliumFqdn([], { facts })).toEqual({ objects: [], gaps: [] });
  });

  it('are nothing for a grant without hosts', () => {
    expect(compileCiliumFqdn([{ ...MAKER, hosts: [] }], { facts: FACTS }).objects).toEqual([]);
  });
});

interface Written {
  readonly specs: readonly {
    readonly egress: readonly {
      readonly toPorts?: readonly { readonly ports: readonly { readonly port: string }[] }[];
    }[];
  }[];
}
