/**
 * Leader election on a Lease, after client-go's. It gives no fencing by itself: a process that was
 * stopped for longer than the lease still believes. Therefore `holdsLease` judges by the monotonic
 * time at which the last successful renewal was *sent*, and guard-writes.ts asks it before each write.
 *
 *     |-- renewal sent --------- renewDeadline ---------|------ margin ------|
 *     holder:  may write                                | writes nothing     |
 *     others:  see the renewal at the earliest when it was sent, and wait leaseDuration from there
 */
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Lease } from '#kube/objects.ts';
import { LEASES } from '#kube/resources.ts';
import type { Clock, Timer } from './clock.ts';
import { LeaseLostError } from './guard-writes.ts';
import { describeError } from './describe-error.ts';
import type { Logger } from './log.ts';
import type { RuntimeMetrics } from './metrics.ts';
import type { Random } from './random.ts';

/** Candidates wait up to a fifth longer than told, so that they do not all try at once. */
const JITTER = 1.2;

export interface LeaderElectorOptions {
  /** Not the guarded one: the Lease is written before it is held. */
  readonly client: KubeClient;
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates, for example the pod's name and a random part. */
  readonly identity: string;
  /** Others wait this long after the last renewal that they saw; 15 s unless told. */
  readonly leaseDurationMs?: number;
  /** The holder stops this long after its last renewal was sent; 10 s unless told. */
  readonly renewDeadlineMs?: number;
  /** Between two renewals, or two tries to take the lease; 2 s unless told. */
  readonly retryPeriodMs?: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
}

export interface LeaderElector {
  /**
   * Campaigns until `signal` is aborted. Each time it leads, `lead` runs with a signal that is
   * aborted at once when the lease is lost. A clean stop gives the lease back, after `lead` has
   * ended. Rejects with what `lead` rejects with.
   */
  run(signal: AbortSignal, lead: (leading: AbortSignal) => Promise<void>): Promise<void>;
  /** Whether a write may be sent now. */
  holdsLease(): boolean;
  /** Aborted when the present lease is lost; it ends writes that are under way. */
  readonly lost: AbortSignal;
}

type Attempt =
  /** The Lease was written; `sentAtMs` is the monotonic time at which that call began. */
  | { readonly kind: 'held'; readonly sentAtMs: number }
  | { readonly kind: 'taken' }
  | { readonly kind: 'failed' };

