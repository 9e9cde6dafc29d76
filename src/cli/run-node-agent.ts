/** Puts the node agent together. */
import { readdir } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { pino } from 'pino';
import { Registry, collectDefaultMetrics } from 'prom-client';
import { CliError } from '#cli/errors.ts';
import { VERSION } from '#cli/version.ts';
import { loadClusterConfig } from '#kube/config.ts';
import { createKubeClient } from '#kube/create-client.ts';
import { createNodeAgent } from '#network/node-agent/agent.ts';
import { dataPathProblems } from '#network/node-agent/data-path.ts';
import { createEnforcer } from '#network/node-agent/enforcer.ts';
import { tryLock, waitForLock } from '#network/node-agent/lock.ts';
import { createNodeAgentMetrics } from '#network/node-agent/metrics.ts';
import { createNft } from '#network/node-agent/nft.ts';
import { systemClock } from '#runtime/clock.ts';
import { activeWithin, startHealthServer } from '#runtime/health.ts';
import type { Logger } from '#runtime/log.ts';
import { runManager } from '#runtime/manager.ts';
import { createRuntimeMetrics } from '#runtime/metrics.ts';
import { terminationSignal } from '#runtime/signals.ts';

/** Every interface of the node, whether or not it has an address. */
const INTERFACES = '/sys/class/net';
/** Looks are ten seconds apart; loading a large table on a busy node takes a while. */
const MAX_LOOK_AGE_MS = 180_000;
/**
 * Longer than the operator waits: while the API server is away the agent still repairs its table,
 * and a new process could not.
 */
const MAX_SILENCE_MS = 1_800_000;
/** The pod has 30 seconds to end. */
const LEAVING_MS = 10_000;

export interface NodeAgentConfig {
  /** The operator's. */
  readonly namespace: string;
  readonly node: string;
  readonly daemonSet?: { readonly namespace: string; readonly name: string };
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
  readonly healthPort: number;
  readonly healthAddress?: string;
  readonly ciliumLegacyHostRouting: boolean;
}

export interface NodeAgentEnvironment {
  readonly env: NodeJS.ProcessEnv;
  readonly stdout: Writable;
  readonly kubeconfig?: string;
  readonly context?: string;
}

/** Resolves after a clean stop. */
export async function runNodeAgent(
  config: NodeAgentConfig,
  environment: NodeAgentEnvironment,
): Promise<void> {
  const signal = terminationSignal(process);
  const clock = systemClock;
  const random = Math.random;
  const log: Logger = pino(
    {
      level: config.logLevel,
      base: { node: config.node },
      messageKey: 'message',
      formatters: { level: (level) => ({ level }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    environment.stdout,
  );
  log.info({ version: VERSION, runtime: process.versions.node, config }, 'Starting');
  const onWait = (): void =>
    log.info({}, 'Another node agent runs on this node; waiting for its end');
  await using _lock = await waitForLock({ clock, signal, onWait }).catch((error: unknown) => {
    if (signal.aborted) return undefined;
    throw error;
  });
  if (signal.aborted) return;

  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  const runtimeMetrics = createRuntimeMetrics(registry);
  const { env, stdout: _stdout, ...selection } = environment;
  const cluster = await loadClusterConfig({ env, ...selection });
  await using client = createKubeClient(cluster, {
    userAgent: `strongroom-node-agent/${VERSION}`,
    observe: runtimeMetrics.request,
  });
  const enforcer = createEnforcer(createNft(), clock);
  const agent = createNodeAgent({
    client,
    namespace: config.namespace,
    node: config.node,
    ...(config.daemonSet === undefined ? {} : { daemonSet: config.daemonSet }),
    enforcer,
    dataPathProblems: async () => dataPathProblems(await readdir(INTERFACES), config),
    clock,
    random,
    log,
    metrics: createNodeAgentMetrics(registry),
    runtimeMetrics,
  });
  await using health = await startHealthServer({
    port: config.healthPort,
    ...(config.healthAddress === undefined ? {} : { host: config.healthAddress }),
    live: {
      looks: activeWithin(MAX_LOOK_AGE_MS, agent.lastLookAgeMs),
      watches: activeWithin(MAX_SILENCE_MS, agent.lastActivityAgeMs),
    },
    ready: { table: agent.notReady },
    metrics: async () => ({ contentType: registry.contentType, text: await registry.metrics() }),
  });
  log.info({ listening: health.port }, 'Listening');
  try {
    await runManager({ always: agent.runnables, clock, log }, signal);
  } finally {
    if (signal.aborted && (await agent.isLeavingForGood(AbortSignal.timeout(LEAVING_MS)))) {
      await enforcer.remove();
      log.info({}, 'The DaemonSet is gone; removed the table');
    }
    log.info({}, 'Stopped');
  }
}

/** What was done, in words. */
export async function removeNodeTable(): Promise<string> {
  await using lock = await tryLock();
  if (lock === undefined) {
    throw new CliError(
      'a node agent runs on this node and would make the table again; end it first',
    );
  }
  await createEnforcer(createNft(), systemClock).remove();
  return 'no table "inet strongroom" is left on this node';
}
