import { describe, expect, it } from 'vitest';
import { createFakeClock } from './testing/fake-clock.ts';
import { withTimeLimit } from './time-limit.ts';

const never = (): Promise<never> => new Promise<never>(() => undefined);

describe('withTimeLimit', () => {
  it('gives what the work gives, and its error', async () => {
    const clock = createFakeClock();
    await expect(withTimeLimit(clock, 1000, undefined, async () => 7)).resolves.toBe(7);
    const failing = withTimeLimit(clock, 1000, undefined, () => Promise.reject(new Error('no')));
    await expect(failing).rejects.toThrow('no');
  });

  it('ends work that takes no notice of its signal, and aborts the signal', async () => {
    const clock = createFakeClock();
    let seen: AbortSignal | undefined;
    const running = withTimeLimit(clock, 1000, undefined, (signal) => {
      seen = signal;
      return never();
    });
    const failure = running.catch((error: unknown) => String(error));
    await clock.advance(999);
    expect(seen?.aborted).toBe(false);
    await clock.advance(1);
    await expect(failure).resolves.toContain('not done within 1000 ms');
    expect(seen?.aborted).toBe(true);
  });

  it('ends with its parent, by the same reason, and starts nothing after it', async () => {
    const clock = createFakeClock();
    const parent = new AbortController();
    const running = withTimeLimit(clock, 1000, parent.signal, never);
    const failure = running.catch((error: unknown) => String(error));
    parent.abort(new Error('shutting down'));
    await expect(failure).resolves.toContain('shutting down');
    let started = false;
    const late = withTimeLimit(clock, 1000, parent.signal, async () => {
      started = true;
    });
    await expect(late).rejects.toThrow('shutting down');
    expect(started).toBe(false);
  });
});
