import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeedCopy } from './feed.ts';
import { feedDueAt } from './schedule.ts';

const MINUTE = 60_000;
const everyMs = 60 * MINUTE;
const attemptAtMs = 1_800_000_000_000;
const copy: FeedCopy = {
  url: 'https://lists.example.com/',
  format: 'Plain',
  items: [],
  counts: { entries: 0, corrected: 0, skipped: 0, skippedSamples: [] },
  fetchedAtMs: attemptAtMs - 10 * MINUTE,
};

describe('when a feed is due', () => {
  it('at once, where nothing is known', () => {
    expect(feedDueAt({ everyMs, failures: 0, jitter: 0.9 })).toBe(0);
  });

  it('after a restart, by the age of the copy', () => {
    expect(feedDueAt({ everyMs, copy, failures: 0, jitter: 0 })).toBe(attemptAtMs + 50 * MINUTE);
  });

  it.each([
    [0, 60],
    [1, 1],
    [2, 2],
    [3, 4],
    [6, 32],
    [7, 60],
    [5000, 60],
  ])('after %s failures in a row in %s min', (failures, minutes) => {
    const due = feedDueAt({ everyMs, copy, attemptAtMs, failures, jitter: 0 });
    expect(due - attemptAtMs).toBe(minutes * MINUTE);
  });

  it('never before its time, and at most a tenth after', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 10_000, max: 10 ** 9 }),
        fc.nat(100),
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        (every, failures, jitter) => {
          const plain = { everyMs: every, attemptAtMs, failures };
          const waitMs = feedDueAt({ ...plain, jitter: 0 }) - attemptAtMs;
          const jitteredMs = feedDueAt({ ...plain, jitter }) - attemptAtMs;
          expect(waitMs).toBeLessThanOrEqual(every);
          expect(jitteredMs).toBeGreaterThanOrEqual(waitMs);
          expect(jitteredMs).toBeLessThanOrEqual(waitMs * 1.1 + 1);
        },
      ),
    );
  });
});
