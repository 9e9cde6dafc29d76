import { aborted } from './aborted.ts';
import { describeError } from './describe-error.ts';
import type { Clock } from './clock.ts';
import type { LeaderElector } from './leader-election.ts';
import type { Logger } from './log.ts';

/** Something that runs until its signal is aborted, and then ends in good order. */
export interface Runnable {
  readonly name: string;
  run(signal: AbortSignal): Promise<void>;
  /** Resolves when others may rely on it. */
  ready?(signal: AbortSignal): Promise<void>;
}

export interface ManagerOptions {
  /** Started one after the other, each once the former is ready; stopped in reverse. */
  readonly always: readonly Runnable[];
  /** Run only while leading, after all of `always` are ready. */
  readonly leading?: readonly Runnable[];
  /** Absent: nobody leads, and nothing of `leading` runs. */
  readonly elector?: LeaderElector;
  /** How long a stop may take before it is forced; 30 s unless told. */
  readonly gracePeriodMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Runs everything until `signal` is aborted or something fails; then stops in reverse order. A lost
 * lease is a failure too: what was built up in memory while leading may be out of date, and a new
 * process is the shortest way to a known state. Throws the first failure, or an error that names
 * what was still running when the grace period was over.
 */
export async function runManager(options: ManagerOptions, signal: AbortSignal): Promise<void> {
  const { always, leading = [], elector, gracePeriodMs = 30_000, clock, log } = options;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const stops: (() => Promise<void>)[] = [];
  const running = new Set<string>();
  let failure: { readonly error: unknown } | undefined;

  function fail(error: unknown): void {
    failure ??= { error };
    failed.abort(error);
  }

  /** Never rejects. A runnable may end only after it was asked to. */
  async function watchOver(runnable: Runnable, asked: AbortSignal): Promise<void> {
    const { name } = runnable;
    running.add(name);
    try {
      await runnable.run(asked);
      if (!asked.aborted) fail(new Error(`${name} ended by itself`));
    } catch (error) {
      // Rejecting with what it was asked to stop for is a good end.
      if (asked.aborted && error === asked.reason) return;
      log.error({ runnable: name, reason: describeError(error) }, 'Runnable failed');
      if (!asked.aborted) fail(error);
    } finally {
      running.delete(name);
    }
  }

  function start(runnable: Runnable): void {
    const own = new AbortController();
    const ended = watchOver(runnable, own.signal);
    stops.push(() => {
      log.debug({ runnable: runnable.name }, 'Stopping');
      own.abort(new Error('stopping'));
      return ended;
    });
  }

  const election = (by: LeaderElector): Runnable => ({
    name: 'leader election',
    run: (own) =>
      by.run(own, async (lead) => {
        const onEnd = (): void => {
          if (!own.aborted) fail(lead.reason);
        };
        lead.addEventListener('abort', onEnd, { once: true });
        if (lead.aborted) onEnd();
        await Promise.all(leading.map((runnable) => watchOver(runnable, lead)));
      }),
  });

  for (const runnable of always) {
    if (stop.aborted) break;
    start(runnable);
    // A `ready` that does not heed its signal must not keep everything from stopping.
    await Promise.race([runnable.ready?.(stop), aborted(stop)]).catch((error: unknown) => {
      if (!stop.aborted) fail(error);
    });
  }
  if (!stop.aborted && elector !== undefined) start(election(elector));
  await aborted(stop);

  const stopping = (async () => {
    for (const end of stops.reverse()) await end();
  })();
  const timeout = new AbortController();
  const grace = clock.sleep(gracePeriodMs, timeout.signal).catch(() => undefined);
  await Promise.race([stopping, grace]);
  timeout.abort();
  if (running.size > 0) {
    const late = new Error(`not stopped within ${gracePeriodMs} ms: ${[...running].join(', ')}`);
    log.error({ reason: late.message }, 'Grace period over');
    failure ??= { error: late };
  }
  if (failure !== undefined) throw failure.error;
}
