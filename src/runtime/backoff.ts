import type { Clock } from './clock.ts';
import type { Random } from './random.ts';

export interface Backoff {
  /** The next wait. Grows with every call, and starts anew after a quiet time. */
  nextMs(): number;
}

/** client-go's constants for watches: 0.8 s, doubled up to 30 s, full jitter, reset after 2 min. */
export function createBackoff(clock: Clock, random: Random): Backoff {
  const initialMs = 800;
  const maxMs = 30_000;
  const resetAfterMs = 120_000;
  let baseMs = initialMs;
  let lastCallMs = -Infinity;
  return {
    nextMs() {
      const now = clock.monotonicMs();
      if (now - lastCallMs > resetAfterMs) baseMs = initialMs;
      lastCallMs = now;
      const waitMs = Math.min(baseMs * (1 + random()), maxMs);
      baseMs = Math.min(baseMs * 2, maxMs);
      return waitMs;
    },
  };
}
