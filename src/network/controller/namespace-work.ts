/** Keeps the NetworkPolicies of one namespace: gathers, compiles, writes what differs. */
import type { KubeClient } from '#kube/client.ts';
import type { NetworkPolicy } from '#kube/objects.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { ClusterFacts, NetworkPod } from '../cluster-facts.ts';
import type { Compiler } from '../compiler/compiler.ts';
import type { NetworkGrant } from '../compiler/grant.ts';
import type { NetworkGap } from '../network-gap.ts';
import { carryOutPolicySteps } from './carry-out-policies.ts';
import type { ChangeLimiter } from './change-limiter.ts';
import { policySteps } from './policy-steps.ts';
import type { PolicyStep } from './policy-steps.ts';
import type { StandingPolicies } from './standing-policies.ts';

/** How the policies of a namespace are, as of the last look. */
export interface NamespaceOutcome {
  readonly pods: readonly NetworkPod[];
  readonly foreign: readonly NetworkPolicy[];
  readonly wanted: readonly NetworkPolicy[];
  readonly gaps: readonly NetworkGap[];
  readonly grants: readonly NetworkGrant[];
  /** Those that it was compiled for; the same list while nothing changed. */
  readonly blocks: readonly ActiveBlock[];
  /** Whether what is wanted has been written. */
  readonly isApplied: boolean;
  readonly failure?: string;
}

export interface NamespaceWorkDeps {
  readonly client: KubeClient;
  readonly audit: Audit;
  readonly actor: AuditActor;
  readonly compiler: Compiler;
  readonly standing: StandingPolicies;
  readonly limiter: ChangeLimiter;
  readonly isReady: (namespace: string) => boolean;
  readonly pods: (namespace: string) => readonly NetworkPod[];
  /** Undefined until all of them are known. */
  readonly policies: (namespace: string) => readonly NetworkPolicy[] | undefined;
  readonly grants: (namespace: string) => readonly NetworkGrant[];
  readonly blocks: (namespace: string) => readonly ActiveBlock[];
  readonly facts: () => ClusterFacts;
  /** What must be known before anything is written, and is not. */
  readonly missing: () => readonly string[];
  /** Whether all is known that the policies of the namespace follow from: blocks, names. */
  readonly isComplete: (namespace: string) => boolean;
  readonly onOutcome: (namespace: string, outcome: NamespaceOutcome | undefined) => void;
  readonly onRestored: (namespace: string, names: readonly string[]) => void;
}

const NOT_YET_MS = 250;
const FACTS_MS = 2_000;

export function createNamespaceWork(
  deps: NamespaceWorkDeps,
): (namespace: string, context: ReconcileContext) => Promise<Result> {
  const { standing, limiter } = deps;
  return async (namespace, { reconcileId, signal }) => {
    if (!deps.isReady(namespace)) {
      standing.forget(namespace);
      limiter.forget(namespace);
      deps.compiler.forget(namespace);
      deps.onOutcome(namespace, undefined);
      return { kind: 'done' };
    }
    const cached = deps.policies(namespace);
    if (cached === undefined) return { kind: 'after', ms: NOT_YET_MS };
    if (deps.missing().length > 0) return { kind: 'after', ms: FACTS_MS };
    if (!deps.isComplete(namespace)) return { kind: 'after', ms: NOT_YET_MS };
    const { ours, foreign } = standing.of(namespace, cached);
    const pods = deps.pods(namespace);
    const grants = deps.grants(namespace);
    const blocks = deps.blocks(namespace);
    const compiled = deps.compiler.compileNamespace({
      namespace,
      pods,
      foreign,
      grants,
      blocks,
      facts: deps.facts(),
    });
    const outcome = {
      pods,
      foreign,
      grants,
      blocks,
      wanted: compiled.policies,
      gaps: compiled.gaps,
    };
    const steps = policySteps(compiled.policies, ours);
    if (steps.length > 0) {
      const waitMs = limiter.take(namespace);
      if (waitMs > 0) {
        deps.onOutcome(namespace, { ...outcome, isApplied: false });
        return { kind: 'after', ms: waitMs };
      }
    }
    try {
      await carryOut(namespace, steps, reconcileId, signal);
    } catch (error) {
      deps.onOutcome(namespace, { ...outcome, isApplied: false, failure: describeError(error) });
      return { kind: 'retry', error };
    }
    deps.onOutcome(namespace, { ...outcome, isApplied: true });
    return { kind: 'done' };
  };

  async function carryOut(
    namespace: string,
    steps: readonly PolicyStep[],
    requestId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const tampered = standing.takeTampered(namespace);
    if (steps.length === 0) return;
    const { client, audit, actor } = deps;
    await carryOutPolicySteps(steps, {
      client,
      audit,
      actor,
      reason: `AccessPolicies and IPBlocks of namespace ${namespace}`,
      tampered,
      requestId,
      signal,
      mayWrite: () => deps.isReady(namespace),
      onWritten: standing.wrote,
    });
    const restored = steps.flatMap((step) =>
      step.act !== 'Delete' && tampered.has(step.wanted.metadata.name)
        ? step.wanted.metadata.name
        : [],
    );
    if (restored.length > 0) deps.onRestored(namespace, restored);
  }
}
