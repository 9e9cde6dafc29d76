import type { Clock } from '#runtime/clock.ts';

/** So many sets of changes at once, and one more each so often. */
const BURST = 20;
const REFILL_MS = 1_000;

export interface ChangeLimiter {
  /** 0: go on, it is counted. Else milliseconds until the next change of `key` may be made. */
  take(key: string): number;
  forget(key: string): void;
}

/**
 * Limits how often the policies of a namespace, or the objects of a backend, are written: each write
 * goes to every node of the cluster. What changes meanwhile is written together.
 */
export function createChangeLimiter(clock: Clock): ChangeLimiter {
  const buckets = new Map<string, { tokens: number; sinceMs: number }>();
  return {
    take(key) {
      const now = clock.monotonicMs();
      const bucket = buckets.get(key) ?? { tokens: BURST, sinceMs: now };
      const tokens = Math.min(BURST, bucket.tokens + (now - bucket.sinceMs) / REFILL_MS);
      const isFree = tokens >= 1;
      buckets.set(key, { tokens: isFree ? tokens - 1 : tokens, sinceMs: now });
      return isFree ? 0 : Math.ceil((1 - tokens) * REFILL_MS);
    },
    forget: (key) => void buckets.delete(key),
  };
}
