import { describe, expect, it } from 'vitest';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { createWaker } from './waker.ts';

describe('a waker', () => {
  const { signal } = new AbortController();

  it('tells being woken from the time being over', async () => {
    const clock = createFakeClock();
    const waker = createWaker(clock);
    const first = waker.wait(1_000, signal);
    await clock.advance(1_000);
    expect(await first).toBe(false);
    const second = waker.wait(1_000, signal);
    await clock.advance(10);
    waker.wake();
    expect(await second).toBe(true);
  });

  it('does not forget who woke it while it worked, and only once', async () => {
    const clock = createFakeClock();
    const waker = createWaker(clock);
    waker.wake();
    waker.wake();
    expect(await waker.wait(1_000, signal)).toBe(true);
    const next = waker.wait(1_000, signal);
    await clock.advance(1_000);
    expect(await next).toBe(false);
  });

  it('ends with its signal', async () => {
    const stop = new AbortController();
    const clock = createFakeClock();
    const waiting = createWaker(clock).wait(1_000, stop.signal);
    clock.setTimeout(() => stop.abort(new Error('stop')), 10);
    const [ended] = await Promise.allSettled([waiting, clock.advance(10)]);
    expect(ended).toMatchObject({ status: 'rejected', reason: new Error('stop') });
  });
});
