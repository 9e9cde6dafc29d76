/** Looks at one EmergencyAccess: decides, writes what follows, and tells of it. */
import { isDeepStrictEqual } from 'node:util';
import type {
  EmergencyAccess,
  EmergencyAccessStatus,
  EmergencyState,
} from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { guardedSecretsOf } from '#api/credential-secrets.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { ANNOTATIONS, API_VERSION, FIELD_MANAGER } from '#api/names.ts';
import { environmentOf, isGuarded } from '#access/world.ts';
import type { AuditActor, AuditRecord } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject, Pod } from '#kube/objects.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Informer } from '#runtime/informer.ts';
import { keyOf, namespaceOf } from '#runtime/store.ts';
import type { EmergencyAct } from './acts.ts';
import { withFailure } from './conditions.ts';
import { decideEmergency, isFinal } from './decide.ts';
import { authenticDecisions } from './decisions.ts';
import type { EmergencyDeps } from './deps.ts';
import { standingObjects } from './grant.ts';
import { happenings, isPrivileged } from './happenings.ts';
import type { Happening } from './happenings.ts';
import type { EmergencyMetrics } from './metrics.ts';
import { noticeOf } from './notices.ts';
import type { NoticeSink } from './notices.ts';
import { isTargetPod } from './reachable.ts';
import { rotationDue } from './rotation.ts';
import { carryOutStand, stepsToStand } from './stand.ts';
import type { StandingObject } from './grant.ts';
import type { EmergencyWorld, TargetCredential } from './world.ts';

export interface EmergencyReconcilerDeps extends Omit<EmergencyDeps, 'notices'> {
  readonly notices: NoticeSink;
  readonly accesses: Informer<EmergencyAccess>;
  readonly metrics: EmergencyMetrics;
}

export interface EmergencyReconciler {
  readonly reconcile: (key: string, context: ReconcileContext) => Promise<Result>;
  /** One is gone: what was reachable by it is marked all the same. */
  deleted(access: EmergencyAccess): void;
}

/** What time decides is looked at as often at least: clocks can be moved. */
const LONGEST_WAIT_MS = 30_000;
/** The status was written by somebody else meanwhile; the informer will have it in a moment. */
const BEHIND_MS = 200;
const NOT_READY_MS = 1_000;
const MIN_WAIT_MS = 50;

