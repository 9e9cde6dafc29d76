/** Gathers what is known of a block's enforcement; keeps the evaluator until something changes. */
import { isGuarded } from '#access/world.ts';
import type { Namespace } from '#kube/objects.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { BackendName } from '../backends/backend.ts';
import type { ClusterFacts, NetworkPod } from '../cluster-facts.ts';
import { createEvaluator } from '../evaluator/evaluator.ts';
import type { Evaluator } from '../evaluator/evaluator.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { NodeReport } from '../node-agent/node-report.ts';
import type { BackendState } from './backend-work.ts';
import { isAbout } from './block-book.ts';
import type { BlockState } from './block-state.ts';
import type { BackendOutcome, BlockOutcome } from './block-status.ts';
import { judgeDenies, judgeNodeAgents, judgePolicies } from './judge-block.ts';
import type { NamespaceOutcome } from './namespace-work.ts';
import { networkNamespace } from './network-pods.ts';

export interface JudgeDeps {
  readonly outcomes: ReadonlyMap<string, NamespaceOutcome>;
  readonly guardedNames: () => readonly string[];
  readonly namespaces: () => readonly Namespace[];
  readonly podsOf: (namespace: string) => readonly NetworkPod[];
  readonly facts: () => ClusterFacts;
  readonly nodeNames: () => readonly string[];
  readonly reports: () => readonly NodeReport[];
  readonly now: () => number;
  /** Beside NetworkPolicy. */
  readonly backends: () => readonly BackendName[];
  readonly backendState: (backend: BackendName) => BackendState | undefined;
  readonly nodeRevision: () => string | undefined;
  /** What the policies of a namespace, and the objects of backends, are to be compiled for now. */
  readonly blocksFor: (namespace: string) => readonly ActiveBlock[];
  readonly active: () => readonly ActiveBlock[];
}

export interface Judge {
  outcomeOf(state: BlockState): Omit<BlockOutcome, 'block' | 'state' | 'feed'>;
  /** Pods, policies or namespaces changed. */
  forget(): void;
}

export function createJudge(deps: JudgeDeps): Judge {
  let current: Evaluator | undefined;

  /** Of what should stand: what was just written is not in every cache yet. */
  function evaluator(): Evaluator {
    current ??= createEvaluator({
      policies: [...deps.outcomes.values()].flatMap(({ foreign, wanted }) => [
        ...foreign,
        ...wanted,
      ]),
      pods: deps.guardedNames().flatMap(deps.podsOf),
      namespaces: deps.namespaces().map(networkNamespace),
    });
    return current;
  }

  return {
    forget: () => void (current = undefined),
    outcomeOf(state) {
      const { block } = state;
      const names = guardedNamespaces().filter((name) => isAbout(block, name));
      const unready = names.filter((name) => !deps.guardedNames().includes(name));
      const looked = names.flatMap((name) => deps.outcomes.get(name) ?? []);
      const pods = looked.flatMap((outcome) => outcome.pods);
      const facts = deps.facts();
      const policies = judgePolicies(block, {
        evaluator: evaluator(),
        pods,
        facts,
        objects: looked.reduce((sum, { wanted }) => sum + wanted.length, 0),
      });
      const others = deps.backends().map((name) => outcomeOfBackend(name, block, pods));
      const isPending =
        names.some((name) => !isCurrent(name)) ||
        deps.backends().some((name) => {
          const stands = deps.backendState(name);
          return stands?.isApplied !== true || stands.blocks !== deps.active();
        });
      const failure =
        looked.flatMap((one) => one.failure ?? [])[0] ??
        deps.backends().flatMap((name) => deps.backendState(name)?.failure ?? [])[0];
      const agents = others.find(({ ready }) => ready !== undefined);
      return {
        // About the gateway alone: no pod is in its scope.
        backends:
          block.namespaces.length === 0
            ? []
            : [policies.outcome, ...others.map(({ outcome }) => outcome)],
        podsInScope: policies.whole.podsInScope,
        podsCut: policies.whole.podsCut,
        podsAffected: policies.whole.podsInScope - policies.whole.podsCut,
        gaps: [...gapsOf(state, facts), ...unready.map(notReady)],
        isPending,
        isCatchingUp: others.some(({ outcome }) =>
          outcome.gaps.some(({ type }) => type === 'NodeAgentBehind'),
        ),
        ...(failure === undefined ? {} : { failure }),
        ...(agents?.ready === undefined
          ? {}
          : { nodes: { ready: agents.ready, total: deps.nodeNames().length } }),
      };
    },
  };

  /** Whether what stands in a namespace was compiled for the blocks that are in force now. */
  function isCurrent(namespace: string): boolean {
    const outcome = deps.outcomes.get(namespace);
    return outcome?.isApplied === true && outcome.blocks === deps.blocksFor(namespace);
  }

  /** By their label; the operator may have no rights in some of them yet. */
  function guardedNamespaces(): readonly string[] {
    return deps
      .namespaces()
      .filter(isGuarded)
      .map(({ metadata }) => metadata.name)
      .sort();
  }

  function outcomeOfBackend(
    name: BackendName,
    block: ActiveBlock,
    pods: readonly NetworkPod[],
  ): { readonly outcome: BackendOutcome; readonly ready?: number } {
    const state = deps.backendState(name) ?? {
      objects: 0,
      gaps: [],
      blocks: [],
      isApplied: false,
    };
    if (name !== 'NodeAgent')
      return { outcome: judgeDenies(block, name, state, pods, deps.facts()) };
    const reports = deps.reports();
    const judged = judgeNodeAgents(block, state, pods, {
      nodes: deps.nodeNames(),
      reports,
      revision: deps.nodeRevision(),
      nowMs: deps.now(),
    });
    const hits = reports
      .flatMap((report) => report.hits)
      .reduce((sum, hit) => sum + (block.addresses.contains(hit.address) ? hit.packets : 0), 0);
    return { ...judged, outcome: { ...judged.outcome, hits } };
  }
}

function notReady(namespace: string): NetworkGap {
  return {
    type: 'NamespaceNotReady',
    namespace,
    message: `The operator has no rights yet in the guarded namespace ${namespace}; nothing is enforced there by NetworkPolicies`,
  };
}

function gapsOf(
  { leftOut, listed, namesGateway }: BlockState,
  facts: ClusterFacts,
): readonly NetworkGap[] {
  const kinds = leftOut.map(({ name }) => name);
  const absent = (['IPv4', 'IPv6'] as const).filter(
    (family) => !facts.families.includes(family) && !listed.ofFamily(family).isEmpty,
  );
  return [
    ...(kinds.length === 0
      ? []
      : [
          {
            type: 'RangeProtected' as const,
            message: `Addresses were left out, as they are protected: ${kinds.join(', ')}; see protectedRanges`,
          },
        ]),
    ...(namesGateway
      ? [
          {
            type: 'GatewayAbsent' as const,
            message:
              'spec.scope names the gateway, and this version has none; nothing is refused there',
          },
        ]
      : []),
    ...absent.map((family) => ({
      type: 'FamilyAbsent' as const,
      message: `The cluster has no ${family}; the ${family} addresses of the block do nothing`,
    })),
  ];
}
