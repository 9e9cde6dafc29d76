import { describe, expect, it } from 'vitest';
import { createBackoff } from './backoff.ts';
import { createFakeClock } from './testing/fake-clock.ts';

describe('backoff of watches', () => {
  it('doubles from 0.8 s to 30 s, and stays there', () => {
    const backoff = createBackoff(createFakeClock(), () => 0);
    const waits = Array.from({ length: 8 }, () => backoff.nextMs());
    expect(waits).toEqual([800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
  });

  it('adds up to as much again at random, at the top too', () => {
    const backoff = createBackoff(createFakeClock(), () => 0.5);
    const waits = Array.from({ length: 8 }, () => backoff.nextMs());
    expect([waits[0], waits[1], waits[7]]).toEqual([1200, 2400, 45_000]);
  });

  it('starts anew after two minutes without a failure, not before', async () => {
    const clock = createFakeClock();
    const backoff = createBackoff(clock, () => 0);
    backoff.nextMs();
    await clock.advance(120_000);
    expect(backoff.nextMs()).toBe(1600);
    await clock.advance(120_001);
    expect(backoff.nextMs()).toBe(800);
  });
});
