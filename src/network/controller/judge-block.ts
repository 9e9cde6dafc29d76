/** How far each backend enforces a block, from what was written and what others wrote. */
import type { NetworkPolicy } from '#kube/objects.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { BackendName } from '../backends/backend.ts';
import type { ClusterFacts, Direction, NetworkPod } from '../cluster-facts.ts';
import { isOurPolicy } from '../compiler/our-policy.ts';
import type { Evaluator } from '../evaluator/evaluator.ts';
import { judgeBlock } from '../evaluator/judge-block.ts';
import type { BlockJudgement } from '../evaluator/judge-block.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { NodeReport } from '../node-agent/node-report.ts';
import type { BackendState } from './backend-work.ts';
import type { BackendOutcome, Judged } from './block-status.ts';

const MAX_PODS = 10;

/** Ways of a block, each as a block of its own. */
function waysOf(block: ActiveBlock): readonly (readonly [Direction, ActiveBlock])[] {
  return [
    ...(block.ingress ? [['Ingress', { ...block, egress: false }] as const] : []),
    ...(block.egress ? [['Egress', { ...block, ingress: false }] as const] : []),
  ];
}

export function judgePolicies(
  block: ActiveBlock,
  o: {
    readonly evaluator: Evaluator;
    readonly pods: readonly NetworkPod[];
    readonly facts: ClusterFacts;
    readonly objects: number;
  },
): { readonly outcome: BackendOutcome; readonly whole: BlockJudgement } {
  const isOurs = (policy: NetworkPolicy): boolean => isOurPolicy(policy);
  const whole = judgeBlock(block, { ...o, isOurs });
  const judged = Object.fromEntries(
    waysOf(block).map(([way, of]) => [way, judgeBlock(of, { ...o, isOurs }).state]),
  );
  return {
    whole,
    outcome: { name: 'NetworkPolicy', judged, gaps: whole.gaps, objects: o.objects },
  };
}

/** Of a backend that can deny: what was written holds, but for pods that it does not see. */
export function judgeDenies(
  block: ActiveBlock,
  name: BackendName,
  state: BackendState,
  pods: readonly NetworkPod[],
  { policyEngine }: Pick<ClusterFacts, 'policyEngine'>,
): BackendOutcome {
  const uncovered = [...hostNetworkGap(pods), ...engineGap(name, policyEngine)];
  const gaps = [...state.gaps, ...uncovered];
  const judged: Partial<Record<Direction, Judged>> = {};
  if (state.isApplied) {
    for (const [way] of waysOf(block)) {
      const isBarred = state.gaps.some(
        ({ type, direction }) =>
          type === 'EgressOnly' && (direction ?? 'Ingress') === 'Ingress' && way === 'Ingress',
      );
      const isPartial =
        uncovered.length > 0 || state.gaps.some(({ direction }) => (direction ?? way) === way);
      judged[way] = isBarred ? 'Ineffective' : isPartial ? 'PartiallyEnforced' : 'Enforced';
    }
  }
  return { name, judged, gaps, objects: state.objects };
}

/**
 * CRDs stay when their engine is gone, and of ClusterNetworkPolicies nothing shows whether an engine
 * takes notice.
 */
function engineGap(
  name: BackendName,
  { seen }: ClusterFacts['policyEngine'],
): readonly NetworkGap[] {
  if (seen === 'Yes' && name !== 'ClusterNetworkPolicy') return [];
  return [
    {
      type: 'NoPolicyEngine',
      message: `The cluster takes objects of ${name}, and nothing shows that an engine enforces them`,
    },
  ];
}

function hostNetworkGap(pods: readonly NetworkPod[]): readonly NetworkGap[] {
  const uncovered = pods.filter(({ hostNetwork }) => hostNetwork);
  if (uncovered.length === 0) return [];
  const names = uncovered.map(({ namespace, name }) => `${namespace}/${name}`);
  return [
    {
      type: 'HostNetworkPod',
      pods: names.slice(0, MAX_PODS),
      podCount: names.length,
      message: `${names.slice(0, 3).join(', ')}${names.length > 3 ? ` and ${names.length - 3} more` : ''} ${names.length === 1 ? 'has' : 'have'} hostNetwork, and so the address of the node; take hostNetwork away, or block on whole nodes with the node agent and no spec.scope.namespaces`,
    },
  ];
}

export interface NodeAgents {
  readonly nodes: readonly string[];
  readonly reports: readonly NodeReport[];
  /** Of the blocks that were written last; undefined: none yet. */
  readonly revision: string | undefined;
  readonly nowMs: number;
}

/** A report that is older than this says nothing about now. */
const FRESH_MS = 300_000;

export function judgeNodeAgents(
  block: ActiveBlock,
  state: BackendState,
  pods: readonly NetworkPod[],
  agents: NodeAgents,
): { readonly outcome: BackendOutcome; readonly ready: number } {
  const gaps: NetworkGap[] = [];
  let ready = 0;
  for (const node of agents.nodes) {
    const gap = gapOfNode(node, agents);
    if (gap === undefined) ready += 1;
    else gaps.push(gap);
  }
  const uncovered = block.namespaces === '*' ? [] : hostNetworkGap(pods);
  const isWhole = ready === agents.nodes.length && ready > 0 && uncovered.length === 0;
  const verdict: Judged = isWhole
    ? 'Enforced'
    : ready === 0 || pods.every(({ hostNetwork }) => hostNetwork && block.namespaces !== '*')
      ? 'Ineffective'
      : 'PartiallyEnforced';
  return {
    ready,
    outcome: {
      name: 'NodeAgent',
      judged: state.isApplied
        ? Object.fromEntries(waysOf(block).map(([way]) => [way, verdict]))
        : {},
      gaps: [...gaps, ...uncovered],
      objects: state.objects,
    },
  };
}

function gapOfNode(node: string, agents: NodeAgents): NetworkGap | undefined {
  const report = agents.reports.find((one) => one.node === node);
  if (report === undefined || agents.nowMs - report.atMs > FRESH_MS) {
    return {
      type: 'NodeAgentMissing',
      message: `No node agent reports from node ${node}; look at the pods of the DaemonSet strongroom-node-agent there`,
    };
  }
  const bypass = report.problems.find(({ type }) => type === 'DataPathBypassesNetfilter');
  if (bypass !== undefined) {
    return { type: 'DataPathBypassesNetfilter', message: `Node ${node}: ${bypass.message}` };
  }
  const problem = report.problems[0];
  if (problem !== undefined || report.revision !== agents.revision) {
    return {
      type: 'NodeAgentBehind',
      message: `The node agent of ${node} has not applied the newest blocks${problem === undefined ? ' yet' : `: ${problem.message}`}`,
    };
  }
  return undefined;
}
