/** One look at one credential: gather, decide and carry out until nothing is left, write status. */
import type { ExchangeCredential, ExchangeCredentialStatus } from '#api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { FIELD_MANAGER, FINALIZER } from '#api/names.ts';
import type { Reason } from '#api/names.ts';
import type { AuditActor } from '#audit/audit.ts';
import type { Act } from '#audit/perform.ts';
import { perform } from '#audit/perform.ts';
import { isKubeError } from '#kube/errors.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { writeStatus } from '#runtime/status.ts';
import { setCondition } from '#runtime/conditions.ts';
import type { Condition } from '#runtime/conditions.ts';
import { isVaultError } from '#vault/errors.ts';
import type { Telling } from './acts.ts';
import { tell } from './acts.ts';
import { carryOut } from './carry-out.ts';
import { conclude } from './conclude.ts';
import type { Finding } from './conclude.ts';
import type { Consumers } from './consumers.ts';
import { findConsumers } from './consumers.ts';
import { decide, entryOf } from './decide.ts';
import { deliveryOf } from './delivery.ts';
import type { CredentialsDeps, CredentialsOptions } from './deps.ts';
import { faultOf, gather } from './gather.ts';
import type { Surroundings } from './gather.ts';
import type { CredentialMetrics } from './metrics.ts';
import { applyRetention } from './retention.ts';
import { findPodsWithoutRight } from './pods-without-right.ts';
import type { Requests } from './requests.ts';
import type { Scene } from './scene.ts';
import { wipeScene } from './scene.ts';
import { buildStatus, deliveryStatus } from './status.ts';
import type { Step } from './step.ts';
import type { View } from './view.ts';

export interface ReconcilerDeps extends Omit<CredentialsDeps, 'registry' | 'options'> {
  readonly options: CredentialsOptions;
  readonly surroundings: Surroundings;
  readonly metrics: CredentialMetrics;
  /** Something in the namespace was forbidden: its RoleBinding may be gone. */
  readonly onForbidden: (namespace: string) => void;
  /** Whether pods use the Secret that may not: to be looked at again when pods or policies change. */
  readonly onPodsWithoutRight: (namespace: string, name: string, areThere: boolean) => void;
}

/** Far above what any credential needs; a rule that is never satisfied must not spin. */
const MAX_STEPS = 100;
/** Reasons not to be Ready that somebody brought about by changing the object. */
const ASKED_FOR: ReadonlySet<Reason> = new Set(['Suspended', 'Revoked', 'Deleting']);
/** A namespace whose informers are on their way. */
const NOT_READY_MS = 1_000;

