import { describe, expect, it } from 'vitest';
import type { KubeClient, WatchEvent, WatchOptions } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { silentLogger } from './log.ts';
import { reflect } from './reflector.ts';
import type { ReflectorEvent } from './reflector.ts';
import { createFakeClock } from './testing/fake-clock.ts';

function configMap(name: string, version: number): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { namespace: 'n', name, uid: name, resourceVersion: String(version) },
  };
}

type Script = readonly (WatchEvent<ConfigMap> | KubeError)[];
const added = (name: string, version: number): WatchEvent<ConfigMap> => ({
  type: 'ADDED',
  object: configMap(name, version),
});
const bookmark = (version: number, initialEventsEnd = false): WatchEvent<ConfigMap> => ({
  type: 'BOOKMARK',
  resourceVersion: String(version),
  initialEventsEnd,
});
const initial: Script = [added('a', 1), bookmark(5, true)];

/**
 * Answers the calls in order; a watch ends `watchMs` after its script, and one that has no script
 * left stays open until it is aborted.
 */
function play(
  watches: readonly Script[],
  list: readonly ConfigMap[] = [],
  watchMs = 2000,
  listErrors: readonly KubeError[] = [],
) {
  const clock = createFakeClock();
  const asked: WatchOptions[] = [];
  let lists = 0;
  const client = {
    async list() {
      const error = listErrors[lists];
      lists += 1;
      if (error !== undefined) throw error;
      return { items: list, metadata: { resourceVersion: '100' } };
    },
    async *watch(_resource: unknown, _scope: unknown, options: WatchOptions) {
      const script = watches[asked.length];
      asked.push(options);
      if (!(script?.[0] instanceof KubeError)) options.onOpen?.();
      if (script === undefined) {
        await new Promise((resolve) => options.signal?.addEventListener('abort', resolve));
        return;
      }
      for (const step of script) {
        if (step instanceof KubeError) throw step;
        yield step;
      }
      await clock.sleep(watchMs, options.signal).catch(() => undefined);
    },
  } as unknown as KubeClient;
  const stop = new AbortController();
  const seen: ReflectorEvent<ConfigMap>[] = [];
  const warnings: string[] = [];
  let answers = 0;
  const running = (async () => {
    const options = {
      client,
      resource: CONFIG_MAPS,
      scope: { namespace: 'n' },
      clock,
      random: () => 0,
      log: { ...silentLogger, warn: (_: object, text: string) => void warnings.push(text) },
      onAnswer: () => void (answers += 1),
    };
    for await (const event of reflect(options, stop.signal)) seen.push(event);
  })();
  return {
    clock,
    asked,
    seen,
    warnings,
    lists: () => lists,
    answers: () => answers,
    async end() {
      stop.abort(new Error('test ends'));
      await running;
    },
  };
}

