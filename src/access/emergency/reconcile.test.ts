import { describe, expect, it } from 'vitest';
import type {
  EmergencyAccess,
  EmergencyAccessSpec,
  EmergencyAccessStatus,
} from '#api/emergency-access.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AuditRecord } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { emergencyIndexValues } from './grant.ts';
import { createEmergencyReconciler } from './reconcile.ts';
import type { EmergencyReconcilerDeps } from './reconcile.ts';
import {
  CREATED_MS,
  MINUTE_MS,
  SETTINGS,
  STAMP_KEY,
  decision,
  decisionsAnnotation,
  emergencyAccess,
} from './testing/builders.ts';

const KEY = 'trading/night';

/** A cluster in memory, which every cache sees at once, and writes that can be made to fail. */
function setUp(decisions = [decision('approve', 'bob')], spec: Partial<EmergencyAccessSpec> = {}) {
  const clock = createFakeClock(CREATED_MS + MINUTE_MS);
  const cluster = new Map<string, KubeObject>();
  const told: string[] = [];
  const audited: AuditRecord[] = [];
  const faults = { write: undefined as string | undefined, audit: false };
  let access: EmergencyAccess | undefined = emergencyAccess(
    spec,
    undefined,
    decisionsAnnotation(decisions),
  );
  const credential = {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { namespace: 'trading', name: 'maker', uid: 'maker', annotations: {} },
    spec: { delivery: { secret: { name: 'maker-keys' } }, source: { generate: {} } },
    status: { currentVersion: 3, delivery: { secretName: 'maker-keys' } },
  } as unknown as ExchangeCredential;
  const marks: unknown[] = [];
  const refuse = (kind: string): void => {
    if (faults.write === kind) throw new KubeError('ERR_KUBE_FORBIDDEN', `create ${kind}`);
  };
  const keyOf = ({ kind, metadata }: KubeObject): string => `${kind} ${metadata.name}`;
  const client = {
    create: async (_: unknown, object: KubeObject) => {
      refuse(object.kind);
      cluster.set(keyOf(object), object);
    },
    replace: async (_: unknown, object: KubeObject) => void cluster.set(keyOf(object), object),
    delete: async ({ kind }: { kind: string }, { name }: { name: string }) => {
      cluster.delete(`${kind} ${name}`);
    },
    apply: async (_: unknown, object: { readonly status: EmergencyAccessStatus }) => {
      refuse('status');
      if (access !== undefined) access = { ...access, status: object.status };
    },
    mergePatch: async (_: unknown, __: unknown, patch: unknown) => void marks.push(patch),
  } as unknown as KubeClient;
  const informer = (kind: string) => ({
    get: (key: string) => cluster.get(`${kind} ${key.split('/')[1]}`),
    byIndex: (_: string, value: string) =>
      [...cluster.values()].filter(
        (one) => one.kind === kind && emergencyIndexValues(one).includes(value),
      ),
  });
  const labels = { 'strongroom.dev/guarded': 'true', 'strongroom.dev/environment': 'Production' };
  const world = { isReady: true };
  const account = { ofToken: undefined as string | undefined };
  const deps = {
    client,
    guarded: {
      namespaces: { get: () => ({ metadata: { name: 'trading', labels } }) },
      credentials: { get: () => credential, byIndex: () => [credential] },
      isReady: () => world.isReady,
      deliveredSecret: () => 'maker-keys',
      pods: () => [{ metadata: { name: 'maker-0' } }],
    },
    secretsOfPod: () => [],
    accountOfToken: () => account.ofToken,
    mayRead: ({ metadata }: ExchangeCredential, name: string) =>
      metadata.name === 'maker' && name === 'reader',
    standing: {
      accounts: informer('ServiceAccount'),
      roles: informer('Role'),
      bindings: informer('RoleBinding'),
    },
    stampKey: () => STAMP_KEY,
    admissionGuards: () => true,
    settings: SETTINGS,
    audit: async (record: AuditRecord) => {
      if (faults.audit) throw new Error('disk full');
      audited.push(record);
    },
    events: { emit: ({ reason }: { reason: string }) => void told.push(reason) },
    notices: { send: () => undefined },
    clock,
    log: silentLogger,
    operator: { instance: 'one' },
    accesses: { get: () => access, byIndex: () => (access === undefined ? [] : [access]) },
    metrics: { happened: () => undefined, used: () => undefined, noticeLost: () => undefined },
  } as unknown as EmergencyReconcilerDeps;
  const reconciler = createEmergencyReconciler(deps);
  const context: ReconcileContext = {
    signal: new AbortController().signal,
    log: silentLogger,
    reconcileId: 'r-1',
  };
  return {
    clock,
    cluster,
    told,
    audited,
    faults,
    marks,
    world,
    account,
    status: () => access?.status,
    remove() {
      if (access !== undefined) reconciler.deleted(access);
      access = undefined;
    },
    decide(...more: Parameters<typeof decision>[]) {
      const all = [...decisions, ...more.map((one) => decision(...one))];
      if (access === undefined) return;
      const annotations = { ...access.metadata.annotations, ...decisionsAnnotation(all) };
      access = { ...access, metadata: { ...access.metadata, annotations } };
    },
    /** What the reconciliation asks for, or the code of what it throws. */
    reconcile: (): Promise<Result | string> =>
      reconciler
        .reconcile(KEY, context)
        .catch((error: unknown) => String((error as { code?: string }).code ?? error)),
  };
}

