/**
 * The controller of EmergencyAccesses in this process, against the real API server, with a clock
 * that the test moves and decisions that the test stamps in place of admission.
 */
import { createPrivateKey, randomBytes, randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { SignJWT, decodeJwt, decodeProtectedHeader } from 'jose';
import { Registry } from 'prom-client';
import { afterAll, afterEach, beforeAll, describe, expect, inject, it } from 'vitest';
import { createEmergencyController } from '../../src/access/emergency/controller.ts';
import type { EmergencyController } from '../../src/access/emergency/deps.ts';
import type { DecisionAct } from '../../src/access/emergency/decisions.ts';
import { emergencyIndexValues } from '../../src/access/emergency/grant.ts';
import type { Notice } from '../../src/access/emergency/notices.ts';
import { signDecision } from '../../src/access/emergency/stamp.ts';
import { createUseReporter } from '../../src/access/emergency/uses.ts';
import type { EmergencyAccess, EmergencyAccessSpec } from '../../src/api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '../../src/api/emergency-access.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import { ANNOTATIONS } from '../../src/api/names.ts';
import type { AuditRecord } from '../../src/audit/audit.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { KubeObject, Pod } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import {
  EVENTS,
  PODS,
  ROLE_BINDINGS,
  ROLES,
  SECRETS,
  SERVICE_ACCOUNTS,
  TOKEN_REQUESTS,
} from '../../src/kube/resources.ts';
import { createEventRecorder } from '../../src/runtime/events.ts';
import { createInformer } from '../../src/runtime/informer.ts';
import type { Informer } from '../../src/runtime/informer.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { startCredentialsOperator } from './credentials-operator.ts';
import type { CredentialsOperator } from './credentials-operator.ts';
import { createMovableClock } from './movable-clock.ts';
import type { MovableClock } from './movable-clock.ts';

const MINUTE_MS = 60_000;
const stampKey = new Uint8Array(randomBytes(32));

interface Running extends AsyncDisposable {
  readonly controller: EmergencyController;
  readonly clock: MovableClock;
  readonly audited: readonly AuditRecord[];
  readonly notices: readonly Notice[];
  readonly registry: Registry;
  onUse(name: string): void;
  admission(guards: boolean | undefined): void;
}