describe('reflector', () => {
  it('publishes a streamed list as one, and then what changes', async () => {
    const run = play([
      [added('a', 1), added('b', 2), bookmark(5, true), added('c', 6), bookmark(7)],
    ]);
    await run.clock.advance(0);
    expect(run.seen).toEqual([
      { type: 'Replace', objects: [configMap('a', 1), configMap('b', 2)] },
      { type: 'Apply', object: configMap('c', 6) },
      { type: 'Alive' },
    ]);
    expect(run.asked[0]).toMatchObject({ sendInitialEvents: true });
    await run.end();
  });

  it('resumes after a clean end from the last bookmark, without a list', async () => {
    const run = play([[...initial, bookmark(9)]]);
    await run.clock.advance(5000);
    expect(run.asked).toHaveLength(2);
    expect(run.asked[1]).toMatchObject({ resourceVersion: '9' });
    expect(run.asked[1]).not.toHaveProperty('sendInitialEvents');
    await run.end();
  });

  it('publishes nothing of a list that broke off', async () => {
    const broken = new KubeError('ERR_KUBE_NETWORK', 'reset');
    const run = play([[added('a', 1), broken], initial]);
    await run.clock.advance(1000);
    expect(run.seen).toEqual([{ type: 'Replace', objects: [configMap('a', 1)] }]);
    expect(run.asked[1]).toMatchObject({ sendInitialEvents: true });
    await run.end();
  });

  it.each([
    ['ERR_KUBE_NETWORK', 'resumes'],
    ['ERR_KUBE_UNAVAILABLE', 'resumes'],
    ['ERR_KUBE_TIMEOUT', 'resumes'],
    ['ERR_KUBE_TOO_MANY_REQUESTS', 'resumes'],
    ['ERR_KUBE_UNAUTHORIZED', 'resumes'],
    ['ERR_KUBE_PROTOCOL', 'resumes'],
    ['ERR_KUBE_FORBIDDEN', 'resumes'],
    ['ERR_KUBE_GONE', 'lists'],
    ['ERR_KUBE_INVALID', 'lists'],
  ] as const)('heals after %s: %s', async (code, how) => {
    const thrown = play([[...initial, new KubeError(code, 'x')]]);
    const told = play([[...initial, { type: 'ERROR', error: new KubeError(code, 'x') }]]);
    for (const run of [thrown, told]) {
      await run.clock.advance(1000);
      expect(run.asked).toHaveLength(2);
      expect(run.asked[1]).toMatchObject(
        how === 'lists' ? { sendInitialEvents: true } : { resourceVersion: '5' },
      );
      await run.end();
    }
  });

  it('opens a silent watch anew without ado, and warns of one that is not answered', async () => {
    const silent = new KubeError('ERR_KUBE_TIMEOUT', 'silent');
    const run = play([[...initial, silent]]);
    await run.clock.advance(1000);
    expect([run.asked.length, run.answers(), run.warnings.length]).toEqual([2, 2, 0]);
    await run.end();
    const unanswered = play([initial, [silent]]);
    await unanswered.clock.advance(2000);
    expect([unanswered.answers(), unanswered.warnings.length]).toEqual([1, 1]);
    await unanswered.end();
  });

  it('takes a refusal for an answer, as nothing but the server can change it', async () => {
    const refusal = new KubeError('ERR_KUBE_FORBIDDEN', 'x');
    const run = play([initial, [refusal], [refusal]]);
    await run.clock.advance(10_000);
    // Accepted, refused twice, accepted.
    expect([run.asked.length, run.answers()]).toEqual([4, 4]);
    await run.end();
  });

  it('waits as long as the server asks', async () => {
    const busy = new KubeError('ERR_KUBE_TOO_MANY_REQUESTS', 'x', { retryAfterMs: 20_000 });
    const run = play([[...initial, busy]]);
    await run.clock.advance(19_999);
    expect(run.asked).toHaveLength(1);
    await run.clock.advance(1);
    expect(run.asked).toHaveLength(2);
    await run.end();
  });

  it('resumes after the last event it saw, in a streamed list and in a watch', async () => {
    const broken = new KubeError('ERR_KUBE_NETWORK', 'reset');
    const run = play([
      [...initial, added('b', 6), broken],
      [added('c', 7), broken],
      [bookmark(8), broken],
    ]);
    await run.clock.advance(10_000);
    const resumedAt = run.asked.map(({ resourceVersion }) => resourceVersion);
    expect(resumedAt).toEqual([undefined, '6', '7', '8']);
    await run.end();
  });

  it('lists again where the server is behind: etcd was restored from a backup', async () => {
    const ahead = new KubeError('ERR_KUBE_TIMEOUT', 'Too large resource version', {
      causes: [{ reason: 'ResourceVersionTooLarge' }],
    });
    const run = play([[...initial, ahead], initial]);
    await run.clock.advance(1000);
    expect(run.asked[1]).toMatchObject({ sendInitialEvents: true });
    await run.end();
  });

  it('leaves out what is deleted while a list streams', async () => {
    const removed: WatchEvent<ConfigMap> = { type: 'DELETED', object: configMap('a', 3) };
    const run = play([[added('a', 1), added('b', 2), removed, bookmark(5, true)]]);
    await run.clock.advance(0);
    expect(run.seen).toEqual([{ type: 'Replace', objects: [configMap('b', 2)] }]);
    await run.end();
  });

  it('takes no other bookmark for the end of a streamed list', async () => {
    const run = play([[added('a', 1), bookmark(2), added('b', 3), bookmark(5, true)]]);
    await run.clock.advance(0);
    expect(run.seen).toEqual([
      { type: 'Alive' },
      { type: 'Replace', objects: [configMap('a', 1), configMap('b', 3)] },
    ]);
    await run.end();
  });

  it('takes a streamed list that ends early for a failure', async () => {
    const run = play([[added('a', 1)], initial]);
    await run.clock.advance(10_000);
    expect(run.seen[0]).toEqual({ type: 'Replace', objects: [configMap('a', 1)] });
    expect(run.asked[1]).toMatchObject({ sendInitialEvents: true });
    await run.end();
  });

  it.each([
    ['ends every watch at once', initial, []],
    ['ends every watch after one bookmark', initial, [bookmark(6)]],
    ['forgets every resourceVersion', [], [new KubeError('ERR_KUBE_GONE', 'x')]],
  ] as const)('does not ask in a hot loop a server that %s', async (_, first, rest) => {
    const run = play([first, ...Array.from({ length: 500 }, () => rest)], [], 0);
    await run.clock.advance(300_000);
    expect(run.asked.length).toBeGreaterThan(5);
    expect(run.asked.length).toBeLessThan(25);
    await run.end();
  });

  it('goes on as before when listing by pages fails', async () => {
    const refusals = Array.from({ length: 3 }, () => new KubeError('ERR_KUBE_UNAVAILABLE', 'x'));
    const run = play(
      [[new KubeError('ERR_KUBE_INVALID', 'x')]],
      [configMap('z', 50)],
      2000,
      refusals,
    );
    await run.clock.advance(10_000);
    expect(run.lists()).toBe(4);
    expect(run.seen).toEqual([{ type: 'Replace', objects: [configMap('z', 50)] }]);
    await run.end();
  });

  it('ends at once when told to while it waits', async () => {
    const run = play([[new KubeError('ERR_KUBE_UNAVAILABLE', 'x', { retryAfterMs: 60_000 })]]);
    await run.clock.advance(0);
    await run.end();
    expect(run.asked).toHaveLength(1);
  });

  it('pages where the server cannot stream a list', async () => {
    const run = play([[new KubeError('ERR_KUBE_INVALID', 'x')]], [configMap('z', 50)]);
    await run.clock.advance(0);
    expect(run.lists()).toBe(1);
    expect(run.seen).toEqual([{ type: 'Replace', objects: [configMap('z', 50)] }]);
    expect(run.asked[1]).toMatchObject({ resourceVersion: '100' });
    await run.end();
  });

  it('slows down when a server keeps refusing', async () => {
    const refusal = new KubeError('ERR_KUBE_UNAVAILABLE', 'x');
    const run = play(Array.from({ length: 200 }, (): Script => [refusal]));
    await run.clock.advance(300_000);
    // 0.8 + 1.6 + 3.2 + … + 30 + 30 s: about a dozen tries in five minutes.
    expect(run.asked.length).toBeGreaterThan(8);
    expect(run.asked.length).toBeLessThan(20);
    await run.end();
  });

  it('asks for watches of five to ten minutes, and never waits for ever on a silent one', async () => {
    const run = play([initial]);
    await run.clock.advance(0);
    expect(run.asked[0]?.timeoutSeconds).toBe(300);
    expect(run.asked[0]?.idleTimeoutMs).toBeGreaterThan(60_000);
    await run.end();
  });
});