export function createEmergencyReconciler(deps: EmergencyReconcilerDeps): EmergencyReconciler {
  const { client, audit, clock, guarded, standing, accesses, metrics, events, log } = deps;
  const actor: AuditActor = { kind: 'Operator', name: deps.operator.instance };
  /** Since when each active one is known, by both clocks: the one that can be moved, and the other. */
  const seenActive = new Map<string, { readonly nowMs: number; readonly monotonicMs: number }>();
  const gone = new Map<string, EmergencyAccess>();
  /** What could not be written for an access (by UID), in words without any value. */
  const failures = new Map<string, string>();

  /** The clock's time; of one that is active at least what has passed since it was first known so. */
  function nowOf({ metadata }: EmergencyAccess): number {
    const since = seenActive.get(metadata.uid ?? '');
    const passedMs = since === undefined ? 0 : clock.monotonicMs() - since.monotonicMs;
    return Math.max(clock.now(), (since?.nowMs ?? 0) + passedMs);
  }

  function remember({ metadata }: EmergencyAccess, state: EmergencyState): void {
    const { uid = '' } = metadata;
    if (state !== 'Active') seenActive.delete(uid);
    else if (!seenActive.has(uid)) {
      seenActive.set(uid, { nowMs: clock.now(), monotonicMs: clock.monotonicMs() });
    }
  }

  function worldOf(access: EmergencyAccess): EmergencyWorld {
    const { namespace = '' } = access.metadata;
    const readBy = tokensOf(access);
    const found = guarded.namespaces.get(namespace);
    const environment = environmentOf(found);
    return {
      isGuarded: found !== undefined && isGuarded(found),
      ...(environment === undefined ? {} : { environment }),
      admissionGuards: deps.admissionGuards(),
      credentials: guarded.credentials
        .byIndex('namespace', namespace)
        .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
        .map(targetCredential),
      pods: guarded.pods(namespace)?.map((pod) => ({
        name: pod.metadata.name,
        secrets: deps.secretsOfPod(pod),
        reads: readBy(pod),
      })),
    };
  }

  /** What tokens in the pods of its target read, for as long as that can add anything. */
  function tokensOf({ metadata, spec, status }: EmergencyAccess): (pod: Pod) => readonly string[] {
    const { namespace = '' } = metadata;
    const isOver = isFinal(status?.state) || !spec.permissions.includes('EmergencyOverride');
    const known = new Map<string, readonly string[]>();
    return (pod) => {
      if (isOver || !isTargetPod(spec.target.pods, pod.metadata.name)) return [];
      const account = deps.accountOfToken(pod);
      if (account === undefined) return [];
      const present = known.get(account);
      if (present !== undefined) return present;
      const names = guarded.credentials
        .byIndex('namespace', namespace)
        .filter((credential) => deps.mayRead(credential, account))
        .map((credential) => credential.metadata.name);
      known.set(account, names);
      return names;
    };
  }

  function targetCredential(credential: ExchangeCredential): TargetCredential {
    const { metadata, status } = credential;
    const delivered = guarded.deliveredSecret(credential);
    return {
      name: metadata.name,
      ...(delivered === undefined ? {} : { deliveredSecret: delivered }),
      secrets: guardedSecretsOf(credential),
      ...(status?.currentVersion === undefined ? {} : { version: status.currentVersion }),
    };
  }

  /** Whatever says of itself that it stands for this one, whether it does or not. */
  function standingFor(key: string) {
    return {
      accounts: standing.accounts.byIndex('emergency', key),
      roles: standing.roles.byIndex('emergency', key),
      bindings: standing.bindings.byIndex('emergency', key),
    };
  }

  /** Whether it could be looked after: the operator may have no rights there (yet). */
  async function stand(
    key: string,
    wanted: readonly StandingObject[],
    keepsSubject: boolean,
    { reconcileId, signal }: ReconcileContext,
  ): Promise<boolean> {
    const found = standingFor(key);
    const steps = stepsToStand(wanted, foreignToo(key, wanted, found), keepsSubject);
    if (steps.length === 0) return true;
    if (!guarded.isReady(namespaceOf(key))) return false;
    await carryOutStand(steps, {
      client,
      audit,
      actor,
      reason: `EmergencyAccess ${key}`,
      requestId: reconcileId,
      signal,
    });
    return true;
  }

  /** Objects of the wanted names that are of others are in the way, and count as found. */
  function foreignToo(
    key: string,
    wanted: readonly StandingObject[],
    found: ReturnType<typeof standingFor>,
  ): ReturnType<typeof standingFor> {
    const namespace = namespaceOf(key);
    const named = <T>(
      kind: StandingObject['kind'],
      informer: { get(key: string): T | undefined },
      present: readonly T[],
    ): readonly T[] => [
      ...new Set([
        ...present,
        ...wanted
          .filter((one) => one.kind === kind)
          .flatMap(({ object }) => informer.get(`${namespace}/${object.metadata.name}`) ?? []),
      ]),
    ];
    return {
      accounts: named('ServiceAccount', standing.accounts, found.accounts),
      roles: named('Role', standing.roles, found.roles),
      bindings: named('RoleBinding', standing.bindings, found.bindings),
    };
  }

  async function markRotations(
    access: EmergencyAccess,
    isGone: boolean,
    { reconcileId, signal }: ReconcileContext,
  ): Promise<void> {
    const { namespace = '', name, uid } = access.metadata;
    const others = accesses
      .byIndex('namespace', namespace)
      .filter(({ metadata }) => metadata.uid !== uid);
    const known = [...others, access];
    for (const { name: of } of access.status?.credentials ?? []) {
      const credential = guarded.credentials.get(`${namespace}/${of}`);
      if (credential === undefined) continue;
      const present = credential.metadata.annotations?.[ANNOTATIONS.rotationDue];
      const wanted = rotationDue(known, of, present);
      if (wanted === present || (isGone && wanted === undefined)) continue;
      await perform(
        audit,
        {
          ...about(credential, wanted === undefined ? 'RotationDone' : 'RotationDue', reconcileId),
          actor,
          reason: `EmergencyAccess ${namespace}/${name}`,
        },
        async () => {
          try {
            await client.mergePatch<ExchangeCredential>(
              EXCHANGE_CREDENTIALS,
              { namespace, name: of },
              {
                metadata: {
                  uid: credential.metadata.uid,
                  annotations: { [ANNOTATIONS.rotationDue]: wanted ?? null },
                },
              },
              { fieldManager: FIELD_MANAGER, signal },
            );
          } catch (error) {
            // Deleted, or made anew: then nothing of it was reachable.
            const isOther =
              isKubeError(error, 'ERR_KUBE_NOT_FOUND') || isKubeError(error, 'ERR_KUBE_CONFLICT');
            if (!isOther) throw error;
          }
        },
        signal,
      );
    }
  }

  /**
   * The status as a whole, but for the uses, upon just the object that was looked at: what was
   * decided about an older one must not be written.
   */
  async function writeStatus(
    access: EmergencyAccess,
    status: EmergencyAccessStatus,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace = '', name, resourceVersion } = access.metadata;
    await client.apply<EmergencyAccess>(
      EMERGENCY_ACCESSES,
      {
        apiVersion: API_VERSION,
        kind: EMERGENCY_ACCESSES.kind,
        metadata: {
          namespace,
          name,
          ...(resourceVersion === undefined ? {} : { resourceVersion }),
        },
        status,
      },
      { fieldManager: FIELD_MANAGER, force: true, subresource: 'status', signal },
    );
  }

  /**
   * Each act has its record before and after it. What gives somebody more than before waits for the
   * record; an end waits for nothing.
   */
  async function recorded(
    access: EmergencyAccess,
    happened: readonly Happening[],
    requestId: string,
    effect: () => Promise<void>,
    signal: AbortSignal,
  ): Promise<void> {
    const acts = happened
      .filter(({ act }) => act !== 'EmergencyReviewDue')
      .map(({ act, by, reason }) => ({
        ...about(access, act, requestId),
        actor: by === undefined ? actor : ({ kind: 'User', name: by } as const),
        ...(reason === undefined ? {} : { reason }),
        decision: act === 'EmergencyDenied' ? ('Deny' as const) : ('Allow' as const),
      }));
    const needsRecord = acts.some(({ act }) => isPrivileged(act));
    for (const act of acts) {
      try {
        await audit({ ...act, outcome: 'Intended' }, signal);
      } catch (error) {
        if (needsRecord) throw error;
        log.error({ act: act.act, reason: describeError(error) }, 'Record not written');
      }
    }
    let outcome: 'Succeeded' | 'Failed' = 'Failed';
    try {
      await effect();
      outcome = 'Succeeded';
    } finally {
      for (const act of acts) {
        await audit({ ...act, outcome }).catch((error: unknown) => {
          log.error({ act: act.act, reason: describeError(error) }, 'Record not written');
        });
      }
    }
  }

  function tell(
    access: EmergencyAccess,
    status: EmergencyAccessStatus,
    happened: readonly Happening[],
  ): void {
    for (const one of happened) {
      const { act, type, note } = one;
      metrics.happened(act);
      events.emit({ object: access, type, reason: act, action: 'DecideEmergencyAccess', note });
      deps.notices.send(noticeOf(access, status, one, clock.now()));
    }
    const uses = (status.useCount ?? 0) - (access.status?.useCount ?? 0);
    if (uses > 0) metrics.used(uses);
  }

  /** One that was deleted while it was active ended by that. */
  async function settleGone(key: string, context: ReconcileContext): Promise<void> {
    const last = gone.get(key);
    if (last === undefined) return;
    const { status = {} } = last;
    const state = isFinal(status.state) ? status.state : 'Revoked';
    const endedAt = status.endedAt ?? new Date(clock.now()).toISOString();
    const ended = { ...status, ...(state === undefined ? {} : { state }), endedAt };
    await markRotations({ ...last, status: ended }, true, context);
    gone.delete(key);
  }

  return {
    deleted(access) {
      const { uid = '' } = access.metadata;
      if (access.status?.activatedAt !== undefined) gone.set(keyOf(access), access);
      seenActive.delete(uid);
      failures.delete(uid);
    },

    async reconcile(key, context) {
      const { signal, reconcileId } = context;
      await settleGone(key, context);
      const access = accesses.get(key);
      if (access === undefined || access.metadata.deletionTimestamp !== undefined) {
        const isGone = await stand(key, [], false, context);
        return isGone ? { kind: 'done' } : { kind: 'after', ms: NOT_READY_MS };
      }
      const nowMs = nowOf(access);
      const stampKey = deps.stampKey();
      const outcome = decideEmergency({
        access,
        decisions: stampKey === undefined ? undefined : authenticDecisions(access, stampKey),
        settings: deps.settings,
        nowMs,
        world: worldOf(access),
      });
      remember(access, outcome.state);
      const { grant } = outcome;
      const wanted = grant === undefined ? [] : standingObjects(access, grant);
      const keepsSubject = grant !== undefined && grant.bindsSubject === undefined;
      const { uid = '' } = access.metadata;
      const failed = failures.get(uid);
      const { conditions = [] } = outcome.status;
      const status =
        failed === undefined
          ? outcome.status
          : { ...outcome.status, conditions: withFailure(conditions, failed, nowMs) };

      // A beginning is stored before anything stands for it, so that nothing stands without an end;
      // and an end before anything is taken away, so that admission knows of it first.
      let unwritten: unknown;
      try {
        await writeNews(access, status, reconcileId, signal);
      } catch (error) {
        if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) return { kind: 'done' };
        // What should be gone goes all the same.
        if (grant !== undefined) return later(error);
        unwritten = error;
      }
      let isDone: boolean;
      try {
        isDone = await stand(key, wanted, keepsSubject, context);
        if (grant === undefined) await markRotations({ ...access, status }, false, context);
      } catch (error) {
        // What was written a moment ago is not in the cache yet.
        if (isBehind(error)) return { kind: 'after', ms: BEHIND_MS };
        // It stands in the status with the next try, and until one succeeds.
        if (!signal.aborted) failures.set(uid, describeError(error));
        throw error;
      }
      if (unwritten !== undefined) return later(unwritten);
      if (failures.delete(uid)) return { kind: 'after', ms: BEHIND_MS };
      if (!isDone) return { kind: 'after', ms: NOT_READY_MS };
      if (outcome.nextAtMs === undefined) return { kind: 'done' };
      const waitMs = Math.max(MIN_WAIT_MS, outcome.nextAtMs - nowMs);
      return { kind: 'after', ms: Math.min(waitMs, LONGEST_WAIT_MS) };
    },
  };

  async function writeNews(
    access: EmergencyAccess,
    status: EmergencyAccessStatus,
    requestId: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { uses: _uses, ...before } = access.status ?? {};
    if (isDeepStrictEqual(plain(before), plain(status))) return;
    const happened = happenings(access, status);
    const write = (): Promise<void> => writeStatus(access, status, signal);
    await recorded(access, happened, requestId, write, signal);
    tell(access, status, happened);
  }
}

/** Others write to the object, too; then the informer will have it in a moment. */
function later(error: unknown): Result {
  return isBehind(error) ? { kind: 'after', ms: BEHIND_MS } : { kind: 'retry', error };
}

function isBehind(error: unknown): boolean {
  return isKubeError(error, 'ERR_KUBE_CONFLICT') || isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS');
}

/** As the API server gives it back. */
function plain(status: EmergencyAccessStatus): unknown {
  return JSON.parse(JSON.stringify(status));
}

function about(
  { apiVersion, kind, metadata }: KubeObject,
  act: EmergencyAct,
  requestId: string,
): Pick<AuditRecord, 'object' | 'requestId'> & { readonly act: EmergencyAct } {
  const { namespace, name, uid } = metadata;
  return {
    act,
    object: {
      apiVersion,
      kind,
      ...(namespace === undefined ? {} : { namespace }),
      name,
      ...(uid === undefined ? {} : { uid }),
    },
    requestId,
  };
}
