/**
 * Counts what admission lets through by EmergencyAccesses. Every replica reviews requests, so every
 * replica writes, each its own entry of the status under a field manager of its own: these are not
 * the leader's writes, and their client is not guarded by the lease. No count of another replica is
 * ever touched.
 */
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { API_VERSION } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import { createBackoff } from '#runtime/backoff.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { Random } from '#runtime/random.ts';

export interface UseReporter extends Runnable {
  /** Something was admitted by that EmergencyAccess. Never blocks and never throws. */
  onUse(namespace: string, name: string): void;
}

export interface UseReporterOptions {
  /** Not guarded by the lease. */
  readonly client: KubeClient;
  readonly accesses: Pick<Informer<EmergencyAccess>, 'get'>;
  /** Name of this replica: the pod's. */
  readonly replica: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
}

/** Uses that come close together are written once. */
const SETTLE_MS = 500;
const LAST_WRITE_MS = 5_000;
const MANAGER_PREFIX = 'strongroom-uses-';
/** The API server's limit of a field manager's name. */
const MAX_MANAGER = 128;

interface Count {
  readonly uid: string;
  count: number;
  lastUsedMs: number;
  isWritten: boolean;
}

export function createUseReporter(options: UseReporterOptions): UseReporter {
  const { client, accesses, replica, clock, log } = options;
  const counts = new Map<string, Count>();
  let wake = Promise.withResolvers<void>();

  async function write(key: string, entry: Count, signal: AbortSignal): Promise<void> {
    const slash = key.indexOf('/');
    const [namespace, name] = [key.slice(0, slash), key.slice(slash + 1)];
    const access = accesses.get(key);
    if (access === undefined || access.metadata.uid !== entry.uid) {
      // Gone, and with it whom it would be told to; the audit records have each use.
      counts.delete(key);
      return;
    }
    const { count, lastUsedMs } = entry;
    const lastUsedAt = new Date(lastUsedMs).toISOString().replace(/\.\d+Z$/, 'Z');
    entry.isWritten = true;
    try {
      await client.apply<EmergencyAccess>(
        EMERGENCY_ACCESSES,
        {
          apiVersion: API_VERSION,
          kind: EMERGENCY_ACCESSES.kind,
          metadata: { namespace, name },
          status: { uses: [{ replica, count, lastUsedAt }] },
        },
        {
          fieldManager: `${MANAGER_PREFIX}${replica}`.slice(0, MAX_MANAGER),
          force: true,
          subresource: 'status',
          signal,
        },
      );
    } catch (error) {
      if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) {
        counts.delete(key);
        return;
      }
      entry.isWritten = false;
      throw error;
    }
  }

  /** Whether all of it is written. */
  async function writeAll(signal: AbortSignal): Promise<boolean> {
    let isDone = true;
    for (const [key, entry] of counts) {
      if (entry.isWritten) continue;
      try {
        await write(key, entry, signal);
      } catch (error) {
        isDone = false;
        log.warn(
          { access: key, reason: describeError(error) },
          'Uses of an EmergencyAccess not written, trying again',
        );
      }
    }
    return isDone;
  }

  return {
    name: 'emergency uses',
    onUse(namespace, name) {
      const key = `${namespace}/${name}`;
      const access = accesses.get(key);
      const uid = access?.metadata.uid;
      if (uid === undefined) return;
      const present = counts.get(key);
      const nowMs = clock.now();
      if (present?.uid === uid) {
        present.count += 1;
        present.lastUsedMs = nowMs;
        present.isWritten = false;
      } else {
        // What a former process of this replica counted goes on.
        const before = access?.status?.uses?.find((use) => use.replica === replica)?.count ?? 0;
        counts.set(key, { uid, count: before + 1, lastUsedMs: nowMs, isWritten: false });
      }
      wake.resolve();
    },
    async run(signal) {
      const stop = (): void => wake.resolve();
      signal.addEventListener('abort', stop);
      const backoff = createBackoff(clock, options.random);
      while (!signal.aborted) {
        await wake.promise;
        await clock.sleep(SETTLE_MS, signal).catch(() => undefined);
        if (signal.aborted) break;
        wake = Promise.withResolvers<void>();
        if (await writeAll(signal)) continue;
        await clock.sleep(backoff.nextMs(), signal).catch(() => undefined);
        wake.resolve();
      }
      signal.removeEventListener('abort', stop);
      await writeAll(AbortSignal.timeout(LAST_WRITE_MS));
    },
  };
}