describe('the controller of EmergencyAccesses', () => {
  const cleanup = new AsyncDisposableStack();
  let admin: KubeClient;
  let operator: CredentialsOperator;
  let trading: TestNamespace;
  let running: Running | undefined;

  beforeAll(async () => {
    admin = cleanup.use(await connect());
    const home = cleanup.use(await createNamespace(admin, 'emergency-home'));
    trading = cleanup.use(
      await createNamespace(admin, 'emergency', {
        'strongroom.dev/guarded': 'true',
        'strongroom.dev/environment': 'Production',
      }),
    );
    operator = cleanup.use(await startCredentialsOperator(admin, home.name));
    for (const name of ['maker', 'hedge']) {
      await admin.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
        apiVersion: 'strongroom.dev/v1alpha1',
        kind: 'ExchangeCredential',
        metadata: { namespace: trading.name, name },
        spec: {
          type: 'Password',
          environment: 'Production',
          owner: 'desk',
          source: { generate: {} },
          delivery: { secret: { name: `${name}-keys` } },
        },
      });
    }
    await admin.create<Pod>(PODS, {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: trading.name, name: 'hedge-0' },
      spec: {
        containers: [{ name: 'main', image: 'localhost/none' } as never],
        volumes: [{ name: 'keys', secret: { secretName: 'hedge-keys' } }],
      },
    });
    for (const name of ['maker', 'hedge']) {
      await eventually(async () => (await credential(name)).status?.delivery, {
        what: `${name} to be delivered`,
      });
    }
  });
  afterEach(async () => {
    await running?.[Symbol.asyncDispose]();
    running = undefined;
    const { items } = await admin.list(EMERGENCY_ACCESSES, { namespace: trading.name });
    for (const { metadata } of items) {
      await admin.delete(EMERGENCY_ACCESSES, { namespace: trading.name, name: metadata.name });
    }
  });
  afterAll(() => cleanup.disposeAsync());

  async function start(
    clock: MovableClock = createMovableClock(),
    settings: { readonly approvals?: number; readonly selfApproval?: boolean } = {},
  ): Promise<Running> {
    const stop = new AbortController();
    const shared = { client: admin, clock, random: Math.random, log: silentLogger };
    const audited: AuditRecord[] = [];
    const notices: Notice[] = [];
    const registry = new Registry();
    let guards: boolean | undefined = true;
    const follow = <T extends KubeObject>(resource: Resource<T>): Informer<T> =>
      createInformer<T>({
        ...shared,
        resource,
        scope: { namespace: trading.name },
        indexes: { emergency: emergencyIndexValues },
      });
    const standing = {
      accounts: follow(SERVICE_ACCOUNTS),
      roles: follow(ROLES),
      bindings: follow(ROLE_BINDINGS),
    };
    const events = createEventRecorder({
      client: admin,
      controller: 'strongroom.dev/operator',
      instance: 'test',
      clock,
      log: silentLogger,
    });
    const controller = createEmergencyController({
      ...shared,
      guarded: operator.controller,
      secretsOfPod: (pod) =>
        (pod.spec?.volumes ?? []).flatMap(({ secret }) => secret?.secretName ?? []),
      accountOfToken: () => undefined,
      mayRead: () => false,
      standing,
      stampKey: () => stampKey,
      admissionGuards: () => guards,
      settings: {
        maxDurationMs: 60 * MINUTE_MS,
        approvalTimeoutMs: 30 * MINUTE_MS,
        approvals: { Development: 1, Staging: 1, Production: settings.approvals ?? 1 },
        selfApproval: settings.selfApproval ?? false,
      },
      notices: () => ({
        name: 'notices',
        run: async () => undefined,
        send: (notice) => void notices.push(notice),
      }),
      audit: async (record) => void audited.push(record),
      events,
      registry,
      operator: { instance: 'test' },
    });
    const uses = createUseReporter({ ...shared, accesses: controller.accesses, replica: 'one' });
    const informers = [...Object.values(standing), controller.accesses];
    const runs = informers.map((informer) => informer.run(stop.signal));
    await Promise.all(informers.map((informer) => informer.synced(stop.signal)));
    runs.push(...controller.controllers.map((one) => one.run(stop.signal)), uses.run(stop.signal));
    running = {
      controller,
      clock,
      audited,
      notices,
      registry,
      onUse: (name) => uses.onUse(trading.name, name),
      admission(next) {
        guards = next;
        controller.resync();
      },
      async [Symbol.asyncDispose]() {
        stop.abort(new Error('the test is over'));
        await Promise.all(runs);
        await events.flush();
      },
    };
    return running;
  }

  function credential(name: string): Promise<ExchangeCredential> {
    return admin.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, { namespace: trading.name, name });
  }

  async function ask(
    spec: Partial<EmergencyAccessSpec> = {},
    name = `night-${randomUUID().slice(0, 8)}`,
  ): Promise<string> {
    await admin.create<EmergencyAccess>(EMERGENCY_ACCESSES, {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'EmergencyAccess',
      metadata: {
        namespace: trading.name,
        name,
        annotations: { [ANNOTATIONS.createdBy]: JSON.stringify({ username: 'carol' }) },
      },
      spec: {
        subject: { kind: 'User', name: 'alice' },
        reason: 'orders are stuck and must be cancelled by hand',
        target: { credentials: ['maker'], pods: ['*'] },
        permissions: ['AccessSecrets', 'EmergencyOverride'],
        duration: '20m',
        ...spec,
      },
    });
    return name;
  }

  /** As admission does it for that person. */
  async function decide(name: string, act: DecisionAct, username: string): Promise<void> {
    const at = { namespace: trading.name, name };
    const { metadata } = await admin.get<EmergencyAccess>(EMERGENCY_ACCESSES, at);
    const text = metadata.annotations?.[ANNOTATIONS.decisions] ?? '[]';
    const entry = {
      act,
      username,
      reason: `${username} says that it is right to ${act}`,
      at: new Date(running?.clock.now() ?? Date.now()).toISOString(),
    };
    const mac = signDecision(stampKey, { ...entry, uid: metadata.uid ?? '' });
    const decisions = [...(JSON.parse(text) as unknown[]), { ...entry, mac }];
    await admin.mergePatch<EmergencyAccess>(EMERGENCY_ACCESSES, at, {
      metadata: { annotations: { [ANNOTATIONS.decisions]: JSON.stringify(decisions) } },
    });
  }

  async function until(
    name: string,
    state: string,
    holds: (access: EmergencyAccess) => boolean = () => true,
  ): Promise<EmergencyAccess> {
    let last: EmergencyAccess | undefined;
    try {
      return await eventually(
        async () => {
          last = await admin.get<EmergencyAccess>(EMERGENCY_ACCESSES, {
            namespace: trading.name,
            name,
          });
          return last.status?.state === state && holds(last) ? last : undefined;
        },
        { what: `${name} to be ${state}`, timeoutMs: 15_000 },
      );
    } catch (error) {
      throw new Error(`the status is ${JSON.stringify(last?.status)}`, { cause: error });
    }
  }

  /** Kind and name of all that stands for EmergencyAccesses. */
  async function standing(): Promise<readonly string[]> {
    const options = { labelSelector: 'strongroom.dev/emergency-access' };
    const scope = { namespace: trading.name };
    const lists = await Promise.all([
      admin.list(SERVICE_ACCOUNTS, scope, options),
      admin.list(ROLES, scope, options),
      admin.list(ROLE_BINDINGS, scope, options),
    ]);
    return ['ServiceAccount', 'Role', 'RoleBinding'].flatMap((kind, at) =>
      (lists[at]?.items ?? []).map(({ metadata }) => `${kind} ${metadata.name}`).sort(),
    );
  }

  const cleared = (): Promise<unknown> =>
    eventually(async () => (await standing()).length === 0 || undefined, {
      what: 'everything to be gone',
    });

  async function activated(spec: Partial<EmergencyAccessSpec> = {}): Promise<string> {
    const name = await ask(spec);
    await until(name, 'Pending');
    await decide(name, 'approve', 'bob');
    await until(name, 'Active');
    return name;
  }

  it('goes from the request to the review', async () => {
    const { clock, notices, audited, registry, onUse } = await start();
    const name = await ask();
    const pending = await until(name, 'Pending');
    expect(pending.status).toMatchObject({
      requestedBy: { username: 'carol' },
      approvalsNeeded: 1,
      approvals: [],
    });
    expect(await standing()).toEqual([]);

    // Neither who asks nor who gets in counts.
    await decide(name, 'approve', 'carol');
    await decide(name, 'approve', 'alice');
    await decide(name, 'approve', 'bob');
    const active = await until(name, 'Active');
    expect(active.status?.approvals?.map(({ username }) => username)).toEqual(['bob']);
    await eventually(async () => (await standing()).length === 7 || undefined, {
      what: 'everything to stand',
    });
    expect(await standing()).toEqual([
      `ServiceAccount strongroom-emergency-${name}`,
      `Role strongroom:emergency:${name}:read`,
      `Role strongroom:emergency:${name}:write`,
      `RoleBinding strongroom:emergency:${name}:connect`,
      `RoleBinding strongroom:emergency:${name}:read`,
      `RoleBinding strongroom:emergency:${name}:token`,
      `RoleBinding strongroom:emergency:${name}:write`,
    ]);

    onUse(name);
    onUse(name);
    const used = await until(name, 'Active', ({ status }) => status?.useCount === 2);
    expect(used.status?.uses).toMatchObject([{ replica: 'one', count: 2 }]);
    const text = await registry.metrics();
    expect(text).toContain('strongroom_emergency_accesses_active 1');
    expect(text).toContain('strongroom_emergency_uses_total 2');

    clock.pass(20 * MINUTE_MS);
    const expired = await until(name, 'Expired');
    await cleared();
    expect(expired.status?.endedAt).toBe(active.status?.expiresAt);
    // Those of the target, and those that a target pod holds.
    expect(expired.status?.credentials).toEqual([
      { name: 'hedge', version: 1, rotated: false },
      { name: 'maker', version: 1, rotated: false },
    ]);
    for (const of of ['maker', 'hedge']) {
      await eventually(
        async () =>
          (await credential(of)).metadata.annotations?.[ANNOTATIONS.rotationDue] === name ||
          undefined,
        { what: `${of} to be marked` },
      );
    }

    await admin.mergePatch<ExchangeCredential>(
      EXCHANGE_CREDENTIALS,
      { namespace: trading.name, name: 'maker' },
      { metadata: { annotations: { [ANNOTATIONS.rotate]: randomUUID() } } },
    );
    await until(name, 'Expired', ({ status }) =>
      (status?.credentials ?? []).some((one) => one.name === 'maker' && one.rotated),
    );
    await eventually(
      async () =>
        (await credential('maker')).metadata.annotations?.[ANNOTATIONS.rotationDue] === undefined ||
        undefined,
      { what: 'the mark to be taken off' },
    );
    expect((await credential('hedge')).metadata.annotations?.[ANNOTATIONS.rotationDue]).toBe(name);

    await decide(name, 'review', 'alice');
    await decide(name, 'review', 'dave');
    const reviewed = await until(name, 'Expired', ({ status }) => status?.review !== undefined);
    expect(reviewed.status?.review?.by).toBe('dave');
    expect(reviewed.status?.conditions?.find(({ type }) => type === 'Reviewed')?.status).toBe(
      'True',
    );
    await eventually(() => notices.at(-1)?.type === 'EmergencyReviewed' || undefined, {
      what: 'the last notice',
    });
    const acts = notices.map(({ type, by }) => `${type}${by === undefined ? '' : ` by ${by}`}`);
    expect(acts.filter((act) => !act.startsWith('EmergencyUsed'))).toEqual([
      'EmergencyRequested by carol',
      'EmergencyApproved by bob',
      'EmergencyActivated',
      'EmergencyExpired',
      'EmergencyReviewDue',
      'EmergencyReviewed by dave',
    ]);
    const succeeded = new Set(
      audited.filter(({ outcome }) => outcome === 'Succeeded').map(({ act }) => act),
    );
    expect([...succeeded].sort()).toEqual([
      'EmergencyActivated',
      'EmergencyApproved',
      'EmergencyExpired',
      'EmergencyGranted',
      'EmergencyRequested',
      'EmergencyReviewed',
      'EmergencyUsed',
      'EmergencyWithdrawn',
      'RotationDone',
      'RotationDue',
    ]);
    const { items } = await eventually(
      async () => {
        const list = await admin.list(EVENTS, { namespace: trading.name });
        return list.items.some(({ reason }) => reason === 'EmergencyReviewed') ? list : undefined;
      },
      { what: 'the Events' },
    );
    const reasons = new Set(
      items.filter(({ regarding }) => regarding?.name === name).map(({ reason }) => reason),
    );
    expect([...reasons].sort()).toEqual([
      'EmergencyActivated',
      'EmergencyApproved',
      'EmergencyExpired',
      'EmergencyRequested',
      'EmergencyReviewDue',
      'EmergencyReviewed',
      'EmergencyUsed',
    ]);
  });

  it('lets the subject read by a token, and by nothing else', async () => {
    await start();
    const name = await activated();
    const reader = await readerOf(name);
    await using _ = reader;
    const secret = (of: string) => reader.get(SECRETS, { namespace: trading.name, name: of });
    await eventually(() => secret('maker-keys'), { what: 'the Secret to be readable' });
    await expect(secret('hedge-keys')).rejects.toThrow('hedge-keys');
    await expect(reader.list(SECRETS, { namespace: trading.name })).rejects.toThrow('Forbidden');
    // The token ends with its account, before its own time, once the API server asks again (10 s).
    await decide(name, 'end', 'bob');
    await until(name, 'Revoked');
    await cleared();
    await eventually(
      () =>
        secret('maker-keys').then(
          () => undefined,
          (error: unknown) => isKubeError(error, 'ERR_KUBE_UNAUTHORIZED') || undefined,
        ),
      { what: 'the token to be refused' },
    );
  });

  it('ends what ended while nobody was there, and what others left of it', async () => {
    const first = await start();
    const name = await activated();
    await eventually(async () => (await standing()).length === 7 || undefined, { what: 'RBAC' });
    await first[Symbol.asyncDispose]();
    const clock = createMovableClock();
    clock.pass(3 * 60 * MINUTE_MS);
    const orphan = {
      namespace: trading.name,
      labels: { 'strongroom.dev/emergency-access': 'gone' },
      ownerReferences: [
        {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'EmergencyAccess',
          name: 'never-was',
          uid: '00000000-0000-4000-8000-000000000000',
        },
      ],
    };
    const late = await start(clock);
    const expired = await until(name, 'Expired');
    expect(expired.status?.endedAt).toBe(expired.status?.expiresAt);
    await cleared();
    await admin.create(ROLES, {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: 'Role',
      metadata: { ...orphan, name: 'strongroom:emergency:never-was:read' },
      rules: [],
    });
    await cleared();
    expect(late.notices.map(({ type }) => type)).toEqual([
      'EmergencyExpired',
      'EmergencyReviewDue',
    ]);
  });

  it('writes nothing when it starts anew, and nothing twice', async () => {
    const first = await start();
    const name = await activated();
    await eventually(async () => (await standing()).length === 7 || undefined, { what: 'RBAC' });
    const versions = async (): Promise<readonly unknown[]> => {
      const access = await admin.get<EmergencyAccess>(EMERGENCY_ACCESSES, {
        namespace: trading.name,
        name,
      });
      const { items } = await admin.list(ROLE_BINDINGS, { namespace: trading.name });
      return [access, ...items].map(({ metadata }) => metadata.resourceVersion);
    };
    const before = await versions();
    await first[Symbol.asyncDispose]();
    const second = await start(first.clock);
    second.controller.resync();
    await eventually(
      async () => (await second.registry.metrics()).includes('accesses_active 1') || undefined,
      { what: 'the second to have synced' },
    );
    // What it has to do, it does before this one, which comes later.
    const other = await ask({ target: { pods: ['x'] }, permissions: ['EmergencyOverride'] });
    await until(other, 'Pending');
    expect(await versions()).toEqual(before);
    expect(second.audited.filter(({ object }) => object.name === name)).toEqual([]);
  });

  it('puts right what others change while it is active', async () => {
    await start();
    const name = await activated();
    const binding = { namespace: trading.name, name: `strongroom:emergency:${name}:connect` };
    await eventually(() => admin.find(ROLE_BINDINGS, binding), { what: 'the binding' });
    const mallory = { kind: 'User', name: 'mallory', apiGroup: 'rbac.authorization.k8s.io' };
    await admin.mergePatch(ROLE_BINDINGS, binding, { subjects: [mallory] });
    await eventually(
      async () =>
        (await admin.get(ROLE_BINDINGS, binding)).subjects?.[0]?.name === 'alice' || undefined,
      { what: 'the binding to be put right' },
    );
    await admin.delete(ROLE_BINDINGS, binding);
    const again = await eventually(() => admin.find(ROLE_BINDINGS, binding), {
      what: 'the binding, again',
    });
    expect(again.subjects).toMatchObject([{ kind: 'User', name: 'alice' }]);
  });

  it('is not made longer by a clock that is set back, and is ended by one set forward', async () => {
    const first = await start();
    const { clock, controller } = first;
    const name = await activated();
    // In an operator that goes on, what has passed counts, whatever the clock says.
    clock.set(-4 * MINUTE_MS);
    clock.pass(19 * MINUTE_MS);
    controller.resync();
    await until(name, 'Active');
    clock.pass(MINUTE_MS);
    await until(name, 'Expired');
    await first[Symbol.asyncDispose]();
    const forward = await start();
    const other = await activated();
    forward.clock.set(30 * MINUTE_MS);
    forward.controller.resync();
    await until(other, 'Expired');
    // And never comes back.
    forward.clock.set(-30 * MINUTE_MS);
    forward.controller.resync();
    const last = await ask({ target: { pods: ['x'] }, permissions: ['EmergencyOverride'] });
    await until(last, 'Pending');
    expect((await until(other, 'Expired')).status?.endedAt).toBeDefined();
  });

  it('is over when nobody approves it in time', async () => {
    const { clock } = await start();
    const name = await ask();
    await until(name, 'Pending');
    clock.pass(30 * MINUTE_MS);
    const { status } = await until(name, 'Expired');
    expect(status?.activatedAt).toBeUndefined();
    expect(status?.conditions?.find(({ type }) => type === 'Reviewed')?.reason).toBe('NotUsed');
  });

  it('waits for a second person where two are needed', async () => {
    await start(undefined, { approvals: 2 });
    const name = await ask();
    await until(name, 'Pending');
    await decide(name, 'approve', 'bob');
    await decide(name, 'approve', 'bob');
    await until(name, 'Pending', ({ status }) => status?.approvals?.length === 1);
    await decide(name, 'approve', 'dave');
    const { status } = await until(name, 'Active');
    expect(status?.approvals?.map(({ username }) => username)).toEqual(['bob', 'dave']);
  });

  it('lets the subject approve alone where that is allowed, and says so loudly', async () => {
    const { notices } = await start(undefined, { approvals: 2, selfApproval: true });
    const name = await ask();
    await until(name, 'Pending');
    await decide(name, 'self-approve', 'alice');
    await until(name, 'Active');
    const notice = await eventually(
      () => notices.find(({ type }) => type === 'EmergencySelfApproved'),
      { what: 'the notice' },
    );
    expect(notice).toMatchObject({ by: 'alice', access: { selfApproved: true } });
  });

  it('leaves nothing to the subject while admission does not guard', async () => {
    const { admission } = await start();
    admission(undefined);
    const name = await ask();
    await until(name, 'Pending');
    await decide(name, 'approve', 'bob');
    await until(name, 'Approved');
    expect(await standing()).toEqual([]);
    admission(true);
    await until(name, 'Active');
    await eventually(async () => (await standing()).length === 7 || undefined, { what: 'RBAC' });
    admission(false);
    await eventually(async () => (await standing()).length === 3 || undefined, {
      what: 'the bindings of the subject to go',
    });
    expect(await standing()).toEqual([
      `ServiceAccount strongroom-emergency-${name}`,
      `Role strongroom:emergency:${name}:read`,
      `RoleBinding strongroom:emergency:${name}:read`,
    ]);
    // A leader that does not know yet takes nothing away and gives nothing.
    admission(undefined);
    admission(true);
    await eventually(async () => (await standing()).length === 7 || undefined, { what: 'RBAC' });
  });

  it('takes no forged status and no forged decision', async () => {
    await start();
    const name = await ask();
    await until(name, 'Pending');
    const at = { namespace: trading.name, name };
    await admin.mergePatch<EmergencyAccess>(EMERGENCY_ACCESSES, at, {
      metadata: {
        annotations: {
          [ANNOTATIONS.decisions]: JSON.stringify([
            {
              act: 'approve',
              username: 'bob',
              reason: 'forged',
              at: new Date().toISOString(),
              mac: 'A'.repeat(43),
            },
          ]),
        },
      },
    });
    const soon = new Date(Date.now() + 10 * MINUTE_MS).toISOString();
    await admin.mergePatch<EmergencyAccess>(
      EMERGENCY_ACCESSES,
      at,
      {
        status: {
          state: 'Active',
          activatedAt: new Date().toISOString(),
          expiresAt: soon,
          approvalsNeeded: 0,
        },
      },
      { subresource: 'status' },
    );
    await until(name, 'Revoked');
    expect(await standing()).toEqual([]);
  });

  it('marks what was reachable also when it is deleted while it is active', async () => {
    await start();
    const name = await activated({
      target: { credentials: ['maker'] },
      permissions: ['AccessSecrets'],
    });
    await eventually(async () => (await standing()).length > 0 || undefined, { what: 'RBAC' });
    await admin.delete(EMERGENCY_ACCESSES, { namespace: trading.name, name });
    await cleared();
    const marked = await eventually(
      async () => {
        const mark = (await credential('maker')).metadata.annotations?.[ANNOTATIONS.rotationDue];
        return mark === name ? mark : undefined;
      },
      { what: 'the mark' },
    );
    expect(marked).toBe(name);
  });

  it('leaves a token that the API server refuses by itself, with no operator there', async ({
    skip,
  }) => {
    const key = await signingKey();
    if (key === undefined) skip('the key of the cluster’s tokens is not at hand');
    const first = await start();
    const name = await activated();
    const token = await tokenOf(name);
    await eventually(() => readWith(token), { what: 'the Secret to be readable' });
    await first[Symbol.asyncDispose]();
    // Nobody is left who could take anything away: the account and its Role stand.
    expect(await standing()).toContain(`ServiceAccount strongroom-emergency-${name}`);
    const claims = decodeJwt(token);
    const access = await admin.get<EmergencyAccess>(EMERGENCY_ACCESSES, {
      namespace: trading.name,
      name,
    });
    expect((claims.exp ?? Infinity) * 1000).toBeLessThan(
      Date.parse(access.status?.expiresAt ?? '') - MINUTE_MS + 1000,
    );
    // The same token, had it been asked for earlier. The API server gives a minute for clocks, and
    // what it has looked at it takes for ten seconds more.
    const endingAt = (seconds: number): Promise<string> =>
      new SignJWT({ ...claims, exp: seconds })
        .setProtectedHeader(decodeProtectedHeader(token) as { alg: string })
        .sign(createPrivateKey(key ?? ''));
    const nowSeconds = Math.floor(Date.now() / 1000);
    await expect(readWith(await endingAt(nowSeconds - 61))).rejects.toThrow(/unauthorized/i);
    const endSeconds = nowSeconds - 57;
    const nearlyOver = await endingAt(endSeconds);
    let lastReadMs = 0;
    await eventually(
      async () => {
        try {
          await readWith(nearlyOver);
          lastReadMs = Date.now();
          return undefined;
        } catch (error) {
          return isKubeError(error, 'ERR_KUBE_UNAUTHORIZED') || undefined;
        }
      },
      { what: 'the token to end by itself', timeoutMs: 30_000 },
    );
    // Within what admission keeps between the end of a token and that of its access (75 s).
    const afterEndMs = lastReadMs - endSeconds * 1000;
    expect(afterEndMs).toBeGreaterThan(57_000);
    expect(afterEndMs).toBeLessThan(75_000);
    await expect(readWith(token)).resolves.toBeDefined();
    running = undefined;
  });

  async function tokenOf(name: string, expirationSeconds = 600): Promise<string> {
    const { status } = await eventually(
      () =>
        admin.create(
          TOKEN_REQUESTS,
          {
            apiVersion: 'authentication.k8s.io/v1',
            kind: 'TokenRequest',
            metadata: { namespace: trading.name, name: `strongroom-emergency-${name}` },
            spec: { expirationSeconds },
          },
          { subresource: 'token' },
        ),
      { what: 'a token' },
    );
    return status?.token ?? '';
  }

  async function clientWith(token: string): Promise<KubeClient> {
    const config = await loadClusterConfig({ kubeconfig: inject('kubeconfig') });
    return createKubeClient({
      ...config,
      readClientCertificate: async () => undefined,
      readAuthorization: async () => `Bearer ${token}`,
    });
  }

  async function readerOf(name: string): Promise<KubeClient> {
    return clientWith(await tokenOf(name));
  }

  async function readWith(token: string): Promise<unknown> {
    await using client = await clientWith(token);
    return await client.get(SECRETS, { namespace: trading.name, name: 'maker-keys' });
  }
});

/** Of the test's own control plane; undefined where the cluster is somebody else's. */
async function signingKey(): Promise<string | undefined> {
  const file = path.join(inject('kubeconfig'), '..', '..', 'service-accounts.key');
  return readFile(file, 'utf8').catch(() => undefined);
}
