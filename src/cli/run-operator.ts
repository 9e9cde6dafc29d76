/** Puts the operator together: what runs on every replica, what on the leader, and in which order. */
import { randomBytes } from 'node:crypto';
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { createAccessController } from '#access/controller.ts';
import { createNetworkStatusBoard } from '#access/network-status.ts';
import { parseDuration } from '#api/duration.ts';
import { createStdoutAudit, streamWriter } from '#audit/stdout.ts';
import { createNetwork } from '#cli/create-network.ts';
import { openKeyProvider } from '#cli/key-provider.ts';
import type { OperatorConfig } from '#cli/operator-config.ts';
import { VERSION } from '#cli/version.ts';
import { createCredentialsController } from '#credentials/controller.ts';
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
    options: {
      concurrency: config.concurrency,
      sourcePeriodMs: parseDuration(config.sourceRefresh),
    },
  });
  const networkStatus = createNetworkStatusBoard();
  const access = createAccessController({
    networkStatus,
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

  let isReady = false;
  await using health = await startHealthServer({
    port: config.healthPort,
    live: {
      watches: activeWithin(MAX_SILENCE_MS, () =>
        Math.max(
          credentials.lastActivityAgeMs(),
          access.lastActivityAgeMs(),
          network.lastActivityAgeMs(),
        ),
      ),
    },
    ready: { informers: () => (isReady ? undefined : 'not synced yet') },
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  });
  log.info({ listening: health.port }, 'Listening');

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
  try {
    await runManager(
      {
        always: [
          sealKeys.follower,
          ...credentials.informers,
          ...access.informers,
          ...network.informers,
          readiness,
        ],
        leading: [
          sealKeys.rotator,
          ...credentials.controllers,
          ...access.controllers,
          ...network.controllers,
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
