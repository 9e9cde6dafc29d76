import { describe, expect, it } from 'vitest';
import type { NetworkPolicy } from '#kube/objects.ts';
import { createChooser } from '../../../test/oracle/chooser.ts';
import type { Chooser } from '../../../test/oracle/chooser.ts';
import { networkCase } from '../../../test/oracle/network-cases.ts';
import type { ActiveBlock } from '../active-block.ts';
import { addressSet, EMPTY_SET, fromIntervals } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { ClusterFacts, Direction, Family, NetworkPod } from '../cluster-facts.ts';
import { createEvaluator } from './evaluator.ts';
import type { Evaluator } from './evaluator.ts';
import { judgeBlock } from './judge-block.ts';
import type { BlockJudgement } from './judge-block.ts';
import type { NetworkWorld } from './world.ts';
import { writtenAddresses } from './written-addresses.ts';

const FACTS: ClusterFacts = {
  families: ['IPv4', 'IPv6'],
  podRanges: EMPTY_SET,
  serviceRanges: EMPTY_SET,
  nodeAddresses: EMPTY_SET,
  apiServer: { addresses: EMPTY_SET, ports: [] },
  dns: { addresses: EMPTY_SET, namespace: 'kube-system', podLabels: {} },
  policyEngine: { seen: 'Yes' },
  rewritingServices: [],
};

function blockOf(addresses: AddressSet, ways: Partial<ActiveBlock> = {}): ActiveBlock {
  return { name: 'ban', addresses, ingress: true, egress: true, namespaces: '*', ...ways };
}

const isOurs = ({ metadata }: NetworkPolicy): boolean => metadata.name.startsWith('ours');

const ROUNDS = 80;

describe('judgeBlock, on random worlds', () => {
  /** Every address at which anything that is written begins, or ends just before. */
  function addressesAt({ policies, pods }: NetworkWorld, block: AddressSet): readonly string[] {
    const cidrs = policies.flatMap(({ spec = {} }) =>
      [
        ...(spec.ingress ?? []).flatMap(({ from = [] }) => from),
        ...(spec.egress ?? []).flatMap(({ to = [] }) => to),
      ].flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : [])),
    );
    const own = pods.flatMap((pod) => [...pod.addresses, ...(pod.nodeAddresses ?? [])]);
    const edges = [...[...cidrs, ...own].map((each) => writtenAddresses([each])), block]
      .flatMap((set) => set.intervals())
      .flatMap(({ family, first, last }) => [
        { family, at: first },
        { family, at: last + 1n },
      ])
      .filter(({ family, at }) => at < (family === 'IPv4' ? 1n << 32n : 1n << 128n));
    const single = edges.map(({ family, at }) => fromIntervals([{ family, first: at, last: at }]));
    return [...new Set(single.flatMap((set) => set.cidrs()))]
      .map((cidr) => cidr.split('/')[0] ?? '')
      .filter((address) => block.contains(address));
  }

  /** By asking about every port that any policy or pod names. */
  function isOpen(
    { judge }: Evaluator,
    pod: NetworkPod,
    direction: Direction,
    address: string,
  ): boolean {
    const other = { address };
    const ends =
      direction === 'Egress' ? { from: { pod }, to: other } : { from: other, to: { pod } };
    return (['TCP', 'UDP', 'SCTP'] as const).some((protocol) =>
      [1, 53, 80, 443, 8080, 65_535].some((port) => {
        const { egress, ingress } = judge({ ...ends, port, protocol });
        return (direction === 'Egress' ? egress : ingress).allowed;
      }),
    );
  }

  function randomBlock(choose: Chooser): ActiveBlock {
    const cidrs = choose.many(1, 2, () =>
      choose.pick([
        '192.0.2.0/24',
        '192.0.2.17/32',
        '192.0.2.0/30',
        '10.0.0.0/30',
        '10.0.0.2/32',
        '172.18.0.2/31',
        '8.0.0.0/5',
        '2001:db8::/32',
        '2001:db8:0:1::1/128',
        'fd00::/126',
        '2001:db8:ffff::2/128',
      ]),
    );
    const ways = choose.pick([{}, { egress: false }, { ingress: false }]);
    return blockOf(addressSet(cidrs), ways);
  }

  it('says what judge says of every address and port', () => {
    const states = new Map<string, number>();
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const world = networkCase(seed);
      const choose = createChooser(seed);
      const block = randomBlock(choose);
      const families = choose.pick<readonly Family[]>([['IPv4', 'IPv6'], ['IPv4'], ['IPv6']]);
      const evaluator = createEvaluator(world);
      const counting = families.map((family) => block.addresses.ofFamily(family));
      const asked = counting.flatMap((set) => addressesAt(world, set));
      const directions = [
        ...(block.ingress ? (['Ingress'] as const) : []),
        ...(block.egress ? (['Egress'] as const) : []),
      ];
      const open = world.pods.map((pod) =>
        directions.flatMap((direction) =>
          asked.map((address) => isOpen(evaluator, pod, direction, address)),
        ),
      );
      const podsCut = open.filter((each) => !each.includes(true)).length;
      const expected = {
        state:
          podsCut === world.pods.length
            ? 'Enforced'
            : open.flat().includes(false)
              ? 'PartiallyEnforced'
              : 'Ineffective',
        podsInScope: world.pods.length,
        podsCut,
      };
      const facts = { ...FACTS, families };
      const { gaps, ...judged } = judgeBlock(block, { evaluator, pods: world.pods, facts, isOurs });
      expect({ seed, ...judged }).toEqual({ seed, ...expected });
      const reasons = gaps.filter(({ type }) => type !== 'FamilyAbsent');
      expect({ seed, isReasoned: reasons.length > 0 }).toEqual({
        seed,
        isReasoned: judged.state !== 'Enforced',
      });
      states.set(judged.state, (states.get(judged.state) ?? 0) + 1);
    }
    const least = Math.min(...states.values());
    expect([...states.keys()].toSorted()).toEqual(['Enforced', 'Ineffective', 'PartiallyEnforced']);
    expect(least).toBeGreaterThan(ROUNDS / 25);
  });

  it('rests on open addresses that are those of judge', () => {
    for (let seed = 1; seed <= ROUNDS / 4; seed += 1) {
      const world = networkCase(seed);
      const evaluator = createEvaluator(world);
      const everything = addressSet(['0.0.0.0/0', '::/0']);
      for (const pod of world.pods) {
        for (const direction of ['Ingress', 'Egress'] as const) {
          const { open, always, byPolicy, isolated } = evaluator.openAddresses(pod, direction);
          const asked = addressesAt(world, everything);
          const found = asked.filter((each) => open.contains(each) || always.contains(each));
          const expected = asked.filter((each) => isOpen(evaluator, pod, direction, each));
          expect({ seed, direction, found }).toEqual({ seed, direction, found: expected });
          const byAny = byPolicy.some((each) => !each.open.isEmpty);
          expect(byAny).toBe(isolated && !open.isEmpty);
        }
      }
    }
  });
});

