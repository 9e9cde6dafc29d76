/** The node agent: follows the operator's ConfigMaps, keeps the table, and reports. */
import type { KubeClient } from '#kube/client.ts';
import type { ConfigMap, DaemonSet, OwnerReference } from '#kube/objects.ts';
import { CONFIG_MAPS, DAEMON_SETS } from '#kube/resources.ts';
import { LABELS } from '#api/names.ts';
import { createBackoff } from '#runtime/backoff.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { Enforcer, Observation } from './enforcer.ts';
import type { NodeAgentMetrics } from './metrics.ts';
import { NODE_BLOCKS_COMPONENT } from './node-blocks.ts';
import { nodeReportConfigMap } from './node-report.ts';
import type { NodeProblem, NodeReport } from './node-report.ts';
import { readNodeBlocks } from './read-node-blocks.ts';
import type { NodeBlocks, PartCache } from './read-node-blocks.ts';
import { tableOf } from './table.ts';
import type { Table } from './table.ts';
import { createWaker } from './waker.ts';

const FIELD_MANAGER = 'strongroom-node-agent';
/** Several ConfigMaps change at once; more than this they do not wait for each other. */
const GATHER_MS = 50;
const LOOK_MS = 10_000;
/** A look at every element costs half a second with 50,000 of them. */
const DEEP_LOOK_MS = 60_000;
const HEARTBEAT_MS = 60_000;
/** Between two reports, however much happens. */
const MIN_REPORT_MS = 1_000;
/** Clocks differ by less between two looks, unless somebody set one. */
const CLOCK_JUMP_MS = 2_000;

export interface NodeAgentOptions {
  readonly client: KubeClient;
  /** The operator's, where the blocks are and the reports go. */
  readonly namespace: string;
  readonly node: string;
  /** What the agent runs under; with it gone the table goes too. Absent: the table always stays. */
  readonly daemonSet?: { readonly namespace: string; readonly name: string };
  readonly enforcer: Enforcer;
  readonly dataPathProblems: () => Promise<readonly NodeProblem[]>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics: NodeAgentMetrics;
  readonly runtimeMetrics?: RuntimeMetrics;
}

export interface NodeAgent {
  /** To be run all the time; the last one ends first. */
  readonly runnables: readonly Runnable[];
  /** Why the node does not have the newest blocks; undefined when it has. */
  notReady(): string | undefined;
  /** Milliseconds since the server was last heard. */
  lastActivityAgeMs(): number;
  /** Milliseconds since the table was last looked at, or tried to be. */
  lastLookAgeMs(): number;
  /** Whether the agent ends because its DaemonSet does: then nobody would ever remove the table. */
  isLeavingForGood(signal: AbortSignal): Promise<boolean>;
}