const ready = (status: EmergencyAccessStatus | undefined): string => {
  const found = status?.conditions?.find(({ type }) => type === 'Ready');
  return `${found?.status} ${found?.reason}`;
};

describe('a reconciliation', () => {
  it('begins, and asks to be called again when it ends', async () => {
    const { reconcile, status, cluster, told, clock } = setUp();
    expect(await reconcile()).toEqual({ kind: 'after', ms: 30_000 });
    expect(status()?.state).toBe('Active');
    expect(cluster.size).toBe(7);
    expect(told).toEqual(['EmergencyRequested', 'EmergencyApproved', 'EmergencyActivated']);
    await clock.advance(29 * MINUTE_MS + 59_000);
    expect(await reconcile()).toEqual({ kind: 'after', ms: 1000 });
    await clock.advance(1000);
    expect(await reconcile()).toEqual({ kind: 'done' });
    expect([status()?.state, cluster.size]).toEqual(['Expired', 0]);
  });

  it('opens nothing without a record', async () => {
    const { reconcile, status, cluster, faults } = setUp();
    faults.audit = true;
    await reconcile();
    expect([status(), cluster.size]).toEqual([undefined, 0]);
    faults.audit = false;
    await reconcile();
    expect([status()?.state, cluster.size]).toEqual(['Active', 7]);
  });

  it('ends also where nothing can be recorded', async () => {
    const { reconcile, status, faults, decide } = setUp();
    await reconcile();
    faults.audit = true;
    decide(['end', 'bob']);
    await reconcile();
    expect(status()?.state).toBe('Revoked');
    faults.audit = false;
    await reconcile();
  });

  it('opens nothing whose end is not stored', async () => {
    const { reconcile, cluster, faults } = setUp();
    faults.write = 'status';
    expect(await reconcile()).toMatchObject({ kind: 'retry' });
    expect(cluster.size).toBe(0);
  });

  it('takes everything away also where its end cannot be stored', async () => {
    const { reconcile, cluster, faults, decide } = setUp();
    await reconcile();
    faults.write = 'status';
    decide(['end', 'bob']);
    expect(await reconcile()).toMatchObject({ kind: 'retry' });
    expect(cluster.size).toBe(0);
  });

  it('says what could not be written, until it could', async () => {
    const { reconcile, status, faults, cluster } = setUp();
    faults.write = 'Role';
    expect(await reconcile()).toBe('ERR_KUBE_FORBIDDEN');
    expect(await reconcile()).toBe('ERR_KUBE_FORBIDDEN');
    expect(ready(status())).toBe('False ReconcileFailed');
    faults.write = undefined;
    expect(await reconcile()).toMatchObject({ kind: 'after' });
    await reconcile();
    expect([ready(status()), cluster.size]).toEqual(['True UpToDate', 7]);
  });

  it('waits for its rights in the namespace', async () => {
    const { reconcile, world, cluster } = setUp();
    world.isReady = false;
    expect(await reconcile()).toEqual({ kind: 'after', ms: 1000 });
    expect(cluster.size).toBe(0);
  });

  it('marks what was reachable, and withdraws all, when it is deleted while active', async () => {
    const { reconcile, cluster, marks, remove } = setUp();
    await reconcile();
    remove();
    expect(await reconcile()).toEqual({ kind: 'done' });
    expect(cluster.size).toBe(0);
    expect(marks).toMatchObject([
      { metadata: { uid: 'maker', annotations: { 'strongroom.dev/rotation-due': 'night' } } },
    ]);
  });

  it('marks what a token in a pod of its target reads', async () => {
    const { reconcile, status, account, marks, decide } = setUp(undefined, {
      permissions: ['EmergencyOverride'],
      target: { pods: ['maker-0'] },
    });
    await reconcile();
    expect(status()?.credentials).toBeUndefined();
    account.ofToken = 'poor';
    await reconcile();
    expect(status()?.credentials).toBeUndefined();
    account.ofToken = 'reader';
    await reconcile();
    expect(status()?.credentials).toEqual([{ name: 'maker', version: 3, rotated: false }]);
    account.ofToken = undefined;
    decide(['end', 'bob']);
    await reconcile();
    expect([status()?.state, marks.length]).toEqual(['Revoked', 1]);
  });

  it('counts what has passed, not what the clock says, once it is active', async () => {
    const { reconcile, status, clock } = setUp();
    await reconcile();
    const now = clock.now;
    Object.assign(clock, { now: () => now() - 4 * MINUTE_MS });
    await clock.advance(29 * MINUTE_MS);
    await reconcile();
    expect(status()?.state).toBe('Active');
    await clock.advance(MINUTE_MS);
    await reconcile();
    expect(status()?.state).toBe('Expired');
  });
});
