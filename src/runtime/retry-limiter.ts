import type { Clock } from './clock.ts';
import { namespaceOf } from './store.ts';

const BASE_DELAY_MS = 5;
const MAX_DELAY_MS = 1_000_000;
const TOKEN_EVERY_MS = 100;
const BURST = 100;

export interface RetryLimiter {
  /** Counts a failure of the key and says how long to wait before the next try. */
  delayMs(key: string): number;
  /** Forgets the failures of the key. */
  forget(key: string): void;
}

/**
 * client-go's limits for retries, the longer of two waits: one of the key, 5 ms doubled with each of
 * its failures up to 1000 s, and one of a token bucket, 10 retries a second after a burst of 100.
 * client-go has one bucket for all; here each namespace has its own, so that a thousand broken
 * objects of one tenant do not put off the retry of another's.
 *
 * Both maps stay small: a key is held from its first failure until it is forgotten, which any
 * outcome but another failure does, and a bucket until it is full again.
 */
export function createRetryLimiter(clock: Clock): RetryLimiter {
  const failures = new Map<string, number>();
  /** Per namespace, when its bucket will be full again (monotonic); absent is full. */
  const fullAtMs = new Map<string, number>();

  function bucketDelayMs(namespace: string): number {
    const now = clock.monotonicMs();
    for (const [known, atMs] of fullAtMs) if (atMs <= now) fullAtMs.delete(known);
    const atMs = (fullAtMs.get(namespace) ?? now) + TOKEN_EVERY_MS;
    fullAtMs.set(namespace, atMs);
    return atMs - now - BURST * TOKEN_EVERY_MS;
  }

  return {
    delayMs(key) {
      const count = failures.get(key) ?? 0;
      failures.set(key, count + 1);
      const ownMs = BASE_DELAY_MS * 2 ** count;
      return Math.min(Math.max(ownMs, bucketDelayMs(namespaceOf(key))), MAX_DELAY_MS);
    },
    forget: (key) => void failures.delete(key),
  };
}
