/** Puts the operator together: what runs on every replica, what on the leader, and in which order. */
import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { createAccessController } from '#access/controller.ts';
import { createAdmissionMetrics } from '#admission/metrics.ts';
import { guardsFor } from '#access/emergency/guarding.ts';
import { createGuardBoard } from '#access/guard-board.ts';
import { createNetworkStatusBoard } from '#access/network-status.ts';
import { parseDuration } from '#api/duration.ts';
import { createStdoutAudit, streamWriter } from '#audit/stdout.ts';
import { createAdmission } from '#cli/create-admission.ts';
import { createAdmissionKeys } from '#cli/create-admission-keys.ts';
import { createEmergency } from '#cli/create-emergency.ts';
import { createNetwork } from '#cli/create-network.ts';
import { createManagedValues } from '#cli/managed-values.ts';
import { openKeyProvider } from '#cli/key-provider.ts';
import { createPodRights } from '#cli/pod-rights.ts';
import type { OperatorConfig } from '#cli/operator-config.ts';
import { VERSION } from '#cli/version.ts';
import { createCredentialsController } from '#credentials/controller.ts';
import { ROLE_BINDING_NAME } from '#credentials/guarded-namespaces.ts';
import { createSealKeyRotation } from '#credentials/seal-key-rotation.ts';
import { loadClusterConfig } from '#kube/config.ts';
import { createKubeClient } from '#kube/create-client.ts';
import { aborted } from '#runtime/aborted.ts';
import { systemClock } from '#runtime/clock.ts';
import { createEventRecorder } from '#runtime/events.ts';
import { guardWrites } from '#runtime/guard-writes.ts';
import { activeWithin, startHealthServer } from '#runtime/health.ts';
import { createLeaderElector } from '#runtime/leader-election.ts';
import type { Logger } from '#runtime/log.ts';
import { runManager } from '#runtime/manager.ts';
import type { Runnable } from '#runtime/manager.ts';
import { createRuntimeMetrics } from '#runtime/metrics.ts';
import { terminationSignal } from '#runtime/signals.ts';
import { createSealKeyStore } from '#vault/seal-key-store.ts';
import { createVault } from '#vault/store.ts';
import { loadVaultKeys } from '#vault/vault-keys.ts';

const LEASE = 'strongroom-operator';
/** Bookmarks come once a minute; after five without any the process is better started anew. */
const MAX_SILENCE_MS = 300_000;

