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
  readonly leading: readonly Runnable[];
  readonly elector: LeaderElector;
  /** How long a stop may take before it is forced; 30 s unless told. */
  readonly gracePeriodMs?: number;
  readonly clock: Clock;
  readonly log: Logger;
}

/**
 * Runs everything until `signal` is aborted or something fails; then stops in reverse order. Throws
 * the first failure, or an error when the grace period was not enough.
 */
export async function runManager(options: ManagerOptions, signal: AbortSignal): Promise<void> {
  const { always, leading, elector, gracePeriodMs = 30_000, clock, log } = options;
  const failed = new AbortController();
  const stop = AbortSignal.any([signal, failed.signal]);
  const stops: (() => Promise<void>)[] = [];
  let failure: { readonly error: unknown } | undefined;

  function start(runnable: Runnable): void {
    const own = new AbortController();
    const running = watchOver(runnable, own.signal);
    stops.push(async () => {
      log.debug({ runnable: runnable.name }, 'Stopping');
      own.abort(new Error('stopping'));
      await running;
    });
  }

  /** A runnable may end only after it was asked to. */
  async function watchOver(runnable: Runnable, asked: AbortSignal): Promise<void> {
    try {
      await runnable.run(asked);
      if (!asked.aborted) fail(new Error(`${runnable.name} ended by itself`));
    } catch (error) {
      if (!asked.aborted) fail(error);
    }
  }

  function fail(error: unknown): void {
    failure ??= { error };
    failed.abort(error);
  }

  for (const runnable of always) {
    if (stop.aborted) break;
    start(runnable);
    await runnable.ready?.(stop).catch((error: unknown) => {
      if (!stop.aborted) fail(error);
    });
  }
  if (!stop.aborted) {
    start({
      name: 'leader election',
      run: (own) =>
        elector.run(own, async (lead) => {
          await Promise.all(leading.map((runnable) => runnable.run(lead)));
        }),
    });
    await aborted(stop);
  }

  const stopping = (async () => {
    for (const end of stops.reverse()) await end();
    return 'stopped' as const;
  })();
  const timeout = new AbortController();
  const grace = clock.sleep(gracePeriodMs, timeout.signal).then(
    () => 'late' as const,
    () => 'stopped' as const,
  );
  const outcome = await Promise.race([stopping, grace]);
  timeout.abort();
  if (failure !== undefined) throw failure.error;
  if (outcome === 'late') throw new Error(`not stopped within ${gracePeriodMs} ms`);
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