export function createNodeAgent(options: NodeAgentOptions): NodeAgent {
  const { client, namespace, node, enforcer, clock, random, log, metrics } = options;
  const shared = { client, clock, random, log };
  const runtime = options.runtimeMetrics === undefined ? {} : { metrics: options.runtimeMetrics };
  const configMaps: Informer<ConfigMap> = createInformer({
    ...shared,
    ...runtime,
    resource: CONFIG_MAPS,
    scope: { namespace },
    labelSelector: `${LABELS.component}=${NODE_BLOCKS_COMPONENT}`,
  });
  const { daemonSet } = options;
  const daemonSets: Informer<DaemonSet> | undefined =
    daemonSet === undefined
      ? undefined
      : createInformer({
          ...shared,
          ...runtime,
          resource: DAEMON_SETS,
          scope: { namespace: daemonSet.namespace },
          fieldSelector: `metadata.name=${daemonSet.name}`,
        });

  const work = createWaker(clock);
  const news = createWaker(clock);
  const backoff = createBackoff(clock, random);
  const cache: PartCache = new Map();
  let isStale = true;
  let wanted: { readonly blocks: NodeBlocks; readonly table: Table } | undefined;
  let inForce: string | undefined;
  let incomplete: string | undefined = 'not read yet';
  let isUnpublished = false;
  let failure: string | undefined;
  let behindSinceMs: number | undefined = clock.monotonicMs();
  let observation: Observation = {
    isSound: false,
    refused: { fromBanned: 0, toBanned: 0 },
    hits: [],
  };
  let dataPath: readonly NodeProblem[] = [];
  let lastLookMs = clock.monotonicMs();
  let lastDeepLookMs = clock.monotonicMs();
  let clockOffsetMs = clock.now() - clock.monotonicMs();

  configMaps.onChange(() => {
    isStale = true;
    work.wake();
  });

  /** Whether something else is wanted now. */
  function readBlocks(): boolean {
    if (!isStale) return false;
    isStale = false;
    const read = readNodeBlocks(configMaps.list(), cache);
    // An incomplete set changes nothing: what stands, stands, and ends by its own times.
    incomplete = read.complete ? undefined : read.reason;
    isUnpublished = !read.complete && read.isUnpublished === true;
    if (!read.complete) return false;
    const { revision, scopes } = read.blocks;
    const isSame =
      wanted?.blocks.revision === revision &&
      wanted.blocks.scopes.every(({ pods }, at) => areEqual(pods, scopes[at]?.pods ?? []));
    // Parts that no index names yet come before it, one after the other.
    if (!isSame) wanted = { blocks: read.blocks, table: tableOf(read.blocks) };
    return !isSame;
  }

  /** One look at everything; what has to be done, is done. */
  async function step(isTick: boolean): Promise<void> {
    const isOther = readBlocks();
    if (wanted === undefined || !(isTick || isOther || failure !== undefined)) return;
    const offsetMs = clock.now() - clock.monotonicMs();
    if (Math.abs(offsetMs - clockOffsetMs) > CLOCK_JUMP_MS) {
      log.warn({ jumpedMs: offsetMs - clockOffsetMs }, 'The clock was set; looking at every ban');
      enforcer.doubt();
    }
    clockOffsetMs = offsetMs;
    const isDeep = clock.monotonicMs() - lastDeepLookMs >= DEEP_LOOK_MS;
    if (isDeep) {
      lastDeepLookMs = clock.monotonicMs();
      enforcer.doubt();
    }
    if (isTick && inForce !== undefined && !(await enforcer.observe()).isSound) enforcer.doubt();
    const wasInForce = inForce === wanted.blocks.revision && isTick;
    const startedMs = clock.monotonicMs();
    const how = await enforcer.enforce(wanted.table);
    const seconds = (clock.monotonicMs() - startedMs) / 1000;
    inForce = wanted.blocks.revision;
    if (how !== 'nothing') {
      metrics.applied(how, seconds);
      log.info({ how, seconds, revision: inForce }, 'Changed the table');
      if (wasInForce) {
        metrics.repaired();
        log.warn({ how }, 'The table was not as it was left; it is put back');
      }
    }
    observation = await enforcer.observe();
  }

  async function look(isTick: boolean): Promise<void> {
    try {
      dataPath = await options.dataPathProblems();
      await step(isTick);
      failure = undefined;
    } catch (error) {
      failure = describeError(error);
      metrics.failed();
      enforcer.doubt();
      log.error({ reason: failure }, 'The table could not be changed; it is tried again');
    }
    lastLookMs = clock.monotonicMs();
    behindSinceMs = notReady() === undefined ? undefined : (behindSinceMs ?? lastLookMs);
    metrics.behind(behindSinceMs === undefined ? 0 : (lastLookMs - behindSinceMs) / 1000);
    metrics.refused(observation.refused);
    const report = currentReport();
    metrics.ranges(report.ranges);
    metrics.problems(report.problems.length);
    news.wake();
  }

  function notReady(): string | undefined {
    if (!configMaps.hasSynced) return 'the blocks have not been read from the API server yet';
    // Nothing to do is done; an installation must not wait for the first block.
    if (isUnpublished && failure === undefined) return undefined;
    return incomplete ?? failure ?? (inForce === undefined ? 'nothing is in force yet' : undefined);
  }

  function currentReport(): NodeReport {
    return {
      node,
      ...(inForce === undefined ? {} : { revision: inForce }),
      atMs: clock.now(),
      ranges:
        inForce === undefined || wanted === undefined ? 0 : countRanges(wanted.table, clock.now()),
      refused: observation.refused,
      hits: observation.hits,
      problems: [
        ...(incomplete === undefined ? [] : [{ type: 'Incomplete' as const, message: incomplete }]),
        ...(failure === undefined ? [] : [{ type: 'ApplyFailed' as const, message: failure }]),
        ...dataPath,
      ],
    };
  }

  const enforcing: Runnable = {
    name: 'enforcing',
    async run(signal) {
      await configMaps.synced(signal);
      let isTick = false;
      while (!signal.aborted) {
        await look(isTick);
        const waitMs = failure === undefined ? LOOK_MS : Math.min(backoff.nextMs(), LOOK_MS);
        isTick = !(await work.wait(waitMs, signal));
        if (!isTick) await clock.sleep(GATHER_MS, signal);
      }
    },
  };

  const reporting: Runnable = {
    name: 'reporting',
    async run(signal) {
      let written: string | undefined;
      let writtenMs = -Infinity;
      while (!signal.aborted) {
        await news.wait(HEARTBEAT_MS, signal);
        const report = currentReport();
        const urgent = JSON.stringify([report.revision, report.problems]);
        const ageMs = clock.monotonicMs() - writtenMs;
        // At the first look there is something to say, if only what is missing.
        if (!configMaps.hasSynced || (urgent === written && ageMs < HEARTBEAT_MS)) continue;
        try {
          const configMap = nodeReportConfigMap(report, namespace, owner());
          await client.apply(CONFIG_MAPS, configMap, {
            fieldManager: FIELD_MANAGER,
            force: true,
            signal,
          });
          written = urgent;
          writtenMs = clock.monotonicMs();
        } catch (error) {
          if (signal.aborted) break;
          log.warn({ reason: describeError(error) }, 'The report could not be written');
        }
        await clock.sleep(MIN_REPORT_MS, signal);
      }
    },
  };

  /** The report goes with the DaemonSet; but only what is in the same namespace can own. */
  function owner(): OwnerReference | undefined {
    const [found] = daemonSets?.list() ?? [];
    const { uid, name } = found?.metadata ?? {};
    if (found?.metadata.namespace !== namespace || uid === undefined || name === undefined) {
      return undefined;
    }
    return { apiVersion: 'apps/v1', kind: 'DaemonSet', name, uid };
  }

  async function isLeavingForGood(signal: AbortSignal): Promise<boolean> {
    if (daemonSet === undefined || daemonSets === undefined) return false;
    try {
      const found = await client.find(DAEMON_SETS, daemonSet, { signal });
      return found === undefined || found.metadata.deletionTimestamp !== undefined;
    } catch (error) {
      // An uninstallation takes the rights to ask, too; the watch saw the DaemonSet go before.
      log.warn({ reason: describeError(error) }, 'Cannot ask whether the DaemonSet is still there');
      const [known] = daemonSets.list();
      const isGone = known === undefined || known.metadata.deletionTimestamp !== undefined;
      return daemonSets.hasSynced && isGone;
    }
  }

  const informer = (name: string, of: Informer<ConfigMap> | Informer<DaemonSet>): Runnable => ({
    name,
    run: (signal) => of.run(signal),
  });
  return {
    runnables: [
      ...(daemonSets === undefined ? [] : [informer('daemon-set', daemonSets)]),
      informer('config-maps', configMaps),
      reporting,
      enforcing,
    ],
    notReady,
    lastActivityAgeMs: configMaps.lastActivityAgeMs,
    lastLookAgeMs: () => clock.monotonicMs() - lastLookMs,
    isLeavingForGood,
  };
}

function areEqual(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, at) => each === b[at]);
}

function countRanges(table: Table, nowMs: number): number {
  let count = 0;
  for (const [name, elements] of table.sets) {
    if (/_(pods|near)[46]$/.test(name)) continue;
    for (const until of elements.values()) if (until > nowMs) count += 1;
  }
  return count;
}