export interface OperatorEnvironment {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Writable;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Resolves after a clean stop. */
export async function runOperator(
  config: OperatorConfig,
  environment: OperatorEnvironment,
): Promise<void> {
  const signal = terminationSignal(process);
  const clock = systemClock;
  const random = Math.random;
  const log: Logger = pino(
    {
      level: config.logLevel,
      base: { instance: config.identity },
      messageKey: 'message',
      formatters: { level: (level) => ({ level }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    environment.stdout,
  );
  log.info({ version: VERSION, node: process.versions.node, config }, 'Starting');

  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const metrics = createRuntimeMetrics(registry);
  const { env, stdout, ...selection } = environment;
  const cluster = await loadClusterConfig({ env, ...selection });
  await using client = createKubeClient(cluster, {
    userAgent: `strongroom-operator/${VERSION}`,
    observe: metrics.request,
  });
  const { namespace, identity } = config;
  const elector = createLeaderElector({
    client,
    namespace,
    name: LEASE,
    // A pod's name comes back after a restart of its container; the lease must not.
    identity: `${identity}_${randomBytes(4).toString('hex')}`,
    clock,
    random,
    log,
    metrics,
  });
  const guarded = guardWrites(client, elector.holdsLease, () => elector.lost);
  const audit = createStdoutAudit({ write: streamWriter(stdout), clock });
  const { keyProvider } = await openKeyProvider(config, client, signal);
  const keys = await loadVaultKeys({ client, namespace, keyProvider, signal });
  const events = createEventRecorder({
    client: guarded,
    controller: 'strongroom.dev/operator',
    instance: identity,
    clock,
    log,
  });
  /** Of this replica alone, whoever leads. */
  const ownEvents = createEventRecorder({
    client,
    controller: 'strongroom.dev/admission',
    instance: identity,
    clock,
    log,
  });

  const sealKeys = createSealKeyRotation({
    store: createSealKeyStore({ client, namespace, keyProvider }),
    guardedStore: createSealKeyStore({ client: guarded, namespace, keyProvider }),
    policy: {
      rotateEveryMs: parseDuration(config.sealKeys.rotateEvery),
      acceptForMs: parseDuration(config.sealKeys.acceptFor),
    },
    namespace,
    instance: identity,
    audit,
    clock,
    log,
    onChange: () => credentials.resync(),
  });
  const credentials = createCredentialsController({
    client: guarded,
    vault: createVault({ client: guarded, namespace, keyProvider, keys }),
    keyring: sealKeys.keyring,
    audit,
    events,
    clock,
    random,
    entropy: randomBytes,
    log,
    registry,
    runtimeMetrics: metrics,
    operator: { namespace, serviceAccount: config.serviceAccount, instance: identity },
    ...(config.admission.enabled ? { podRights: createPodRights(() => access) } : {}),
    options: {
      concurrency: config.concurrency,
      sourcePeriodMs: parseDuration(config.sourceRefresh),
    },
  });
  const networkStatus = createNetworkStatusBoard();
  const guardBoard = createGuardBoard();
  const access = createAccessController({
    networkStatus,
    guardBoard,
    isForEmergency: (object) => emergency.controller.isOwn(object),
    client: guarded,
    guarded: credentials,
    audit,
    events,
    clock,
    random,
    log,
    registry,
    runtimeMetrics: metrics,
    operator: { namespace, serviceAccount: config.serviceAccount, instance: identity },
  });

  const network = createNetwork(config, {
    client: guarded,
    guarded: credentials,
    policies: access.policies,
    policyStatus: networkStatus,
    audit,
    events,
    clock,
    random,
    log,
    registry,
    runtimeMetrics: metrics,
  });

  access.policies.onChange(credentials.podRightsChanged);
  access.bindings.onChange(({ object: { metadata } }) => {
    if (metadata.name === ROLE_BINDING_NAME) credentials.rightsChanged(metadata.namespace ?? '');
  });

  let isSynced = false;
  const admissionMetrics = createAdmissionMetrics(registry);
  const admissionKeys = config.admission.enabled
    ? createAdmissionKeys(config, {
        client: guarded,
        followClient: client,
        audit,
        clock,
        random,
        log,
        metrics: admissionMetrics,
        runtimeMetrics: metrics,
      })
    : undefined;
  const emergency = createEmergency(config.emergency, client, {
    client: guarded,
    mayRead: createPodRights(() => access).mayMount,
    guarded: credentials,
    standing: access,
    stampKey: () => admissionKeys?.stampKey(),
    admissionGuards: () => (config.admission.enabled ? guardsFor(guardBoard.current()) : false),
    audit,
    events,
    clock,
    random,
    log,
    registry,
    runtimeMetrics: metrics,
    operator: { instance: identity },
  });
  // What stands for one is of others before it begins, and after its end.
  emergency.controller.accesses.onChange((change) => {
    const before = change.type === 'Updated' ? change.previous.status?.state : undefined;
    if (change.object.status?.state !== before) access.reviewSoon();
  });
  guardBoard.onChange(emergency.controller.resync);
  admissionKeys?.onChange(emergency.controller.resync);

  const managedValues =
    admissionKeys === undefined || !config.admission.detectCopies
      ? undefined
      : createManagedValues({ client, namespace, keys, clock, random, log, metrics });
  const admission =
    admissionKeys === undefined
      ? undefined
      : await createAdmission(config, {
          guardedClient: guarded,
          keys: admissionKeys,
          metrics: admissionMetrics,
          credentials,
          access,
          service: network.service,
          accesses: emergency.controller.accesses,
          emergency: emergency.settings,
          onEmergencyUse: emergency.uses.onUse,
          ...(managedValues === undefined ? {} : { ownerOfValue: managedValues.ownerOf }),
          guardBoard,
          isSynced: () => isSynced,
          audit,
          events,
          ownEvents,
          clock,
          random,
          log,
          registry,
          runtimeMetrics: metrics,
        });
  if (admission === undefined) {
    guardBoard.tell({
      guards: false,
      reason: 'AdmissionOff',
      message: 'Admission is switched off: AccessPolicies bind nobody whom RBAC lets do more',
    });
  }

  let isReady = false;
  await using health = await startHealthServer({
    port: config.healthPort,
    live: {
      watches: activeWithin(MAX_SILENCE_MS, () =>
        Math.max(
          credentials.lastActivityAgeMs(),
          access.lastActivityAgeMs(),
          network.lastActivityAgeMs(),
          emergency.controller.lastActivityAgeMs(),
          managedValues?.lastActivityAgeMs() ?? 0,
          admission?.lastActivityAgeMs() ?? 0,
        ),
      ),
    },
    ready: {
      informers: () => (isReady ? undefined : 'not synced yet'),
      ...admission?.ready,
    },
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  });
  log.info({ listening: health.port }, 'Listening');

  /** From here on reviews are decided. */
  const synced: Runnable = {
    name: 'caches',
    async run(own) {
      isSynced = true;
      await aborted(own);
    },
  };
  const readiness: Runnable = {
    name: 'readiness',
    async run(own) {
      isReady = true;
      log.info({}, 'Ready');
      await aborted(own);
      // First of all stops: traffic goes elsewhere before anything ends.
      isReady = false;
    },
  };
  /** While the lease is still held: afterwards the guard would refuse the last Events. */
  const lastEvents: Runnable = {
    name: 'events',
    async run(leading) {
      await aborted(leading);
      await events.flush(AbortSignal.timeout(5_000));
    },
  };
  const lastOwnEvents: Runnable = {
    name: 'events of this replica',
    async run(own) {
      await aborted(own);
      await ownEvents.flush(AbortSignal.timeout(5_000));
    },
  };
  try {
    await runManager(
      {
        always: [
          sealKeys.follower,
          ...credentials.informers,
          ...access.informers,
          ...network.informers,
          ...emergency.controller.informers,
          ...(managedValues === undefined ? [] : [managedValues.informer]),
          ...(admission?.informers ?? []),
          lastOwnEvents,
          emergency.uses,
          synced,
          ...(admission === undefined ? [] : [admission.server]),
          readiness,
        ],
        leading: [
          sealKeys.rotator,
          ...credentials.controllers,
          ...access.controllers,
          ...network.controllers,
          ...emergency.controller.controllers,
          ...(admission?.controllers ?? []),
          lastEvents,
        ],
        elector,
        clock,
        log,
      },
      signal,
    );
  } finally {
    log.info({}, 'Stopped');
  }
}
