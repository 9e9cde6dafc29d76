import { describe, expect, it } from 'vitest';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { createChangeLimiter } from './change-limiter.ts';

describe('createChangeLimiter', () => {
  it('lets a burst through, then one each second, for each key on its own', async () => {
    const clock = createFakeClock();
    const limiter = createChangeLimiter(clock);
    const taken = Array.from({ length: 25 }, () => limiter.take('trading'));
    expect(taken.filter((waitMs) => waitMs === 0)).toHaveLength(20);
    expect(limiter.take('research')).toBe(0);
    const waitMs = limiter.take('trading');
    expect(waitMs).toBeGreaterThan(0);
    await clock.advance(waitMs);
    expect(limiter.take('trading')).toBe(0);
    expect(limiter.take('trading')).toBeGreaterThan(0);
    limiter.forget('trading');
    expect(limiter.take('trading')).toBe(0);
  });
});
