import { describe, expect, it } from 'vitest';
import { policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy } from '#api/access-policy.ts';
import type { IPBlock, IPBlockSpec, IPBlockStatus } from '#api/ip-block.ts';
import type { NetworkPolicy } from '#kube/objects.ts';
import { EMPTY_SET, addressSet } from '#network/cidr/address-set.ts';
import type { ClusterFacts, NetworkPod } from '#network/cluster-facts.ts';
import { OUR_POLICY_LABELS } from '#network/compiler/our-policy.ts';
import { blockState } from '#network/controller/block-state.ts';
import { blocksOfRange, previewBlock, testAddress } from './block-report.ts';
import type { BlockWorld } from './block-world.ts';

const NOW = Date.parse('2026-11-26T12:00:00Z');
const BAD = '198.51.100.7';

const FACTS: ClusterFacts = {
  families: ['IPv4'],
  podRanges: addressSet(['10.244.0.0/16']),
  serviceRanges: addressSet(['10.96.0.0/12']),
  nodeAddresses: addressSet(['192.0.2.11']),
  apiServer: { addresses: addressSet(['192.0.2.10']), ports: [6443] },
  dns: {
    addresses: addressSet(['10.96.0.10']),
    namespace: 'kube-system',
    podLabels: { 'k8s-app': 'kube-dns' },
  },
  policyEngine: { seen: 'Yes' },
  rewritingServices: [],
};

function pod(namespace: string, name: string, about: Partial<NetworkPod> = {}): NetworkPod {
  return {
    namespace,
    name,
    labels: { app: name },
    serviceAccount: name,
    addresses: ['10.244.0.7'],
    hostNetwork: false,
    ports: [],
    ...about,
  };
}

function ipBlock(name: string, spec: Partial<IPBlockSpec> = {}, status?: IPBlockStatus): IPBlock {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name, creationTimestamp: '2026-11-26T11:00:00Z', generation: 1 },
    spec: { cidrs: ['198.51.100.0/24'], reason: 'scanner', ...spec },
    ...(status === undefined ? {} : { status }),
  };
}

/** Allows ingress from, and egress to, these ranges; for the pods of this name or all. */
function networkPolicy(
  namespace: string,
  name: string,
  cidrs: readonly string[],
  about: { readonly app?: string; readonly isOurs?: boolean; readonly except?: string } = {},
): NetworkPolicy {
  const peers = cidrs.map((cidr) => ({
    ipBlock: { cidr, ...(about.except === undefined ? {} : { except: [about.except] }) },
  }));
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name, ...(about.isOurs === true ? { labels: OUR_POLICY_LABELS } : {}) },
    spec: {
      podSelector: about.app === undefined ? {} : { matchLabels: { app: about.app } },
      policyTypes: ['Ingress', 'Egress'],
      ingress: [{ from: peers }],
      egress: [{ to: peers }],
    },
  };
}

function world(about: {
  readonly blocks?: readonly IPBlock[];
  readonly pods?: readonly NetworkPod[];
  readonly policies?: readonly NetworkPolicy[];
  readonly accessPolicies?: readonly AccessPolicy[];
  readonly facts?: Partial<ClusterFacts>;
}): BlockWorld {
  const { blocks = [], pods = [], policies = [], accessPolicies = [], facts = {} } = about;
  const surroundings = {
    facts: { ...FACTS, ...facts },
    exchanges: EMPTY_SET,
    operatorClients: addressSet(['198.51.100.99']),
    isProtectionKnown: true,
  };
  return {
    blocks: blocks.map((block) => ({
      block,
      state: blockState({ ...surroundings, block, feed: undefined }, NOW),
    })),
    namespaces: ['quotes', 'trading'].map((name) => ({ name, labels: {} })),
    pods,
    policies,
    accessPolicies,
    surroundings,
    backends: [],
    notes: [],
  };
}

