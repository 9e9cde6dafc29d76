import type { Clock } from '#runtime/clock.ts';

export interface FakeClock extends Clock {
  /** Moves time on and runs what is due, in order; lets promises settle in between. */
  advance(ms: number): Promise<void>;
}

/** A clock that stands still until it is moved. */
export function createFakeClock(startMs = 1_800_000_000_000): FakeClock {
  let now = startMs;
  let nextId = 0;
  const timers = new Map<number, { readonly at: number; readonly run: () => void }>();

  function schedule(run: () => void, ms: number): () => void {
    const id = nextId;
    nextId += 1;
    timers.set(id, { at: now + Math.max(0, ms), run });
    return () => void timers.delete(id);
  }

  async function settle(): Promise<void> {
    // Each turn of the event loop lets one more link of a promise chain run.
    for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  }

  return {
    now: () => now,
    monotonicMs: () => now - startMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        const onAbort = (): void => {
          cancel();
          reject(signal?.reason as Error);
        };
        const cancel = schedule(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, ms);
        signal?.addEventListener('abort', onAbort);
      }),
    setTimeout: (run, ms) => ({ cancel: schedule(run, ms) }),
    async advance(ms) {
      const end = now + ms;
      await settle();
      for (;;) {
        const [due] = [...timers]
          .filter(([, t]) => t.at <= end)
          .sort(([a, x], [b, y]) => x.at - y.at || a - b);
        if (due === undefined) break;
        timers.delete(due[0]);
        now = Math.max(now, due[1].at);
        due[1].run();
        await settle();
      }
      now = end;
      await settle();
    },
  };
}
