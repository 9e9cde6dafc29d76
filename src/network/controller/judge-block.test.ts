import { describe, expect, it } from 'vitest';
import type { ActiveBlock } from '../active-block.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { NetworkPod } from '../cluster-facts.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { NodeReport } from '../node-agent/node-report.ts';
import { judgeDenies, judgeNodeAgents } from './judge-block.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

const BLOCK: ActiveBlock = {
  name: 'scanner',
  addresses: addressSet(['198.51.100.0/24']),
  ingress: true,
  egress: true,
  namespaces: '*',
};

function pod(name: string, hostNetwork = false): NetworkPod {
  return {
    namespace: 'trading',
    name,
    labels: {},
    serviceAccount: 'default',
    addresses: ['10.244.0.7'],
    hostNetwork,
    ports: [],
  };
}

const SEEN = { policyEngine: { seen: 'Yes' } } as const;
const APPLIED = { objects: 2, gaps: [], blocks: [], isApplied: true };
const EGRESS_ONLY: NetworkGap = {
  type: 'EgressOnly',
  direction: 'Ingress',
  message: 'egress only',
};

describe('judgeDenies', () => {
  it('counts what was written as enforced', () => {
    const { judged, gaps } = judgeDenies(BLOCK, 'Cilium', APPLIED, [pod('maker')], SEEN);
    expect(judged).toEqual({ Ingress: 'Enforced', Egress: 'Enforced' });
    expect(gaps).toEqual([]);
  });

  it('claims nothing of what was not written', () => {
    const { judged } = judgeDenies(BLOCK, 'Cilium', { ...APPLIED, isApplied: false }, [], SEEN);
    expect(judged).toEqual({});
  });

  it('names pods that it does not see', () => {
    const { judged, gaps } = judgeDenies(
      BLOCK,
      'Calico',
      APPLIED,
      [pod('a'), pod('b', true)],
      SEEN,
    );
    expect(judged).toEqual({ Ingress: 'PartiallyEnforced', Egress: 'PartiallyEnforced' });
    expect(gaps).toMatchObject([{ type: 'HostNetworkPod', pods: ['trading/b'], podCount: 1 }]);
  });

  it('knows a direction that the backend has not', () => {
    const state = { ...APPLIED, gaps: [EGRESS_ONLY] };
    const { judged } = judgeDenies(BLOCK, 'Calico', state, [pod('a')], SEEN);
    expect(judged).toEqual({ Ingress: 'Ineffective', Egress: 'Enforced' });
  });

  it.each([
    ['Cilium', 'Unknown'],
    ['Calico', 'No'],
    ['ClusterNetworkPolicy', 'Yes'],
  ] as const)('does not take objects of %s for their engine (%s)', (name, seen) => {
    const facts = { policyEngine: { seen } };
    const { judged, gaps } = judgeDenies(BLOCK, name, APPLIED, [pod('a')], facts);
    expect(judged).toEqual({ Ingress: 'PartiallyEnforced', Egress: 'PartiallyEnforced' });
    expect(gaps).toMatchObject([{ type: 'NoPolicyEngine' }]);
  });
});

describe('judgeNodeAgents', () => {
  function report(node: string, parts: Partial<NodeReport> = {}): NodeReport {
    return {
      node,
      revision: 'r2',
      atMs: NOW - 30_000,
      ranges: 1,
      refused: { fromBanned: 0, toBanned: 0 },
      hits: [],
      problems: [],
      ...parts,
    };
  }

  function judge(
    reports: readonly NodeReport[],
    o: { readonly pods?: readonly NetworkPod[]; readonly block?: ActiveBlock } = {},
  ) {
    const { pods = [pod('maker')], block = BLOCK } = o;
    return judgeNodeAgents(block, APPLIED, pods, {
      nodes: ['node-1', 'node-2'],
      reports,
      revision: 'r2',
      nowMs: NOW,
    });
  }

  it.each<[string, readonly NodeReport[], number, string, readonly string[]]>([
    ['all nodes', [report('node-1'), report('node-2')], 2, 'Enforced', []],
    ['no node', [], 0, 'Ineffective', ['NodeAgentMissing', 'NodeAgentMissing']],
    ['a silent node', [report('node-1')], 1, 'PartiallyEnforced', ['NodeAgentMissing']],
    [
      'an old report',
      [report('node-1'), report('node-2', { atMs: NOW - 600_000 })],
      1,
      'PartiallyEnforced',
      ['NodeAgentMissing'],
    ],
    [
      'an older revision',
      [report('node-1'), report('node-2', { revision: 'r1' })],
      1,
      'PartiallyEnforced',
      ['NodeAgentBehind'],
    ],
    [
      'a way round netfilter',
      [
        report('node-1'),
        report('node-2', {
          problems: [{ type: 'DataPathBypassesNetfilter', message: 'cilium_host' }],
        }),
      ],
      1,
      'PartiallyEnforced',
      ['DataPathBypassesNetfilter'],
    ],
    [
      'a failure',
      [
        report('node-1'),
        report('node-2', { problems: [{ type: 'ApplyFailed', message: 'nft failed' }] }),
      ],
      1,
      'PartiallyEnforced',
      ['NodeAgentBehind'],
    ],
  ])('judges by the reports of the nodes: %s', (_, reports, ready, verdict, gaps) => {
    const judged = judge(reports);
    expect(judged.ready).toBe(ready);
    expect(judged.outcome.judged).toEqual({ Ingress: verdict, Egress: verdict });
    expect(judged.outcome.gaps.map(({ type }) => type)).toEqual(gaps);
  });

  it('covers pods with hostNetwork where whole nodes are blocked, and only there', () => {
    const reports = [report('node-1'), report('node-2')];
    const pods = [pod('maker'), pod('monitor', true)];
    expect(judge(reports, { pods }).outcome.judged).toEqual({
      Ingress: 'Enforced',
      Egress: 'Enforced',
    });
    const scoped = judge(reports, { pods, block: { ...BLOCK, namespaces: ['trading'] } });
    expect(scoped.outcome.judged).toMatchObject({ Ingress: 'PartiallyEnforced' });
    expect(scoped.outcome.gaps).toMatchObject([{ type: 'HostNetworkPod' }]);
  });
});
