import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { tryLock, waitForLock } from './lock.ts';

const name = (): string => `strongroom-test-${randomBytes(8).toString('hex')}`;

const isLinux = process.platform === 'linux';

describe.skipIf(!isLinux)(
  `the lock of a node${isLinux ? '' : ' (skipped: abstract sockets are of Linux)'}`,
  () => {
    it('is held by one, and free afterwards', async () => {
      const lock = name();
      {
        await using first = await tryLock(lock);
        expect(first).toBeDefined();
        expect(await tryLock(lock)).toBeUndefined();
        await using other = await tryLock(name());
        expect(other).toBeDefined();
      }
      await using again = await tryLock(lock);
      expect(again).toBeDefined();
    });

    it('comes to who waits when the holder lets go', async () => {
      const lock = name();
      const clock = createFakeClock();
      const { signal } = new AbortController();
      const first = await tryLock(lock);
      let waits = 0;
      let got: AsyncDisposable | undefined;
      const waiting = waitForLock({ name: lock, clock, signal, onWait: () => (waits += 1) }).then(
        (second) => (got = second),
      );
      await clock.advance(2_000);
      expect(waits).toBe(1);
      expect(got).toBeUndefined();
      await first?.[Symbol.asyncDispose]();
      await clock.advance(2_000);
      await using second = await waiting;
      expect(second).toBe(got);
    });

    it('is not waited for any more after a signal', async () => {
      const lock = name();
      await using _held = await tryLock(lock);
      const stop = new AbortController();
      const clock = createFakeClock();
      const waiting = waitForLock({
        name: lock,
        clock,
        signal: stop.signal,
        onWait: () => undefined,
      });
      clock.setTimeout(() => stop.abort(new Error('enough')), 600);
      const [ended] = await Promise.allSettled([waiting, clock.advance(600)]);
      expect(ended).toMatchObject({ status: 'rejected', reason: new Error('enough') });
    });
  },
);
