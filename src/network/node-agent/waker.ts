import type { Clock } from '#runtime/clock.ts';

/** Lets a loop sleep until something happened; what happens while it works is not forgotten. */
export interface Waker {
  wake(): void;
  /** Whether it was woken, rather than the time over. Rejects when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<boolean>;
}

export function createWaker(clock: Clock): Waker {
  let isAwake = false;
  let rouse: (() => void) | undefined;
  return {
    wake() {
      isAwake = true;
      rouse?.();
    },
    async wait(ms, signal) {
      signal.throwIfAborted();
      if (!isAwake) {
        const woken = new AbortController();
        rouse = () => woken.abort();
        try {
          await clock.sleep(ms, AbortSignal.any([signal, woken.signal]));
        } catch (error) {
          signal.throwIfAborted();
          if (!woken.signal.aborted) throw error;
        } finally {
          rouse = undefined;
        }
      }
      const wasAwake = isAwake;
      isAwake = false;
      return wasAwake;
    },
  };
}
