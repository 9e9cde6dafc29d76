import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export interface Backoff {
  /** The next wait. Grows with every call, and starts anew after a quiet time. */
  nextMs(): number;
}

const INITIAL_MS = 800;
const MAX_MS = 30_000;
const RESET_AFTER_MS = 120_000;

/**
 * client-go's constants for watches: 0.8 s, doubled up to 30 s, reset after 2 min without a failure.
 * Up to as much again is added at random, at the top too: clients that lost the same server must not
 * come back to it in step.
 */
export function createBackoff(clock: Clock, random: Random): Backoff {
  let baseMs = INITIAL_MS;
  let lastCallMs = -Infinity;
  return {
    nextMs() {
      const now = clock.monotonicMs();
      if (now - lastCallMs > RESET_AFTER_MS) baseMs = INITIAL_MS;
      lastCallMs = now;
      const waitMs = baseMs * (1 + random());
      baseMs = Math.min(baseMs * 2, MAX_MS);
      return waitMs;
    },
  };
}
