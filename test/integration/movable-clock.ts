import { systemClock } from '../../src/runtime/clock.ts';
import type { Clock } from '../../src/runtime/clock.ts';

/** The real time, moved. */
export interface MovableClock extends Clock {
  /** As if so much time had passed: timers that are due then fire at once. */
  pass(ms: number): void;
  /** As if somebody had set the clock, forward or back; nothing has passed. */
  set(ms: number): void;
}

export function createMovableClock(): MovableClock {
  let passedMs = 0;
  let setMs = 0;
  const timers = new Set<{ readonly dueMs: number; readonly fire: () => void }>();
  const monotonicMs = (): number => systemClock.monotonicMs() + passedMs;

  function schedule(run: () => void, ms: number): () => void {
    const timer = {
      dueMs: monotonicMs() + ms,
      fire() {
        if (!timers.delete(timer)) return;
        real.cancel();
        run();
      },
    };
    timers.add(timer);
    const real = systemClock.setTimeout(timer.fire, ms);
    return () => {
      timers.delete(timer);
      real.cancel();
    };
  }

  return {
    now: () => systemClock.now() + passedMs + setMs,
    monotonicMs,
    sleep: (ms, signal) =>
      new Promise((resolve, reject) => {
        if (signal?.aborted === true) {
          reject(signal.reason as Error);
          return;
        }
        const cancel = schedule(() => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        }, ms);
        const onAbort = (): void => {
          cancel();
          reject(signal?.reason as Error);
        };
        signal?.addEventListener('abort', onAbort, { once: true });
      }),
    setTimeout: (run, ms) => ({ cancel: schedule(run, ms) }),
    pass(ms) {
      passedMs += ms;
      const nowMs = monotonicMs();
      for (const timer of timers) if (timer.dueMs <= nowMs) timer.fire();
    },
    set(ms) {
      setMs += ms;
    },
  };
}
