import type { FeedCopy } from './feed.ts';

export interface FeedTiming {
  /** As the IPBlock asks. */
  readonly everyMs: number;
  readonly copy?: FeedCopy;
  /** When it was last tried, with whatever outcome; absent since the start of this process. */
  readonly attemptAtMs?: number;
  /** Attempts in a row of which nothing came. */
  readonly failures: number;
  /** In [0, 1), drawn anew after each attempt: feeds of one source must not be asked in step. */
  readonly jitter: number;
}

const FIRST_RETRY_MS = 60_000;
/** Up to this part of the time between two attempts is added. */
const JITTER = 0.1;
/** Doubling further would overflow nothing, but mean nothing either. */
const MOST_DOUBLINGS = 20;

/**
 * When a feed is to be fetched next, in milliseconds since 1970; what is past is due now. After a
 * good answer `every`; after failures 1 min, 2 min, 4 min and so on up to `every`. A copy that
 * outlived a restart is as good as an answer of its age.
 */
export function feedDueAt({ everyMs, copy, attemptAtMs, failures, jitter }: FeedTiming): number {
  const lastMs = attemptAtMs ?? copy?.fetchedAtMs;
  if (lastMs === undefined) return 0;
  const waitMs =
    failures === 0
      ? everyMs
      : Math.min(everyMs, FIRST_RETRY_MS * 2 ** Math.min(failures - 1, MOST_DOUBLINGS));
  return lastMs + Math.round(waitMs * (1 + jitter * JITTER));
}