describe('the gaps of judgeBlock', () => {
  const banned = addressSet(['192.0.2.0/24']);
  const open = { ipBlock: { cidr: '0.0.0.0/0' } };
  const holed = { ipBlock: { cidr: '0.0.0.0/0', except: ['192.0.2.0/24'] } };

  function pod(name: string, fields: Partial<NetworkPod> = {}): NetworkPod {
    return {
      namespace: 'trading',
      name,
      labels: { app: name },
      serviceAccount: 'default',
      addresses: ['10.0.0.1'],
      hostNetwork: false,
      ports: [],
      ...fields,
    };
  }

  function policy(name: string, peer: typeof open | typeof holed): NetworkPolicy {
    return {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name, namespace: 'trading' },
      spec: {
        podSelector: {},
        policyTypes: ['Ingress', 'Egress'],
        ingress: [{ from: [peer] }],
        egress: [{ to: [peer] }],
      },
    };
  }

  function judge(
    policies: readonly NetworkPolicy[],
    o: {
      readonly pods?: readonly NetworkPod[];
      readonly facts?: Partial<ClusterFacts>;
      readonly block?: Partial<ActiveBlock>;
    } = {},
  ): BlockJudgement {
    const { pods = [pod('maker')], facts = {}, block = {} } = o;
    const evaluator = createEvaluator({ policies, pods, namespaces: [] });
    return judgeBlock(blockOf(banned, block), {
      evaluator,
      pods,
      facts: { ...FACTS, ...facts },
      isOurs,
    });
  }

  const ours = policy('ours', holed);
  const foreign = policy('allow-all', open);
  const service = { namespace: 'trading', name: 'front', selector: { app: 'maker' } };

  it('are none where it is enforced', () => {
    expect(judge([ours])).toEqual({ state: 'Enforced', gaps: [], podsInScope: 1, podsCut: 1 });
  });

  it('has none either where others cut the addresses off', () => {
    expect(judge([policy('theirs', holed)]).state).toBe('Enforced');
  });

  it('name a policy of others that opens what ours closes', () => {
    const { state, gaps } = judge([ours, foreign], { block: { egress: false } });
    expect(state).toBe('Ineffective');
    expect(gaps).toEqual([
      {
        type: 'ForeignPolicyReopens',
        namespace: 'trading',
        networkPolicy: 'allow-all',
        direction: 'Ingress',
        pods: ['maker'],
        podCount: 1,
        message: expect.stringContaining('allow-all allows ingress from 192.0.2.0/24'),
      },
    ]);
  });

  it.each<
    readonly [
      what: string,
      policies: readonly NetworkPolicy[],
      o: Parameters<typeof judge>[1],
      state: BlockJudgement['state'],
      types: readonly string[],
    ]
  >([
    [
      'a pod that nothing isolates',
      [],
      {},
      'Ineffective',
      ['NotIsolated Ingress', 'NotIsolated Egress'],
    ],
    [
      'a pod that only policies of others isolate',
      [foreign],
      { block: { ingress: false } },
      'Ineffective',
      ['IsolatedByOthers Egress'],
    ],
    [
      'a policy of ours that is not up to date',
      [policy('ours', open)],
      { block: { ingress: false } },
      'Ineffective',
      ['OwnPolicyBehind Egress'],
    ],
    [
      'a pod with hostNetwork beside another',
      [ours],
      { pods: [pod('maker'), pod('agent', { hostNetwork: true })], block: { egress: false } },
      'PartiallyEnforced',
      ['HostNetworkPod Ingress'],
    ],
    [
      'pods with hostNetwork alone',
      [ours],
      { pods: [pod('agent', { hostNetwork: true })], block: { egress: false } },
      'Ineffective',
      ['HostNetworkPod Ingress'],
    ],
    [
      'a Service that rewrites the source',
      [ours],
      { facts: { rewritingServices: [service] }, block: { egress: false } },
      'Ineffective',
      ['SourceAddressRewritten Ingress'],
    ],
    [
      'a Service that rewrites the source, for both directions',
      [ours],
      { facts: { rewritingServices: [service] } },
      'PartiallyEnforced',
      ['SourceAddressRewritten Ingress'],
    ],
    [
      'a Service that selects other pods, or none',
      [ours],
      {
        facts: {
          rewritingServices: [
            { ...service, selector: { app: 'feed' } },
            { ...service, selector: {} },
            { ...service, namespace: 'risk' },
          ],
        },
      },
      'Enforced',
      [],
    ],
    [
      'a cluster without an engine',
      [ours],
      { facts: { policyEngine: { seen: 'No' } } },
      'Ineffective',
      ['NoPolicyEngine'],
    ],
    [
      'a cluster whose engine cannot be seen',
      [ours],
      { facts: { policyEngine: { seen: 'Unknown' } } },
      'PartiallyEnforced',
      ['NoPolicyEngine'],
    ],
    [
      'a cluster whose engine cannot be seen, and pods that nothing isolates',
      [],
      { facts: { policyEngine: { seen: 'Unknown' } }, block: { egress: false } },
      'Ineffective',
      ['NoPolicyEngine', 'NotIsolated Ingress'],
    ],
    [
      'a family that the cluster lacks, beside one that it has',
      [ours],
      {
        facts: { families: ['IPv4'] },
        block: { addresses: addressSet(['192.0.2.0/24', '2001:db8::/32']) },
      },
      'Enforced',
      ['FamilyAbsent'],
    ],
    [
      'a family that the cluster lacks, alone',
      [],
      { facts: { families: ['IPv4'] }, block: { addresses: addressSet(['2001:db8::/32']) } },
      'Enforced',
      ['FamilyAbsent'],
    ],
    [
      'addresses of the pod and of its node',
      [ours],
      {
        pods: [pod('maker', { nodeAddresses: ['192.0.2.9'] })],
        block: { egress: false },
      },
      'PartiallyEnforced',
      ['AlwaysOpen Ingress'],
    ],
    [
      'addresses of the pod alone',
      [ours],
      {
        pods: [pod('maker', { addresses: ['192.0.2.9'] })],
        block: { egress: false, addresses: addressSet(['192.0.2.9']) },
      },
      'Ineffective',
      ['AlwaysOpen Ingress'],
    ],
    ['no pods', [], { pods: [] }, 'Enforced', []],
    ['no direction', [], { block: { ingress: false, egress: false } }, 'Enforced', []],
  ])('for %s', (_, policies, o, state, types) => {
    const judged = judge(policies, o);
    expect(judged.state).toBe(state);
    const found = judged.gaps.map(({ type, direction }) => [type, direction].join(' ').trim());
    expect(found.toSorted()).toEqual(types.toSorted());
  });

  it('are of the pods that listen, where a policy names a port', () => {
    const named = policy('named', open);
    const ingress = [{ from: [open], ports: [{ port: 'fix' }] }];
    const fix = { name: 'fix', port: 9000, protocol: 'TCP' } as const;
    const { podsCut, gaps } = judge(
      [ours, { ...named, spec: { ...named.spec, policyTypes: ['Ingress'], ingress } }],
      {
        pods: [
          pod('maker'),
          pod('feed', { ports: [fix] }),
          pod('db', { ports: [{ ...fix, protocol: 'UDP' }] }),
        ],
      },
    );
    expect({ podsCut, pods: gaps.map(({ pods }) => pods) }).toEqual({
      podsCut: 2,
      pods: [['feed']],
    });
  });

  it('count all pods, and name ten', () => {
    const pods = Array.from({ length: 12 }, (_, index) => pod(`maker-${index + 10}`));
    const [gap] = judge([ours, foreign], { pods, block: { egress: false } }).gaps;
    expect(gap?.podCount).toBe(12);
    expect(gap?.pods).toHaveLength(10);
    expect(gap?.pods?.[0]).toBe('maker-10');
  });

  it('have few examples of many addresses', () => {
    const addresses = addressSet(
      Array.from({ length: 100 }, (_, index) => `198.51.${index * 2}.0/24`),
    );
    const block = { addresses, egress: false };
    const [gap] = judge([ours, foreign], { block }).gaps;
    expect(gap?.message).toContain('198.51.0.0/24, 198.51.2.0/24, 198.51.4.0/24 and 97 more');
  });
});
