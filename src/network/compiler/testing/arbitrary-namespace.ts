/** Namespaces with pods, grants, blocks and policies of others, all about the same few things. */
import fc from 'fast-check';
import type { NetworkPolicy, NetworkPolicyPeer } from '#kube/objects.ts';
import type { ActiveBlock } from '../../active-block.ts';
import { addressSet } from '../../cidr/address-set.ts';
import type { Family, NetworkPod } from '../../cluster-facts.ts';
import type { NamespaceInput } from '../compiler.ts';
import type { GrantRule, NetworkGrant } from '../grant.ts';
import { arbitraryCidr } from './arbitrary-addresses.ts';
import { arbitraryLabels, arbitrarySelector } from './arbitrary-labels.ts';
import { blockOf, factsOf, foreignOf, grantOf, NAMESPACE, podOf } from './builders.ts';

const STAMP = 'strongroom.dev/service-account';
const account = fc.constantFrom('a', 'b', 'maker');
const port = fc.constantFrom(80, 443, 8080);
const protocol = fc.constantFrom('TCP' as const, 'UDP' as const);
const namespace = fc.constantFrom(NAMESPACE, 'other');

/** Most have a label of their account, as programs do; some have nothing to tell them apart by. */
const arbitraryPod = fc
  .record({
    account,
    labels: arbitraryLabels,
    own: fc.constantFrom('app', STAMP, undefined),
    hostNetwork: fc.constantFrom(false, false, false, false, true),
  })
  .map(({ account: name, labels, own, hostNetwork }) =>
    podOf(
      '',
      { ...labels, ...(own !== undefined && { [own]: name }) },
      { serviceAccount: name, hostNetwork, ports: [{ name: 'web', port: 8080, protocol: 'TCP' }] },
    ),
  );

/** Addresses of pods lie apart from all others: what blocks may never have is another matter. */
function settled(
  pods: readonly NetworkPod[],
  from: number,
  families: readonly Family[],
): readonly NetworkPod[] {
  return pods.map((pod, at) => ({
    ...pod,
    name: `pod-${from + at}`,
    addresses: families.map((family) =>
      family === 'IPv4' ? `10.1.0.${from + at}` : `fd00::${(from + at).toString(16)}`,
    ),
  }));
}

const grantPorts = fc.array(
  fc.record(
    { port, protocol, endPort: fc.constantFrom(8080, 9000) },
    { requiredKeys: ['port', 'protocol'] },
  ),
  { minLength: 1, maxLength: 2 },
);
const grantRule: fc.Arbitrary<GrantRule> = fc.record(
  {
    addresses: fc.array(arbitraryCidr, { maxLength: 3 }).map(addressSet),
    pods: fc.array(fc.record({ namespace, podLabels: fc.constantFrom({}, { app: 'a' }) }), {
      maxLength: 2,
    }),
    ports: grantPorts,
  },
  { requiredKeys: ['addresses'] },
);
const rules = fc.array(grantRule, { maxLength: 2 });
const arbitraryGrant: fc.Arbitrary<NetworkGrant> = fc
  .tuple(
    account,
    fc.constantFrom('p', 'q'),
    fc.record({ egress: rules, ingress: rules }, { requiredKeys: [] }),
  )
  .map(([name, policy, grant]) => grantOf(name, grant, policy));

const foreignPeer: fc.Arbitrary<NetworkPolicyPeer> = fc.oneof(
  arbitraryCidr.map((cidr) => ({ ipBlock: { cidr } })),
  arbitrarySelector.map((podSelector) => ({ podSelector })),
  fc.constant({ namespaceSelector: {} }),
);
const foreignRule = fc.record(
  {
    peers: fc.array(foreignPeer, { maxLength: 2 }),
    ports: fc.constantFrom([{ port: 443 }], [{ port: 'web' }], [{ protocol: 'UDP' as const }]),
  },
  { requiredKeys: [] },
);
const foreignRules = fc.array(foreignRule, { maxLength: 2 });
const arbitraryForeign: fc.Arbitrary<NetworkPolicy> = fc
  .record({
    podSelector: arbitrarySelector,
    types: fc.constantFrom<NonNullable<NonNullable<NetworkPolicy['spec']>['policyTypes']>>(
      ['Ingress'],
      ['Egress'],
      ['Ingress', 'Egress'],
    ),
    ingress: foreignRules,
    egress: foreignRules,
  })
  .map(({ podSelector, types, ingress, egress }) =>
    foreignOf('', {
      podSelector,
      policyTypes: types,
      ...(types.includes('Ingress') && {
        ingress: ingress.map(({ peers, ports }) => ({
          ...(peers !== undefined && { from: peers }),
          ...(ports !== undefined && { ports }),
        })),
      }),
      ...(types.includes('Egress') && {
        egress: egress.map(({ peers, ports }) => ({
          ...(peers !== undefined && { to: peers }),
          ...(ports !== undefined && { ports }),
        })),
      }),
    }),
  );

const arbitraryBlock: fc.Arbitrary<ActiveBlock> = fc
  .tuple(
    fc.array(arbitraryCidr, { minLength: 1, maxLength: 12, size: 'max' }),
    fc.constantFrom([true, true] as const, [true, false] as const, [false, true] as const),
  )
  .map(([cidrs, [ingress, egress]]) => blockOf('', cidrs, { ingress, egress }));

export interface ArbitraryNamespace {
  readonly input: NamespaceInput;
  /** Pods that come later, of accounts that grants are about or are not. */
  readonly later: readonly NetworkPod[];
  readonly elsewhere: readonly NetworkPod[];
}

export const arbitraryNamespace: fc.Arbitrary<ArbitraryNamespace> = fc
  .record({
    pods: fc.array(arbitraryPod, { maxLength: 5 }),
    later: fc.array(arbitraryPod, { maxLength: 3 }),
    elsewhere: fc.array(arbitraryPod, { minLength: 1, maxLength: 2 }),
    foreign: fc.oneof(
      fc.array(arbitraryForeign, { maxLength: 2 }),
      fc.array(arbitraryForeign, { minLength: 4, maxLength: 8 }),
    ),
    grants: fc.array(arbitraryGrant, { maxLength: 4 }),
    blocks: fc.array(arbitraryBlock, { minLength: 1, maxLength: 3 }),
    families: fc.constantFrom(
      ['IPv4', 'IPv6'] as const,
      ['IPv4', 'IPv6'] as const,
      ['IPv4'] as const,
      ['IPv6'] as const,
    ),
  })
  .map(({ pods, later, elsewhere, foreign, grants, blocks, families }) => ({
    input: {
      namespace: NAMESPACE,
      pods: settled(pods, 1, families),
      foreign: foreign.map((policy, at) => ({
        ...policy,
        metadata: { ...policy.metadata, name: `theirs-${at}` },
      })),
      grants,
      blocks: blocks.map((block, at) => ({ ...block, name: `block-${at}` })),
      facts: factsOf({ families }),
    },
    later: settled(later, 101, families),
    elsewhere: settled(elsewhere, 201, families).map((pod) => ({ ...pod, namespace: 'other' })),
  }));
