import { describe, expect, it } from 'vitest';
import { systemClock } from './clock.ts';
import { createFakeClock } from './testing/fake-clock.ts';

describe.each([
  ['system clock', () => systemClock],
  ['fake clock', () => createFakeClock()],
])('%s', (_, create) => {
  it('rejects a sleep with the reason of its signal, before and during it', async () => {
    const clock = create();
    const reason = new Error('enough');
    await expect(clock.sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
    const stop = new AbortController();
    const sleeping = clock.sleep(60_000, stop.signal);
    stop.abort(reason);
    await expect(sleeping).rejects.toBe(reason);
  });
});

describe('system clock', () => {
  it('does not fire timers at once that are longer than Node can count', async () => {
    let fired = 0;
    const timers = [2 ** 31, Number.MAX_SAFE_INTEGER, Infinity].map((ms) =>
      systemClock.setTimeout(() => (fired += 1), ms),
    );
    const stop = new AbortController();
    const sleeping = systemClock.sleep(2 ** 40, stop.signal).then(
      () => (fired += 1),
      () => undefined,
    );
    await systemClock.sleep(20);
    expect(fired).toBe(0);
    for (const timer of timers) timer.cancel();
    stop.abort();
    await sleeping;
    expect(fired).toBe(0);
  });

  it('runs and cancels timers', async () => {
    const fired: string[] = [];
    systemClock.setTimeout(() => fired.push('kept'), 5);
    systemClock.setTimeout(() => fired.push('cancelled'), 5).cancel();
    const before = systemClock.monotonicMs();
    await systemClock.sleep(30);
    expect(systemClock.monotonicMs() - before).toBeGreaterThanOrEqual(29);
    expect(fired).toEqual(['kept']);
  });
});
