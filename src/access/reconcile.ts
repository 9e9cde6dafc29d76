/** Gathers what concerns one policy, decides what RBAC should say, writes it, and tells of it. */
import type { AccessPolicy } from '#api/access-policy.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import { FIELD_MANAGER } from '#api/names.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Role, RoleBinding, ServiceAccount } from '#kube/objects.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Informer } from '#runtime/informer.ts';
import { writeStatus } from '#runtime/status.ts';
import { compilePolicy } from './compile.ts';
import type { AccessDeps } from './deps.ts';
import type { AccessMetrics } from './metrics.ts';
import type { PolicyIndex } from './policy-index.ts';
import { findPolicyFaults } from './policy-findings.ts';
import { reachOf } from './reach.ts';
import { carryOutSteps } from './rbac/carry-out.ts';
import { wantedAccess } from './rbac/grants.ts';
import { rbacPair } from './rbac/objects.ts';
import type { StandingObjects } from './rbac/standing.ts';
import { stepsTo } from './rbac/steps.ts';
import type { Step } from './rbac/steps.ts';
import type { Review } from './review.ts';
import { policyStatus } from './status.ts';
import type { AccessCaches } from './world.ts';

export interface ReconcilerDeps extends AccessDeps {
  readonly informers: {
    readonly policies: Informer<AccessPolicy>;
    readonly roles: Informer<Role>;
    readonly bindings: Informer<RoleBinding>;
    readonly accounts: Informer<ServiceAccount>;
  };
  readonly caches: AccessCaches;
  readonly index: () => PolicyIndex;
  readonly standing: StandingObjects;
  readonly review: Review;
  readonly metrics: AccessMetrics;
}

const SETTLE_MS = 500;
const MAX_SETTLING_MS = 15_000;

export function createReconciler(
  deps: ReconcilerDeps,
): (name: string, context: ReconcileContext) => Promise<Result> {
  const { client, guarded, audit, events, clock, operator, informers, caches, standing } = deps;
  const settlingSince = new Map<string, number>();

  async function carryOut(
    name: string,
    steps: readonly Step[],
    { reconcileId, signal }: ReconcileContext,
  ): Promise<readonly string[]> {
    const tampered = standing.takeTampered(name);
    await carryOutSteps(steps, {
      client,
      audit,
      actor: { kind: 'Operator', name: operator.instance },
      reason: `AccessPolicy ${name}`,
      tampered,
      requestId: reconcileId,
      signal,
      mayWrite: guarded.isReady,
      onWritten: standing.wrote,
    });
    return steps.flatMap((step) => {
      if (step.act === 'Delete') return [];
      const { namespace = '', name: object } = step.wanted.metadata;
      const key = `${step.wanted.kind} ${namespace}/${object}`;
      return tampered.has(key) ? [key] : [];
    });
  }

  return async (name, context) => {
    const policy = informers.policies.get(name);
    if (policy === undefined || policy.metadata.deletionTimestamp !== undefined) {
      await carryOut(name, stepsTo([], standingIn(name)), context);
      deps.metrics.forget(name);
      settlingSince.delete(name);
      return { kind: 'done' };
    }
    const index = deps.index();
    const compiled = compilePolicy(policy);
    const { ready, unready } = caches.reachedBy(compiled);
    const wanted = wantedAccess(compiled, {
      denies: index.policies.filter(({ effect }) => effect === 'Deny'),
      namespaces: ready,
      serviceAccountExists,
    });
    const pairs = wanted.grants.map((grant) => rbacPair(policy, grant));
    const steps = stepsTo(pairs, standingIn(name));
    const network = deps.networkStatus.of(name);
    let failure: unknown;
    try {
      const restored = await carryOut(name, steps, context);
      tell(policy, steps, restored);
    } catch (error) {
      failure = error;
    }
    if (failure === undefined && isSettling(name, unready)) return { kind: 'after', ms: SETTLE_MS };
    const facts = caches.facts();
    const reached = reachOf(compiled, facts.credentials);
    const namespaces = new Set(reached.map(({ namespace }) => namespace));
    const status = policyStatus(
      {
        policy,
        compiled,
        wanted,
        credentials: reached.length,
        namespaces: namespaces.size,
        rbacObjects: pairs.length * 2,
        unready: compiled.effect === 'Deny' || compiled.constrained ? [] : unready,
        faults: findPolicyFaults(policy, { ...facts, index, serviceAccountExists, operator }),
        weaknesses: deps.review.weaknessesIn(namespaces),
        ...(network === undefined ? {} : { network }),
        ...(failure === undefined ? {} : { failure: describeError(failure) }),
      },
      clock.now(),
    );
    deps.metrics.rbacObjects(name, pairs.length * 2);
    const before = policy.status?.conditions?.find(({ type }) => type === 'Undermined')?.status;
    const after = status.conditions?.find(({ type }) => type === 'Undermined');
    if (after?.status === 'True' && before !== 'True') {
      events.emit({
        object: policy,
        type: 'Warning',
        reason: 'Undermined',
        action: 'ReviewAccess',
        note: after.message,
      });
    }
    try {
      await writeStatus(client, ACCESS_POLICIES, policy, status, FIELD_MANAGER, context.signal);
    } catch (error) {
      // Gone meanwhile: what it granted is withdrawn when that is heard.
      if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
    }
    return failure === undefined ? { kind: 'done' } : { kind: 'retry', error: failure };
  };

  /**
   * Whether it is too early to tell how things are: after a start the namespaces are entered one by
   * one and RBAC is reviewed, and a status that says so would change nothing but itself.
   */
  function isSettling(policy: string, unready: readonly string[]): boolean {
    if (deps.review.isDone && unready.length === 0) {
      settlingSince.delete(policy);
      return false;
    }
    const now = clock.monotonicMs();
    const since = settlingSince.get(policy) ?? now;
    settlingSince.set(policy, since);
    return now - since < MAX_SETTLING_MS;
  }

  /** Only where the operator may write: elsewhere nothing could be done about it. */
  function standingIn(policy: string) {
    const { roles, bindings } = standing.of(policy);
    const mayWrite = ({ metadata }: Role) => guarded.isReady(metadata.namespace ?? '');
    return { roles: roles.filter(mayWrite), bindings: bindings.filter(mayWrite) };
  }

  function serviceAccountExists(namespace: string, name: string): boolean {
    return informers.accounts.get(`${namespace}/${name}`) !== undefined;
  }

  function tell(policy: AccessPolicy, steps: readonly Step[], restored: readonly string[]): void {
    if (restored.length > 0) {
      deps.metrics.restored();
      events.emit({
        object: policy,
        type: 'Warning',
        reason: 'AccessRestored',
        action: 'RestoreAccess',
        note: `Somebody changed or deleted ${restored.join(', ')}; it was put back`,
      });
    }
    const others = steps.length - restored.length;
    if (others <= 0) return;
    const namespaces = new Set(
      steps.map((step) => (step.act === 'Delete' ? step.found : step.wanted).metadata.namespace),
    );
    const removed = steps.filter(({ act }) => act === 'Delete').length;
    events.emit({
      object: policy,
      type: 'Normal',
      reason: 'AccessChanged',
      action: 'WriteAccess',
      note: `${steps.length - removed} Roles and RoleBindings written, ${removed} removed in ${[...namespaces].sort((a = '', b = '') => (a < b ? -1 : 1)).join(', ')}`,
    });
  }
}