/** @throws RangeError for durations that would let two processes hold the lease. */
export function createLeaderElector(options: LeaderElectorOptions): LeaderElector {
  const { client, namespace, name, identity, clock, random, log, metrics } = options;
  const leaseDurationMs = options.leaseDurationMs ?? 15_000;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const retryPeriodMs = options.retryPeriodMs ?? 2_000;
  if (leaseDurationMs <= renewDeadlineMs || renewDeadlineMs <= retryPeriodMs * JITTER) {
    throw new RangeError(
      'leader election needs leaseDurationMs > renewDeadlineMs > 1.2 * retryPeriodMs',
    );
  }
  const timeoutMs = Math.max(renewDeadlineMs / 2, 1_000);
  const at = { namespace, name };
  /** Set only while leading: when the last successful write of the Lease was sent. */
  let renewedAtMs: number | undefined;
  let lost = new AbortController();
  /** The Lease as we wrote it last. */
  let written: Lease | undefined;
  /** What was last seen of another holder, and when by our own clock: theirs is not trusted. */
  let observed: { readonly version: string; readonly atMs: number } | undefined;

  function holdsLease(): boolean {
    // Until the deadline, not until the end of the lease: the difference is the margin in which
    // what was already sent still arrives before another can hold it.
    return renewedAtMs !== undefined && clock.monotonicMs() - renewedAtMs < renewDeadlineMs;
  }

  async function tryToHold(signal: AbortSignal): Promise<Attempt> {
    const renewal = await renewWritten(signal);
    if (renewal !== undefined) return renewal;
    const found = await client.find(LEASES, at, { signal, timeoutMs });
    if (found === undefined) {
      const sentAtMs = clock.monotonicMs();
      written = await client.create(LEASES, leaseOf(undefined, 0), { signal, timeoutMs });
      return { kind: 'held', sentAtMs };
    }
    const holder = found.spec?.holderIdentity ?? '';
    if (holder !== '' && holder !== identity) {
      const version = found.metadata.resourceVersion ?? '';
      if (observed?.version !== version) observed = { version, atMs: clock.monotonicMs() };
      const durationMs = (found.spec?.leaseDurationSeconds ?? 0) * 1000 || leaseDurationMs;
      if (clock.monotonicMs() - observed.atMs < durationMs) return { kind: 'taken' };
    }
    const transitions = (found.spec?.leaseTransitions ?? 0) + (holder === identity ? 0 : 1);
    const sentAtMs = clock.monotonicMs();
    written = await client.replace(LEASES, leaseOf(found, transitions), { signal, timeoutMs });
    return { kind: 'held', sentAtMs };
  }

  /** Renews without reading first, where our last write may still be what the server has. */
  async function renewWritten(signal: AbortSignal): Promise<Attempt | undefined> {
    const last = written;
    // Known again only after a success: a call that fails may have had its effect.
    written = undefined;
    if (last === undefined) return undefined;
    const sentAtMs = clock.monotonicMs();
    const renewed = leaseOf(last, last.spec?.leaseTransitions ?? 0);
    try {
      written = await client.replace(LEASES, renewed, { signal, timeoutMs });
      return { kind: 'held', sentAtMs };
    } catch (error) {
      if (isKubeError(error, 'ERR_KUBE_CONFLICT') || isKubeError(error, 'ERR_KUBE_NOT_FOUND')) {
        return undefined;
      }
      throw error;
    }
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

  async function attempt(signal: AbortSignal): Promise<Attempt> {
    try {
      return await tryToHold(signal);
    } catch (error) {
      if (!signal.aborted) log.warn({ lease: name, reason: reasonOf(error) }, 'Lease not written');
      return { kind: 'failed' };
    }
  }

  async function release(): Promise<void> {
    written = undefined;
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
      log.warn({ lease: name, reason: reasonOf(error) }, 'Lease not given back');
    }
  }

  /** One term, from the write of the Lease that was sent at `sentAtMs` on. */
  async function leadOnce(
    signal: AbortSignal,
    sentAtMs: number,
    lead: (leading: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const term = new AbortController();
    const renewing = new AbortController();
    let deadline: Timer | undefined;
    lost = term;

    function lose(): void {
      if (term.signal.aborted) return;
      deadline?.cancel();
      renewedAtMs = undefined;
      metrics?.leading(name, false);
      log.error({ lease: name, identity }, 'Lease lost');
      term.abort(new LeaseLostError());
    }

    function hold(renewalSentAtMs: number): void {
      deadline?.cancel();
      renewedAtMs = renewalSentAtMs;
      // A timer of its own: a renewal that hangs must not delay the end of the term.
      deadline = clock.setTimeout(lose, renewalSentAtMs + renewDeadlineMs - clock.monotonicMs());
    }

    async function renew(): Promise<void> {
      const end = AbortSignal.any([term.signal, renewing.signal]);
      for (;;) {
        await clock.sleep(retryPeriodMs, end).catch(() => undefined);
        if (end.aborted) return;
        // Not ended by a clean stop: it would leave open whether the write took effect.
        const result = await attempt(term.signal);
        // An answer that comes after the deadline does not bring the term back.
        if (term.signal.aborted) return;
        if (result.kind === 'taken') lose();
        else if (result.kind === 'held') hold(result.sentAtMs);
      }
    }

    hold(sentAtMs);
    metrics?.leading(name, true);
    log.info({ lease: name, identity }, 'Leading');
    const renewal = renew();
    try {
      await lead(AbortSignal.any([signal, term.signal]));
    } finally {
      // The lease is kept until everything that writes has ended.
      renewing.abort();
      await renewal;
      if (!term.signal.aborted) {
        deadline?.cancel();
        renewedAtMs = undefined;
        metrics?.leading(name, false);
        await release();
      }
    }
  }

  return {
    holdsLease,
    get lost() {
      return lost.signal;
    },
    async run(signal, lead) {
      metrics?.leading(name, false);
      while (!signal.aborted) {
        const result = await attempt(signal);
        if (result.kind === 'held' && clock.monotonicMs() - result.sentAtMs < renewDeadlineMs) {
          await leadOnce(signal, result.sentAtMs, lead);
        } else {
          const waitMs = retryPeriodMs * (1 + (JITTER - 1) * random());
          await clock.sleep(waitMs, signal).catch(() => undefined);
        }
      }
    },
  };
}

function reasonOf(error: unknown): string {
  return isKubeError(error) ? error.code : describeError(error);
}

function microTime(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '000Z');
}
