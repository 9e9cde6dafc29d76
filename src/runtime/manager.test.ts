import { describe, expect, it } from 'vitest';
import { aborted } from './aborted.ts';
import { LeaseLostError } from './guard-writes.ts';
import type { LeaderElector } from './leader-election.ts';
import { silentLogger } from './log.ts';
import { runManager } from './manager.ts';
import type { ManagerOptions, Runnable } from './manager.ts';
import { createFakeClock } from './testing/fake-clock.ts';

/** Leads at once, until it is stopped or `lose` is called. */
function createElector() {
  const lost = new AbortController();
  const elector: LeaderElector = {
    async run(signal, lead) {
      await lead(AbortSignal.any([signal, lost.signal]));
      await aborted(signal);
    },
    holdsLease: () => !lost.signal.aborted,
    lost: lost.signal,
  };
  return { elector, lose: () => lost.abort(new LeaseLostError()) };
}

/** Runnables that write down when they begin and end. */
function createScene(more: Partial<ManagerOptions> = {}) {
  const clock = createFakeClock();
  const stop = new AbortController();
  const seen: string[] = [];
  const { elector, lose } = createElector();

  function runnable(name: string, own: Partial<Runnable> & { stopMs?: number } = {}): Runnable {
    return {
      name,
      async run(signal) {
        seen.push(`+${name}`);
        await aborted(signal);
        if (own.stopMs !== undefined) await clock.sleep(own.stopMs);
        seen.push(`-${name}`);
      },
      ...own,
    };
  }

  function run(always: readonly Runnable[], leading: readonly Runnable[]): Promise<unknown> {
    const options = { always, leading, elector, clock, log: silentLogger, ...more };
    return runManager(options, stop.signal).then(
      () => 'stopped',
      (error: unknown) => error,
    );
  }
  return { clock, stop: () => stop.abort(new Error('asked')), seen, runnable, run, lose };
}

describe('manager', () => {
  it('starts in order, each when the former is ready, and stops in reverse order', async () => {
    const { clock, stop, seen, runnable, run } = createScene();
    const running = run(
      [
        runnable('health', {
          async ready() {
            await clock.sleep(1000);
            seen.push('health is ready');
          },
        }),
        runnable('informer', {
          async ready() {
            seen.push('informer is ready');
          },
          stopMs: 100,
        }),
      ],
      [runnable('controller', { stopMs: 2000 })],
    );
    await clock.advance(500);
    expect(seen).toEqual(['+health']);
    await clock.advance(1000);
    stop();
    await clock.advance(5000);
    expect(await running).toBe('stopped');
    expect(seen).toEqual([
      '+health',
      'health is ready',
      '+informer',
      'informer is ready',
      '+controller',
      '-controller',
      '-informer',
      '-health',
    ]);
  });

  it('starts nothing more when it is stopped while it starts', async () => {
    const { clock, stop, seen, runnable, run } = createScene();
    const running = run(
      // Does not heed its signal.
      [runnable('first', { ready: () => new Promise(() => undefined) }), runnable('second')],
      [runnable('leading')],
    );
    await clock.advance(10);
    stop();
    await clock.advance(10);
    expect(await running).toBe('stopped');
    expect(seen).toEqual(['+first', '-first']);
  });

  const failure = new Error('broken');
  const failures: readonly [string, Partial<Runnable>, unknown][] = [
    ['throws', { run: () => Promise.reject(failure) }, failure],
    [
      'throws synchronously',
      {
        run: () => {
          throw failure;
        },
      },
      failure,
    ],
    ['ends by itself', { run: async () => undefined }, new Error('faulty ended by itself')],
    ['cannot get ready', { ready: () => Promise.reject(failure) }, failure],
  ];

  it.each(failures)('stops the others and rejects when one of always %s', async (_, own, error) => {
    const { clock, seen, runnable, run } = createScene();
    const running = run([runnable('good'), runnable('faulty', own)], [runnable('leading')]);
    await clock.advance(10);
    expect(await running).toEqual(error);
    expect(seen).toContain('-good');
  });

  it.each(failures.slice(0, 3))(
    'stops the others and rejects when one of leading %s',
    async (_, own, error) => {
      const { clock, seen, runnable, run } = createScene();
      const running = run(
        [runnable('good')],
        [runnable('faulty', own), runnable('controller', { stopMs: 1000 })],
      );
      await clock.advance(2000);
      expect(await running).toEqual(error);
      // The elector ends, and gives the lease back, only after all that it led.
      expect(seen).toEqual(['+good', '+controller', '-controller', '-good']);
    },
  );

  it('rejects when the lease is lost, and stops what led first', async () => {
    const { clock, lose, seen, runnable, run } = createScene();
    const running = run([runnable('informer')], [runnable('controller', { stopMs: 1000 })]);
    await clock.advance(10);
    lose();
    await clock.advance(2000);
    expect(await running).toBeInstanceOf(LeaseLostError);
    expect(seen.slice(2)).toEqual(['-controller', '-informer']);
  });

  it('names what is still running when the grace period is over', async () => {
    const { clock, stop, runnable, run } = createScene();
    const running = run([], [runnable('stubborn', { stopMs: 1e9 }), runnable('quick')]);
    await clock.advance(10);
    stop();
    let outcome: unknown;
    const ended = (async () => {
      outcome = await running;
    })();
    await clock.advance(29_000);
    expect(outcome).toBeUndefined();
    await clock.advance(2_000);
    await ended;
    expect(String(outcome)).toMatch(/not stopped within 30000 ms: .*stubborn/);
    expect(String(outcome)).not.toContain('quick');
  });

  it('counts a rejection with the reason of the stop as a good end', async () => {
    const { clock, stop, runnable, run } = createScene();
    const running = run([runnable('sleeper', { run: (signal) => clock.sleep(1e9, signal) })], []);
    await clock.advance(10);
    stop();
    await clock.advance(10);
    expect(await running).toBe('stopped');
  });

  it('reports the first of several failures', async () => {
    const { clock, runnable, run } = createScene();
    const failing = (name: string, ms: number): Runnable =>
      runnable(name, {
        async run() {
          await clock.sleep(ms);
          throw new Error(name);
        },
      });
    const running = run([failing('late', 2000), failing('early', 1000)], []);
    await clock.advance(3000);
    expect(await running).toEqual(new Error('early'));
  });
});