describe('previewBlock', () => {
  const maker = pod('trading', 'maker');

  it('says what each pod loses, and what is left out', () => {
    const preview = previewBlock(world({ pods: [maker] }), ipBlock('scanner'), NOW);
    expect(preview).toMatchObject({
      phase: 'Active',
      leftOut: [{ protectedAs: 'clients of the operator', cidrs: ['198.51.100.99'] }],
      podsInScope: 1,
      state: 'Enforced',
      gaps: [],
    });
    expect(addressSet(preview.blocked).equals(addressSet(['198.51.100.0/24']))).toBe(false);
    expect(preview.losses.map(({ direction }) => direction)).toEqual(['Ingress', 'Egress']);
    for (const { loses, keeps } of preview.losses) {
      expect(loses).toEqual(preview.blocked);
      expect(keeps).toEqual([]);
    }
  });

  it('is about its scope and direction alone', () => {
    const pods = [maker, pod('quotes', 'feed')];
    const block = ipBlock('scanner', {
      scope: { namespaces: ['quotes'] },
      direction: 'Egress',
    });
    const { losses, podsInScope } = previewBlock(world({ pods }), block, NOW);
    expect(podsInScope).toBe(1);
    expect(losses.map(({ pod: name, direction }) => `${name} ${direction}`)).toEqual([
      'feed Egress',
    ]);
  });

  it('names what a policy of others keeps open', () => {
    const policies = [networkPolicy('trading', 'wide', [`${BAD}/32`])];
    const preview = previewBlock(world({ pods: [maker], policies }), ipBlock('scanner'), NOW);
    expect(preview.state).not.toBe('Enforced');
    expect(preview.losses).toEqual([
      { namespace: 'trading', pod: 'maker', direction: 'Ingress', loses: [], keeps: [BAD] },
      { namespace: 'trading', pod: 'maker', direction: 'Egress', loses: [], keeps: [BAD] },
    ]);
    expect(preview.gaps).toContainEqual(expect.objectContaining({ networkPolicy: 'wide' }));
  });

  it('says nothing of pods to which none of it is open', () => {
    const policies = [networkPolicy('trading', 'narrow', ['203.0.113.0/24'])];
    const preview = previewBlock(world({ pods: [maker], policies }), ipBlock('scanner'), NOW);
    expect(preview.losses).toEqual([]);
    expect(preview.state).toBe('Enforced');
  });

  it('cuts it out of what an AccessPolicy opens', () => {
    const accessPolicies = [
      policyOf({
        subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }],
        network: { egress: { to: [{ cidr: '198.51.0.0/16' }] }, ingress: {} },
      }),
    ];
    const policies = [
      networkPolicy('trading', 'strongroom-account-maker', ['198.51.0.0/16'], { isOurs: true }),
    ];
    const preview = previewBlock(
      world({ pods: [maker], policies, accessPolicies }),
      ipBlock('scanner', { direction: 'Egress' }),
      NOW,
    );
    expect(preview.losses).toEqual([
      expect.objectContaining({ direction: 'Egress', loses: preview.blocked, keeps: [] }),
    ]);
  });

  it('promises nothing where nothing enforces policies', () => {
    const preview = previewBlock(
      world({ pods: [maker], facts: { policyEngine: { seen: 'No' } } }),
      ipBlock('scanner'),
      NOW,
    );
    expect(preview.state).toBe('Ineffective');
    expect(preview.losses.every(({ loses }) => loses.length === 0)).toBe(true);
  });

  it.each<readonly [BlockWorld['backends'][number], string, readonly string[]]>([
    ['Cilium', '*', ['maker Ingress', 'maker Egress']],
    ['Calico', '*', ['maker Ingress', 'maker Egress']],
    ['ClusterNetworkPolicy', '*', ['maker Egress']],
    ['NodeAgent', '*', ['maker Ingress', 'maker Egress', 'host Ingress', 'host Egress']],
    ['NodeAgent', 'trading', ['maker Ingress', 'maker Egress']],
  ])('counts on %s in %s', (backend, namespaces, cut) => {
    const policies = [networkPolicy('trading', 'wide', ['0.0.0.0/0'])];
    const pods = [maker, pod('trading', 'host', { hostNetwork: true })];
    const { losses } = previewBlock(
      { ...world({ pods, policies }), backends: [backend] },
      ipBlock('scanner', { scope: { namespaces: [namespaces] } }),
      NOW,
    );
    expect(losses).toHaveLength(4);
    expect(
      losses
        .filter(({ keeps }) => keeps.length === 0)
        .map(({ pod: name, direction }) => `${name} ${direction}`),
    ).toEqual(cut);
  });

  it('leaves nothing of a block of protected addresses', () => {
    const preview = previewBlock(
      world({ pods: [maker] }),
      ipBlock('inside', { cidrs: ['10.244.3.0/24', '192.0.2.10'] }),
      NOW,
    );
    expect(preview).toMatchObject({ phase: 'Empty', blocked: [], losses: [] });
    expect(preview.leftOut.map(({ protectedAs }) => protectedAs)).toEqual(['pods', 'API server']);
  });

  it('counts a duration from now', () => {
    const old = ipBlock('scanner', { duration: '10m' });
    expect(previewBlock(world({ pods: [maker] }), old, NOW).phase).toBe('Active');
  });
});

