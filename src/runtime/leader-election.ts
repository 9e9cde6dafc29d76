/**
 * Leader election on a Lease, after client-go's. It gives no fencing by itself: a process that was
 * stopped for longer than the lease still believes. Therefore `holdsLease` judges by the monotonic
 * time at which the last successful renewal was *sent*, and guard-writes.ts asks it before each write.
 */
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Lease } from '#kube/objects.ts';
import { LEASES } from '#kube/resources.ts';
import type { Clock } from './clock.ts';
import type { Logger } from './log.ts';
import type { RuntimeMetrics } from './metrics.ts';
import type { Random } from './random.ts';

export interface LeaderElectorOptions {
  /** Not the guarded one: the Lease is written before it is held. */
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates, for example the pod's name and a random part. */
  readonly identity: string;
  readonly leaseDurationMs?: number;
  readonly renewDeadlineMs?: number;
  readonly retryPeriodMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
}

export interface LeaderElector {
  /**
   * Campaigns until `signal` is aborted. Each time it leads, `lead` runs with a signal that is
   * aborted at once when the lease is lost. A clean stop gives the lease back.
   */
  run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void>;
  holdsLease(): boolean;
}

export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  const { client, namespace, name, identity, clock, random, log, metrics } = options;
  const leaseDurationMs = options.leaseDurationMs ?? 15_000;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const retryPeriodMs = options.retryPeriodMs ?? 2_000;
  const timeoutMs = Math.max(renewDeadlineMs / 2, 1_000);
  const at = { namespace, name };
  /** Monotonic time at which the last successful write of the Lease was sent. */
  let renewedAtMs: number | undefined;
  /** What was last seen of another holder, and when by our own clock: theirs is not trusted. */
  let observed: { readonly version: string; readonly atMs: number } | undefined;

  function holdsLease(): boolean {
    // Until the deadline, not until the end of the lease: the difference is the margin in which
    // what was already sent still arrives before another can hold it.
    return renewedAtMs !== undefined && clock.monotonicMs() - renewedAtMs < renewDeadlineMs;
  }

  async function tryToHold(signal: AbortSignal): Promise<boolean> {
    const sentAtMs = clock.monotonicMs();
    const options = { signal, timeoutMs };
    const found = await client.find(LEASES, at, options);
    if (found === undefined) {
      await client.create(LEASES, leaseOf(undefined, 0), options);
      renewedAtMs = sentAtMs;
      return true;
    }
    const holder = found.spec?.holderIdentity ?? '';
    if (holder !== '' && holder !== identity) {
      const version = found.metadata.resourceVersion ?? '';
      if (observed?.version !== version) observed = { version, atMs: clock.monotonicMs() };
      const durationMs = (found.spec?.leaseDurationSeconds ?? 0) * 1000 || leaseDurationMs;
      if (clock.monotonicMs() - observed.atMs < durationMs) return false;
    }
    const transitions = (found.spec?.leaseTransitions ?? 0) + (holder === identity ? 0 : 1);
    await client.replace(LEASES, leaseOf(found, transitions), options);
    renewedAtMs = sentAtMs;
    return true;
  }

  function leaseOf(found: Lease | undefined, leaseTransitions: number): Lease {
    const now = microTime(clock.now());
    const keeps = found?.spec?.holderIdentity === identity;
    return {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: found?.metadata ?? { namespace, name },
      spec: {
        holderIdentity: identity,
        leaseDurationSeconds: Math.ceil(leaseDurationMs / 1000),
        acquireTime: keeps ? (found.spec?.acquireTime ?? now) : now,
        renewTime: now,
        leaseTransitions,
      },
    };
  }

  async function attempt(signal: AbortSignal): Promise<boolean> {
    try {
      return await tryToHold(signal);
    } catch (error) {
      if (!signal.aborted) {
        log.warn(
          { lease: name, reason: isKubeError(error) ? error.code : String(error) },
          'Lease not written',
        );
      }
      return false;
    }
  }

  async function renew(signal: AbortSignal, lost: () => void): Promise<void> {
    // Looks more often than it writes, so that a deadline that passes is noticed at once.
    let nextWriteMs = clock.monotonicMs() + retryPeriodMs;
    while (!signal.aborted) {
      if (clock.monotonicMs() >= nextWriteMs) {
        nextWriteMs = clock.monotonicMs() + retryPeriodMs;
        const held = await attempt(signal);
        if (!held && isTakenByOther()) return lost();
      }
      if (!holdsLease()) return lost();
      await clock
        .sleep(Math.min(retryPeriodMs, renewDeadlineMs) / 4, signal)
        .catch(() => undefined);
    }

    function isTakenByOther(): boolean {
      return observed !== undefined && renewedAtMs !== undefined && observed.atMs > renewedAtMs;
    }
  }

  async function release(): Promise<void> {
    try {
      const found = await client.find(LEASES, at, { timeoutMs });
      if (found?.spec?.holderIdentity !== identity) return;
      await client.replace(
        LEASES,
        {
          ...found,
          spec: {
            ...found.spec,
            holderIdentity: '',
            leaseDurationSeconds: 1,
            renewTime: microTime(clock.now()),
          },
        },
        { timeoutMs },
      );
    } catch (error) {
      // Another takes it when it has run out.
      log.warn({ lease: name, reason: String(error) }, 'Lease not given back');
    }
  }

  async function leadOnce(
    signal: AbortSignal,
    lead: (leading: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const stop = new AbortController();
    const renewing = new AbortController();
    const leading = AbortSignal.any([signal, stop.signal]);
    metrics?.leading(name, true);
    log.info({ lease: name, identity }, 'Leading');
    let isLost = false;
    const renewal = renew(renewing.signal, () => {
      isLost = true;
      renewedAtMs = undefined;
      stop.abort(new Error('the lease is lost'));
    });
    try {
      await lead(leading);
    } finally {
      // The lease is kept until everything that writes has ended.
      renewing.abort();
      await renewal;
      renewedAtMs = undefined;
      metrics?.leading(name, false);
      if (isLost) log.error({ lease: name, identity }, 'Lease lost');
      else await release();
    }
  }

  return {
    holdsLease,
    async run(signal, lead) {
      metrics?.leading(name, false);
      while (!signal.aborted) {
        if (await attempt(signal)) await leadOnce(signal, lead);
        else await clock.sleep(retryPeriodMs * (1 + 0.2 * random()), signal).catch(() => undefined);
      }
    },
  };
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