export function createReconciler(
  deps: ReconcilerDeps,
): (key: string, context: ReconcileContext) => Promise<Result> {
  const { client, surroundings, metrics, options, clock, random } = deps;
  const authenticated = new Map<string, string>();

  return async (key, context) => {
    const { signal } = context;
    const [namespace = '', name = ''] = key.split('/');
    const credential = await client.find(EXCHANGE_CREDENTIALS, { namespace, name }, { signal });
    if (credential === undefined) {
      metrics.forget(namespace, name);
      deps.onPodsWithoutRight(namespace, name, false);
      authenticated.delete(key);
      return { kind: 'done' };
    }
    if (surroundings.isPreparing(namespace)) return { kind: 'after', ms: NOT_READY_MS };
    let scene: Scene | undefined;
    try {
      scene = await gather({ ...deps, authenticated }, credential, signal);
      return await settle(scene, context);
    } catch (error) {
      if (isKubeError(error, 'ERR_KUBE_FORBIDDEN')) deps.onForbidden(namespace);
      await reportFailure(credential, error, signal);
      return { kind: 'retry', error };
    } finally {
      if (scene !== undefined) wipeScene(scene);
    }
  };

  async function settle(first: Scene, context: ReconcileContext): Promise<Result> {
    let scene = first;
    try {
      for (let taken = 0; ; taken += 1) {
        scene = withPods(scene);
        const step = decide(scene.view);
        if (step === undefined) break;
        if (taken === MAX_STEPS) throw new Error(`still at ${step.kind} after ${MAX_STEPS} steps`);
        scene = await take(step, scene, context);
      }
    } catch (error) {
      const blamed = blame(scene, error);
      if (blamed === undefined) throw error;
      scene = blamed;
    }
    const { credential } = scene.view;
    const { namespace = '', name, finalizers } = credential.metadata;
    if (credential.metadata.deletionTimestamp !== undefined && !finalizers?.includes(FINALIZER)) {
      metrics.forget(namespace, name);
      return { kind: 'done' };
    }
    const { findings, consumers } = await finish(scene, context);
    return { kind: 'after', ms: nextLookMs(scene, findings, consumers) };
  }

  /**
   * Pods as of now, before every step: between the first look and the delivery some were made that
   * nobody held back, as admission had not heard of the credential yet.
   */
  function withPods(scene: Scene): Scene {
    const { podRights } = deps;
    const { credential } = scene.view;
    const { namespace = '', name } = credential.metadata;
    const guarded = surroundings.guarded(namespace);
    if (podRights === undefined || guarded === undefined) return scene;
    const pods = guarded.podsUsing(deliveryOf(credential).name);
    const podsWithoutRight = findPodsWithoutRight(pods, credential, podRights);
    deps.onPodsWithoutRight(namespace, name, podsWithoutRight.length > 0);
    return { ...scene, view: { ...scene.view, podsWithoutRight } };
  }

  /** An error that says what is wrong with the entry or the value is a finding, not a failure. */
  function blame(scene: Scene, error: unknown): Scene | undefined {
    const fault = faultOf(error);
    if (fault !== undefined) {
      return { ...scene, stored: undefined, view: { ...scene.view, vault: fault } };
    }
    if (!isVaultError(error, 'ERR_VAULT_TOO_LARGE')) return undefined;
    const message = `The value cannot be stored: ${error.message}.`;
    return { ...scene, view: { ...scene.view, source: { kind: 'refused', message } } };
  }

  async function take(step: Step, scene: Scene, context: ReconcileContext): Promise<Scene> {
    const { signal, log } = context;
    const telling = tell(step, scene.view);
    const effect = (): Promise<Scene> =>
      carryOut(
        { ...deps, saveStatus: (now) => finish(now, context).then(() => undefined) },
        step,
        scene,
        signal,
      );
    if (telling === undefined) return effect();
    const { credential } = scene.view;
    const act = actOf(telling, scene.view, context);
    try {
      let next: Scene;
      if (step.kind === 'refuseRequest') {
        await deps.audit({ ...act, decision: 'Deny', outcome: 'Succeeded' }, signal);
        next = await effect();
      } else {
        next = await perform(deps.audit, act, effect, signal);
      }
      metrics.step(step.kind, 'succeeded');
      log.info({ step: step.kind, version: telling.version }, 'Step done');
      if (telling.note !== undefined)
        emit(credential, telling.act, telling.note, telling.isWarning);
      return next;
    } catch (error) {
      metrics.step(step.kind, 'failed');
      throw error;
    }
  }

  function actOf(telling: Telling, view: View, context: ReconcileContext): Act {
    const { apiVersion, kind, metadata } = view.credential;
    const { namespace, name, uid } = metadata;
    const { reason } = view.requests;
    return {
      act: telling.act,
      actor: actorOf(telling, view.requests, deps.operator.instance),
      object: {
        apiVersion,
        kind,
        name,
        ...(namespace === undefined ? {} : { namespace }),
        ...(uid === undefined ? {} : { uid }),
      },
      requestId: context.reconcileId,
      ...(telling.version === undefined ? {} : { version: telling.version }),
      ...(telling.isRequested === true && reason !== undefined ? { reason } : {}),
      ...(telling.details === undefined ? {} : { details: telling.details }),
    };
  }

  function emit(credential: ExchangeCredential, reason: string, note: string, isWarning = false) {
    const { apiVersion, kind, metadata } = credential;
    deps.events.emit({
      object: { apiVersion, kind, metadata },
      type: isWarning ? 'Warning' : 'Normal',
      reason,
      action: 'Reconcile',
      note,
    });
  }

  /** Writes what was found, and tells of it when it is news. */
  async function finish(
    scene: Scene,
    context: ReconcileContext,
  ): Promise<{ readonly findings: readonly Finding[]; readonly consumers: Consumers | undefined }> {
    const { view } = scene;
    const findings = conclude(view);
    const consumers = consumersOf(scene);
    const status = buildStatus({
      view,
      findings,
      resealed: scene.resealed,
      consumers:
        consumers === undefined ? undefined : { list: consumers.consumers, count: consumers.count },
    });
    if (view.source.kind === 'refused' || view.source.kind === 'missing') {
      metrics.sourceError(view.source.kind);
    }
    await tellNews(scene, findings, context);
    await save(view.credential, status, context.signal);
    return { findings, consumers };
  }

  function consumersOf({ view }: Scene): Consumers | undefined {
    const { credential, nowMs } = view;
    const { namespace = '' } = credential.metadata;
    const guarded = surroundings.guarded(namespace);
    if (guarded === undefined) return undefined;
    const { name: secretName } = deliveryOf(credential);
    const delivery = deliveryStatus(view);
    return findConsumers({
      pods: view.target.kind === 'foreign' ? [] : guarded.podsUsing(secretName),
      secretName,
      delivered:
        delivery?.secretName !== secretName
          ? undefined
          : { version: delivery.version, deliveredAtMs: Date.parse(delivery.deliveredAt) },
      propagationMs: options.propagationMs,
      nowMs,
      withoutRight: new Set(view.podsWithoutRight.map(({ uid }) => uid)),
    });
  }

  /** A refusal is told once, when it begins or changes, not at every look. */
  async function tellNews(
    { view }: Scene,
    findings: readonly Finding[],
    context: ReconcileContext,
  ): Promise<void> {
    const { credential } = view;
    const before = credential.status?.conditions?.find(({ type }) => type === 'Ready');
    const now = findings.find(({ type }) => type === 'Ready');
    if (now === undefined || now.status === 'True') return;
    const isKnown =
      before?.status === now.status &&
      before.reason === now.reason &&
      before.message === now.message;
    // What was asked for is no news either.
    if (isKnown || ASKED_FOR.has(now.reason)) return;
    if (now.reason === 'SourceRefused') {
      const act = actOf({ act: 'SourceRefused' }, view, context);
      await deps.audit({ ...act, decision: 'Deny', outcome: 'Succeeded' }, context.signal);
    }
    emit(credential, now.reason, now.message, true);
  }

  async function save(
    credential: ExchangeCredential,
    status: ExchangeCredentialStatus,
    signal: AbortSignal,
  ): Promise<void> {
    metrics.observe(credential, status);
    await writeStatus(client, EXCHANGE_CREDENTIALS, credential, status, FIELD_MANAGER, signal);
  }

  function nextLookMs(
    { view }: Scene,
    findings: readonly Finding[],
    consumers: Consumers | undefined,
  ): number {
    const { source } = view.credential.spec;
    const entry = entryOf(view);
    const isReady = findings.some(({ type, status }) => type === 'Ready' && status === 'True');
    // What is not as it should be may be mended by something that no watch tells of.
    const period =
      source.secretRef === undefined && isReady ? options.resyncMs : options.sourcePeriodMs;
    const retention =
      entry === undefined
        ? undefined
        : applyRetention(entry, view.credential.spec.history, view.nowMs).nextMs;
    const times = [consumers?.nextMs, retention].filter((time) => time !== undefined);
    const jittered = period * (0.9 + 0.2 * random());
    return Math.max(1, Math.min(jittered, ...times.map((time) => time - clock.now())));
  }

  /** Something did not work: said beside what is known, which stays as it is. */
  async function reportFailure(
    credential: ExchangeCredential,
    error: unknown,
    signal: AbortSignal,
  ): Promise<void> {
    // The usual races are over with the next look.
    if (signal.aborted || isKubeError(error, 'ERR_KUBE_CONFLICT')) return;
    const message = `A step failed and is tried again: ${describe(error)}.`;
    const known = credential.status?.conditions ?? [];
    const failed = { reason: 'ReconcileFailed', message } as const;
    const findings: readonly Finding[] = [
      ...(known.some(({ type }) => type === 'Ready')
        ? []
        : [{ type: 'Ready', status: 'False', ...failed } as const]),
      { type: 'Reconciling', status: 'True', ...failed },
    ];
    const { generation } = credential.metadata;
    // Not observed yet: what the new spec asks for may not be done.
    const conditions = findings.reduce<readonly Condition[]>(
      (list, finding) =>
        setCondition(
          list,
          { ...finding, ...(generation === undefined ? {} : { observedGeneration: generation }) },
          clock.now(),
        ),
      known,
    );
    try {
      await save(credential, { ...credential.status, conditions }, signal);
    } catch {
      // The first error is the one to report.
    }
  }
}

/** Who asked for it, where admission stamped that; otherwise this operator, which does it in any case. */
function actorOf({ askedFor }: Telling, { requesters }: Requests, instance: string): AuditActor {
  const requester = askedFor === undefined ? undefined : requesters[askedFor];
  if (requester === undefined) return { kind: 'Operator', name: instance };
  const { username, ...more } = requester;
  return { kind: 'User', name: username, ...more };
}

/** Messages of the client never quote a Secret. Those of unknown origin can quote what they were given. */
function describe(error: unknown): string {
  if (isKubeError(error)) return `${error.code}, ${error.message}`;
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') {
    return error.code;
  }
  return error instanceof Error ? error.name : 'unknown';
}