describe('testAddress', () => {
  const maker = pod('trading', 'maker');
  const taker = pod('trading', 'taker', { addresses: ['10.244.0.8'] });
  const cutting = networkPolicy('trading', 'strongroom-rest', ['0.0.0.0/0'], {
    isOurs: true,
    except: '198.51.100.0/24',
  });
  const question = { address: BAD, protocol: 'TCP' } as const;

  it('says who is cut off by which block', () => {
    const report = testAddress(
      world({
        blocks: [ipBlock('scanner'), ipBlock('other', { cidrs: ['203.0.113.0/24'] })],
        pods: [maker],
        policies: [cutting],
      }),
      question,
    );
    expect(report.blocks).toEqual([
      {
        name: 'scanner',
        range: '198.51.100.0/24',
        direction: 'Both',
        namespaces: '*',
        phase: 'Active',
        isInForce: true,
        protectedAs: [],
        reason: 'scanner',
      },
    ]);
    expect(report.pods).toEqual(
      ['Ingress', 'Egress'].map((direction) => ({
        namespace: 'trading',
        pod: 'maker',
        direction,
        verdict: 'CutOff',
        blocks: ['scanner'],
        by: ['NetworkPolicy'],
        allowedBy: [],
        why: 'by NetworkPolicy',
      })),
    );
  });

  it.each<readonly [string, Parameters<typeof world>[0], string]>([
    [
      'a policy of others',
      { policies: [cutting, networkPolicy('trading', 'wide', ['0.0.0.0/0'])] },
      'NetworkPolicy wide allows it',
    ],
    ['no policy at all', {}, 'no NetworkPolicy isolates it'],
    [
      'hostNetwork',
      { pods: [pod('trading', 'maker', { hostNetwork: true })], policies: [cutting] },
      'it has hostNetwork, which no NetworkPolicy covers',
    ],
    [
      'no engine',
      { policies: [cutting], facts: { policyEngine: { seen: 'No' } } },
      'nothing in the cluster enforces NetworkPolicies',
    ],
  ])('says what lets it through: %s', (_, about, why) => {
    const report = testAddress(
      world({ blocks: [ipBlock('scanner')], pods: [maker], ...about }),
      question,
    );
    expect(report.pods.map(({ verdict }) => verdict)).toEqual(['OpenAllTheSame', 'OpenAllTheSame']);
    expect(report.pods.map((one) => one.why)).toEqual([why, why]);
  });

  it('knows that a Service hides clients, which is about ingress alone', () => {
    const rewritingServices = [{ namespace: 'trading', name: 'front', selector: { app: 'maker' } }];
    const report = testAddress(
      world({
        blocks: [ipBlock('scanner')],
        pods: [maker, taker],
        policies: [cutting],
        facts: { rewritingServices },
      }),
      question,
    );
    expect(
      report.pods.map(({ pod: name, direction, verdict }) => [name, direction, verdict]),
    ).toEqual([
      ['maker', 'Ingress', 'OpenAllTheSame'],
      ['maker', 'Egress', 'CutOff'],
      ['taker', 'Ingress', 'CutOff'],
      ['taker', 'Egress', 'CutOff'],
    ]);
    expect(report.pods[0]?.why).toContain('Service front');
  });

  it('believes a backend that denies', () => {
    const status: IPBlockStatus = {
      backends: [
        { name: 'NetworkPolicy', state: 'Ineffective' },
        { name: 'NodeAgent', state: 'Enforced' },
        { name: 'Cilium', state: 'PartiallyEnforced' },
      ],
    };
    const report = testAddress(
      world({ blocks: [ipBlock('scanner', {}, status)], pods: [maker] }),
      question,
    );
    expect(report.pods.map(({ verdict, by }) => [verdict, by])).toEqual([
      ['CutOff', ['NodeAgent']],
      ['CutOff', ['NodeAgent']],
    ]);
  });

  it('tells apart what is closed and open without a block', () => {
    const policies = [networkPolicy('trading', 'narrow', ['203.0.113.0/24'], { app: 'maker' })];
    const report = testAddress(world({ pods: [maker, taker], policies }), question);
    expect(report.blocks).toEqual([]);
    expect(report.pods.map(({ pod: name, verdict, why }) => [name, verdict, why])).toEqual([
      ['maker', 'Closed', 'narrow allows no such traffic'],
      ['maker', 'Closed', 'narrow allows no such traffic'],
      ['taker', 'Open', 'no NetworkPolicy isolates it'],
      ['taker', 'Open', 'no NetworkPolicy isolates it'],
    ]);
  });

  it('says nothing of a block where it has no say', () => {
    const scope = { namespaces: ['quotes'] };
    const report = testAddress(
      world({
        blocks: [ipBlock('scanner', { scope, direction: 'Ingress' })],
        pods: [maker, pod('quotes', 'feed')],
        policies: [cutting],
      }),
      question,
    );
    expect(report.pods.map((one) => [one.pod, one.direction, one.verdict, one.blocks])).toEqual([
      ['maker', 'Ingress', 'Closed', []],
      ['maker', 'Egress', 'Closed', []],
      ['feed', 'Ingress', 'OpenAllTheSame', ['scanner']],
      ['feed', 'Egress', 'Open', []],
    ]);
  });

  it('is about one port where one is asked', () => {
    const policy: NetworkPolicy = {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: 'trading', name: 'https' },
      spec: {
        podSelector: {},
        policyTypes: ['Egress'],
        egress: [{ ports: [{ protocol: 'TCP', port: 443 }] }],
      },
    };
    const verdict = (port: number): string | undefined =>
      testAddress(world({ pods: [maker], policies: [policy] }), { ...question, port }).pods.find(
        ({ direction }) => direction === 'Egress',
      )?.verdict;
    expect([verdict(443), verdict(80)]).toEqual(['Open', 'Closed']);
  });

  it('is about the pods that are asked about', () => {
    const report = testAddress(world({ pods: [maker, taker] }), {
      ...question,
      isAsked: ({ name }) => name === 'taker',
    });
    expect(new Set(report.pods.map(({ pod: name }) => name))).toEqual(new Set(['taker']));
  });

  it.each<readonly [string, Partial<IPBlockSpec>, string]>([
    ['over', { duration: '30m' }, 'Expired'],
    ['observing', { mode: 'Observe' }, 'Observed'],
  ])('shows a block that does nothing: %s', (_, spec, phase) => {
    const report = testAddress(
      world({ blocks: [ipBlock('scanner', spec)], pods: [maker] }),
      question,
    );
    expect(report.blocks).toMatchObject([{ name: 'scanner', phase, isInForce: false }]);
    expect(report.pods.every(({ blocks }) => blocks.length === 0)).toBe(true);
  });

  it('says as what an address is protected', () => {
    const report = testAddress(world({ blocks: [ipBlock('scanner')] }), {
      ...question,
      address: '198.51.100.99',
    });
    expect(report.blocks).toMatchObject([
      { isInForce: false, protectedAs: ['clients of the operator'] },
    ]);
  });
});

describe('blocksOfRange', () => {
  const found = (range: string) => {
    const { exact, wider } = blocksOfRange(
      world({
        blocks: [
          ipBlock('alone', { cidrs: [BAD] }),
          ipBlock('twice', { cidrs: [`${BAD}/32`] }),
          ipBlock('range'),
          ipBlock('several', { cidrs: [BAD, '203.0.113.7'] }),
          ipBlock('halves', { cidrs: ['198.51.100.0/25', '198.51.100.128/25'] }),
          ipBlock('over', { duration: '1m' }),
          ipBlock('away', { cidrs: ['203.0.113.0/25'] }),
        ],
      }).blocks,
      range,
    );
    return [
      exact.map(({ metadata }) => metadata.name),
      wider.map(({ block }) => block.metadata.name),
    ];
  };

  it('takes whole blocks of just that, however it is written', () => {
    expect(found(BAD)).toEqual([
      ['alone', 'twice'],
      ['range', 'several', 'halves'],
    ]);
    expect(found('198.51.100.0/24')).toEqual([
      ['range', 'halves', 'over'],
      ['alone', 'twice', 'several'],
    ]);
    expect(found('192.0.2.1')).toEqual([[], []]);
  });
});
