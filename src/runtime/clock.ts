import { setTimeout as delay } from 'node:timers/promises';

export interface Timer {
  cancel(): void;
}

/** Time, as a parameter: nothing in this folder reads it elsewhere. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For what is written down. */
  now(): number;
  /** Milliseconds that never go back. For durations and leases. */
  monotonicMs(): number;
  /** Rejects with the signal's reason when it is aborted. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  setTimeout(callback: () => void, ms: number): Timer;
}

/** The longest a Node timer can wait; longer ones would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: Date.now,
  monotonicMs: () => performance.now(),
  async sleep(ms, signal) {
    try {
      await delay(Math.min(ms, MAX_TIMER_MS), undefined, signal === undefined ? {} : { signal });
    } catch (error) {
      signal?.throwIfAborted();
      throw error;
    }
  },
  setTimeout(callback, ms) {
    const timer = setTimeout(callback, Math.min(ms, MAX_TIMER_MS));
    return { cancel: () => clearTimeout(timer) };
  },
};
