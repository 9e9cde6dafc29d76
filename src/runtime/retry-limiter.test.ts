import { describe, expect, it } from 'vitest';
import { createRetryLimiter } from './retry-limiter.ts';
import { createFakeClock } from './testing/fake-clock.ts';

describe('retry limiter', () => {
  it('doubles the wait of a key from 5 ms to 1000 s, until it is forgotten', () => {
    const limiter = createRetryLimiter(createFakeClock());
    const waits = Array.from({ length: 20 }, () => limiter.delayMs('a/x'));
    expect(waits.slice(0, 4)).toEqual([5, 10, 20, 40]);
    expect(waits[17]).toBe(5 * 2 ** 17);
    expect(waits.slice(18)).toEqual([1_000_000, 1_000_000]);
    limiter.forget('a/x');
    expect(limiter.delayMs('a/x')).toBe(5);
  });

  it('lets ten retries a second through after a burst of a hundred', async () => {
    const clock = createFakeClock();
    const limiter = createRetryLimiter(clock);
    const waits = Array.from({ length: 103 }, (_, i) => limiter.delayMs(`a/${i}`));
    expect(waits.slice(0, 100).every((ms) => ms === 5)).toBe(true);
    expect(waits.slice(100)).toEqual([100, 200, 300]);
    // A second gives ten tokens back, three of which are owed.
    await clock.advance(1000);
    const again = Array.from({ length: 8 }, (_, i) => limiter.delayMs(`a/later-${i}`));
    expect(again).toEqual([5, 5, 5, 5, 5, 5, 5, 100]);
  });

  it('saves up no more than the burst, however long nothing fails', async () => {
    const clock = createFakeClock();
    const limiter = createRetryLimiter(clock);
    limiter.delayMs('a/x');
    await clock.advance(3_600_000);
    const waits = Array.from({ length: 102 }, (_, i) => limiter.delayMs(`a/${i}`));
    expect(waits.slice(98)).toEqual([5, 5, 100, 200]);
  });

  it('counts the namespaces apart: failures of one do not slow another', () => {
    const limiter = createRetryLimiter(createFakeClock());
    for (let i = 0; i < 1000; i += 1) limiter.delayMs(`noisy/${i}`);
    expect(limiter.delayMs('noisy/late')).toBeGreaterThan(80_000);
    expect(limiter.delayMs('quiet/x')).toBe(5);
    expect(limiter.delayMs('cluster-scoped')).toBe(5);
  });

  it('never asks for more than 1000 s, however much fails', () => {
    const limiter = createRetryLimiter(createFakeClock());
    for (let i = 0; i < 20_000; i += 1) limiter.delayMs(`a/${i}`);
    expect(limiter.delayMs('a/last')).toBe(1_000_000);
  });
});
