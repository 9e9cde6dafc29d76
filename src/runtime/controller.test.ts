import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { KubeError } from '#kube/errors.ts';
import { createController } from './controller.ts';
import type { ControllerOptions, ReconcileContext, Result } from './controller.ts';
import { silentLogger } from './log.ts';
import type { Logger } from './log.ts';
import { createRuntimeMetrics } from './metrics.ts';
import { createFakeClock } from './testing/fake-clock.ts';

type Line = { readonly fields: Readonly<Record<string, unknown>>; readonly message: string };

function recordingLogger(lines: Line[], bound: object = {}): Logger {
  const write = (fields: object, message: string): void =>
    void lines.push({ fields: { ...bound, ...fields }, message });
  return {
    debug: write,
    info: write,
    warn: write,
    error: write,
    child: (fields) => recordingLogger(lines, { ...bound, ...fields }),
  };
}

function start(
  reconcile: (key: string, context: ReconcileContext) => Promise<Result>,
  options: Partial<ControllerOptions> = {},
) {
  const clock = createFakeClock();
  const registry = new Registry();
  const lines: Line[] = [];
  const controller = createController({
    name: 'things',
    reconcile,
    clock,
    log: recordingLogger(lines),
    metrics: createRuntimeMetrics(registry),
    ...options,
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  return {
    clock,
    controller,
    lines,
    running,
    stop: () => stop.abort(new Error('test ends')),
    async end() {
      stop.abort(new Error('test ends'));
      await running;
    },
    /** The value of a counter for the labels given. */
    async count(metric: string, labels: Readonly<Record<string, string>>) {
      const found = await registry.getSingleMetric(metric)?.get();
      return found?.values.find((value) =>
        Object.entries(labels).every(([label, wanted]) => value.labels[label] === wanted),
      )?.value;
    },
  };
}

/** Answers in order, then with `done`; notes when each key was worked on. */
function script(results: readonly (Result | Error)[]) {
  const calls: string[] = [];
  return {
    calls,
    reconcile: async (key: string): Promise<Result> => {
      const result = results[calls.length] ?? { kind: 'done' };
      calls.push(key);
      if (result instanceof Error) throw result;
      return result;
    },
  };
}

const retry: Result = { kind: 'retry', error: new Error('not yet') };

describe('controller', () => {
  it('does not come back to what is done', async () => {
    const { calls, reconcile } = script([{ kind: 'done' }]);
    const run = start(reconcile);
    run.controller.enqueue('a/x');
    await run.clock.advance(10_000_000);
    expect(calls).toEqual(['a/x']);
    expect(await run.count('controller_runtime_reconcile_total', { result: 'success' })).toBe(1);
    await run.end();
  });

  it('comes back after the time it was told', async () => {
    const { calls, reconcile } = script([{ kind: 'after', ms: 60_000 }]);
    const run = start(reconcile);
    run.controller.enqueue('a/x');
    await run.clock.advance(59_999);
    expect(calls).toHaveLength(1);
    await run.clock.advance(1);
    expect(calls).toHaveLength(2);
    expect(await run.count('controller_runtime_reconcile_total', { result: 'requeue_after' })).toBe(
      1,
    );
    await run.end();
  });

  it.each([
    ['a result', retry],
    ['a throw', new Error('not yet')],
  ])(
    'tries again after %s, with waits that grow and start anew after a success',
    async (_, failure) => {
      const { calls, reconcile } = script([failure, failure, failure, { kind: 'done' }, failure]);
      const run = start(reconcile);
      run.controller.enqueue('a/x');
      for (const [waitMs, count] of [
        [4, 1],
        [1, 2],
        [9, 2],
        [1, 3],
        [19, 3],
        [1, 4],
        [1_000_000, 4],
      ] as const) {
        await run.clock.advance(waitMs);
        expect(calls).toHaveLength(count);
      }
      run.controller.enqueue('a/x');
      await run.clock.advance(5);
      expect(calls).toHaveLength(6);
      expect(await run.count('controller_runtime_reconcile_errors_total', {})).toBe(4);
      expect(await run.count('workqueue_retries_total', {})).toBe(4);
      await run.end();
    },
  );

  it.each<Result>([
    { kind: 'done' },
    { kind: 'after', ms: 1_000_000 },
    { kind: 'terminal', error: new Error('bad spec') },
  ])('forgets the failures of a key after $kind', async (result) => {
    const { calls, reconcile } = script([retry, retry, retry, result, retry]);
    const run = start(reconcile);
    run.controller.enqueue('a/x');
    await run.clock.advance(5 + 10 + 20);
    expect(calls).toHaveLength(4);
    run.controller.enqueue('a/x');
    await run.clock.advance(5);
    expect(calls).toHaveLength(6);
    await run.end();
  });

  it('ends at once when it is stopped before it begins', async () => {
    const { calls, reconcile } = script([]);
    const controller = createController({
      name: 'things',
      reconcile,
      clock: createFakeClock(),
      log: silentLogger,
    });
    controller.enqueue('a/x');
    await controller.run(AbortSignal.abort());
    expect(calls).toEqual([]);
  });

  it('leaves no timer of a reconciliation behind', async () => {
    const clock = createFakeClock();
    let timers = 0;
    const run = start(async () => ({ kind: 'done' }), {
      clock: {
        ...clock,
        setTimeout(act, ms) {
          timers += 1;
          const timer = clock.setTimeout(act, ms);
          return { cancel: () => ((timers -= 1), timer.cancel()) };
        },
      },
    });
    run.controller.enqueue('a/x');
    await clock.advance(0);
    expect(timers).toBe(0);
    await run.end();
  });

  it('waits as long as the server asks', async () => {
    const error = new KubeError('ERR_KUBE_TOO_MANY_REQUESTS', 'busy', { retryAfterMs: 7000 });
    const { calls, reconcile } = script([{ kind: 'retry', error }]);
    const run = start(reconcile);
    run.controller.enqueue('a/x');
    await run.clock.advance(6999);
    expect(calls).toHaveLength(1);
    await run.clock.advance(1);
    expect(calls).toHaveLength(2);
    await run.end();
  });

  it('gives up on a terminal error until the key is added again', async () => {
    const { calls, reconcile } = script([{ kind: 'terminal', error: new Error('bad spec') }]);
    const run = start(reconcile);
    run.controller.enqueue('a/x');
    await run.clock.advance(10_000_000);
    expect(calls).toHaveLength(1);
    run.controller.enqueue('a/x');
    await run.clock.advance(0);
    expect(calls).toHaveLength(2);
    expect(
      await run.count('controller_runtime_reconcile_total', { result: 'terminal_error' }),
    ).toBe(1);
    await run.end();
  });

  it('retries an urgent key as an urgent one, ahead of what else waits', async () => {
    const calls: string[] = [];
    const gate = Promise.withResolvers<void>();
    const run = start(
      async (key) => {
        calls.push(key);
        if (calls.length === 1) return retry;
        if (key === 'a/slow') await gate.promise;
        return { kind: 'done' };
      },
      { concurrency: 1 },
    );
    run.controller.enqueue('a/urgent', 'urgent');
    run.controller.enqueue('a/slow');
    for (let i = 0; i < 5; i += 1) run.controller.enqueue(`a/${i}`);
    await run.clock.advance(5);
    expect(calls).toEqual(['a/urgent', 'a/slow']);
    gate.resolve();
    await run.clock.advance(0);
    expect(calls[2]).toBe('a/urgent');
    await run.end();
  });

  it('works on as many keys at once as it may, and never twice on one', async () => {
    const working: string[] = [];
    let most = 0;
    const run = start(
      async (key) => {
        expect(working).not.toContain(key);
        working.push(key);
        most = Math.max(most, working.length);
        run.controller.enqueue('a/0');
        await run.clock.sleep(100);
        working.splice(working.indexOf(key), 1);
        return { kind: 'done' };
      },
      { concurrency: 3 },
    );
    for (let i = 0; i < 7; i += 1) run.controller.enqueue(`a/${i}`);
    await run.clock.advance(1000);
    expect(most).toBe(3);
    run.stop();
    await run.clock.advance(1000);
    await run.running;
    expect(working).toEqual([]);
  });

  it('aborts the signal of a reconciliation that takes too long, and tries again', async () => {
    let calls = 0;
    const run = start(
      async (_key, { signal }) => {
        calls += 1;
        if (calls === 1) await run.clock.sleep(1_000_000, signal);
        return { kind: 'done' };
      },
      { timeoutMs: 5000 },
    );
    run.controller.enqueue('a/x');
    await run.clock.advance(5005);
    expect(calls).toBe(2);
    expect(run.lines[0]?.fields['reason']).toBe(
      'ERR_RECONCILE_TIMEOUT: reconciliation took longer than 5000 ms',
    );
    await run.end();
  });

  it('names the key and an id of its own in every line of a reconciliation', async () => {
    const ids: string[] = [];
    const run = start(async (_key, { log, reconcileId }) => {
      ids.push(reconcileId);
      log.info({}, 'Looking');
      return { kind: 'done' };
    });
    run.controller.enqueue('a/x');
    run.controller.enqueue('a/y');
    await run.clock.advance(0);
    expect(run.lines.map(({ fields }) => fields)).toEqual([
      { controller: 'things', key: 'a/x', reconcileID: ids[0] },
      { controller: 'things', key: 'a/y', reconcileID: ids[1] },
    ]);
    expect(ids[0]).not.toBe(ids[1]);
    await run.end();
  });

  it('at the end finishes what is under way, begins nothing and counts no failure', async () => {
    const begun: string[] = [];
    let finished = false;
    const run = start(
      async (key, { signal }) => {
        begun.push(key);
        try {
          await run.clock.sleep(1_000_000, signal);
        } finally {
          await run.clock.sleep(50);
          finished = true;
        }
        return { kind: 'done' };
      },
      { concurrency: 1 },
    );
    run.controller.enqueue('a/x');
    run.controller.enqueue('a/y');
    run.controller.enqueueAfter('a/z', 10);
    await run.clock.advance(0);
    run.stop();
    await run.clock.advance(0);
    expect(finished).toBe(false);
    await run.clock.advance(50);
    await run.running;
    expect(finished).toBe(true);
    expect(begun).toEqual(['a/x']);
    expect(run.lines).toEqual([]);
    expect(await run.count('controller_runtime_reconcile_errors_total', {})).toBeUndefined();
  });

  it('one poisoned key among a thousand delays none of the others', async () => {
    const done = new Set<string>();
    const run = start(
      async (key) => {
        if (key === 'a/poison') throw new Error('poison');
        done.add(key);
        return { kind: 'done' };
      },
      { concurrency: 2 },
    );
    run.controller.enqueue('a/poison', 'urgent');
    for (let i = 0; i < 999; i += 1) run.controller.enqueue(`a/${i}`);
    await run.clock.advance(1000);
    expect(done.size).toBe(999);
    await run.end();
  });
});
