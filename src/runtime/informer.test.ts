import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { KubeClient, WatchEvent, WatchOptions } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { createInformer } from './informer.ts';
import type { InformerOptions } from './informer.ts';
import { silentLogger } from './log.ts';
import { createRuntimeMetrics } from './metrics.ts';
import type { Change } from './store.ts';
import { createFakeClock } from './testing/fake-clock.ts';

/** A collection with a history, as etcd keeps it: what a watch from a revision sees, and what not. */
function createCollection() {
  let revision = 0;
  let uids = 0;
  /** Revisions up to this one are compacted. */
  let compacted = 0;
  const current = new Map<string, ConfigMap>();
  const log: { readonly revision: number; readonly event: WatchEvent<ConfigMap> }[] = [];
  let wake = Promise.withResolvers<void>();

  function record(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: ConfigMap): void {
    log.push({ revision, event: { type, object } });
    wake.resolve();
    wake = Promise.withResolvers();
  }

  return {
    current,
    get revision() {
      return revision;
    },
    get compacted() {
      return compacted;
    },
    log,
    woken: () => wake.promise,
    put(name: string, value: string): void {
      revision += 1;
      const previous = current.get(`n/${name}`);
      if (previous === undefined) uids += 1;
      const object: ConfigMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          namespace: 'n',
          name,
          uid: previous?.metadata.uid ?? `uid-${uids}`,
          resourceVersion: String(revision),
        },
        data: { value },
      };
      current.set(`n/${name}`, object);
      record(previous === undefined ? 'ADDED' : 'MODIFIED', object);
    },
    remove(name: string): void {
      const previous = current.get(`n/${name}`);
      if (previous === undefined) return;
      revision += 1;
      current.delete(`n/${name}`);
      record('DELETED', {
        ...previous,
        metadata: { ...previous.metadata, resourceVersion: String(revision) },
      });
    },
    compact(): void {
      compacted = revision;
    },
  };
}

type Collection = ReturnType<typeof createCollection>;

/**
 * A client of that collection. A fault set with `fail` hits the next event or call: it is thrown in
 * place of it, or with `undefined` ends the watch as a server does.
 */
function createScriptedClient(collection: Collection, streamsLists = true) {
  let pending: { readonly error: KubeError | undefined } | undefined;
  let interrupt = Promise.withResolvers<void>();
  const client = {
    async list() {
      if (pending?.error !== undefined) {
        const { error } = pending;
        pending = undefined;
        throw error;
      }
      return {
        items: [...collection.current.values()],
        metadata: { resourceVersion: String(collection.revision) },
      };
    },
    async *watch(
      _resource: unknown,
      _scope: unknown,
      { signal, sendInitialEvents, resourceVersion, onOpen }: WatchOptions,
    ): AsyncGenerator<WatchEvent<ConfigMap>, void, void> {
      const aborted = new Promise<void>((resolve) => {
        signal?.addEventListener('abort', () => resolve());
      });
      let at = Number(resourceVersion ?? 0);
      if (sendInitialEvents === true) {
        if (!streamsLists) throw new KubeError('ERR_KUBE_INVALID', 'no streaming lists here');
        for (const object of collection.current.values()) yield { type: 'ADDED', object };
        at = collection.revision;
        yield { type: 'BOOKMARK', resourceVersion: String(at), initialEventsEnd: true };
      } else if (at < collection.compacted) {
        throw new KubeError('ERR_KUBE_GONE', 'too old');
      }
      onOpen?.();
      for (;;) {
        if (pending !== undefined) {
          const { error } = pending;
          pending = undefined;
          if (error === undefined) return;
          throw error;
        }
        const next = collection.log.find(({ revision }) => revision > at);
        if (next !== undefined) {
          at = next.revision;
          yield next.event;
          continue;
        }
        if (signal?.aborted === true) return;
        await Promise.race([collection.woken(), interrupt.promise, aborted]);
      }
    },
  } as unknown as KubeClient;
  return {
    client,
    fail(fault: KubeError | undefined): void {
      pending = { error: fault };
      interrupt.resolve();
      interrupt = Promise.withResolvers();
    },
  };
}

function start(
  client: KubeClient,
  options: Partial<InformerOptions<ConfigMap>> = {},
  clock = createFakeClock(),
) {
  const registry = new Registry();
  const informer = createInformer<ConfigMap>({
    client,
    resource: CONFIG_MAPS,
    scope: { namespace: 'n' },
    clock,
    random: () => 0,
    log: silentLogger,
    metrics: createRuntimeMetrics(registry),
    ...options,
  });
  const changes: { readonly change: Change<ConfigMap>; readonly initial: boolean }[] = [];
  informer.onChange((change, initial) => changes.push({ change, initial }));
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  return {
    clock,
    informer,
    changes,
    registry,
    signal: stop.signal,
    async end() {
      stop.abort(new Error('test ends'));
      await running;
    },
  };
}

describe('informer', () => {
  it.each([
    ['streamed', true],
    ['paged', false],
  ])('is synced after the first %s list, and then follows', async (_, streamsLists) => {
    const collection = createCollection();
    collection.put('a', '1');
    const run = start(createScriptedClient(collection, streamsLists).client);
    expect(run.informer.hasSynced).toBe(false);
    await run.clock.advance(0);
    await run.informer.synced(run.signal);
    expect(run.informer.hasSynced).toBe(true);
    expect(run.informer.get('n/a')?.data).toEqual({ value: '1' });
    collection.put('b', '2');
    collection.remove('a');
    await run.clock.advance(0);
    expect(run.changes.map(({ change, initial }) => [change.type, initial])).toEqual([
      ['Added', true],
      ['Added', false],
      ['Deleted', false],
    ]);
    expect(run.informer.list().map(({ metadata }) => metadata.name)).toEqual(['b']);
    await run.end();
  });

  it('stops waiting for the first list when told to', async () => {
    const never = { async *watch() {}, list: () => new Promise(() => {}) } as unknown as KubeClient;
    const run = start(never);
    const stop = new AbortController();
    const waiting = run.informer.synced(stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    await expect(run.informer.synced(stop.signal)).rejects.toThrow('enough');
    await run.end();
  });

  it('shows what was missed by a list again: at once, as differences, by uid', async () => {
    const collection = createCollection();
    for (const name of ['kept', 'changed', 'gone', 'anew']) collection.put(name, '1');
    const scripted = createScriptedClient(collection);
    const seenWhole: number[] = [];
    const run = start(scripted.client);
    run.informer.onChange(() => seenWhole.push(run.informer.list().length));
    await run.clock.advance(0);
    run.changes.length = 0;
    seenWhole.length = 0;
    const oldUid = run.informer.get('n/anew')?.metadata.uid;
    scripted.fail(new KubeError('ERR_KUBE_NETWORK', 'reset'));
    await run.clock.advance(0);
    collection.put('changed', '2');
    collection.remove('gone');
    collection.remove('anew');
    collection.put('anew', '2');
    collection.put('new', '1');
    collection.compact();
    await run.clock.advance(10_000);
    expect(
      run.changes.map(({ change, initial }) => [change.type, change.object.metadata.name, initial]),
    ).toEqual([
      ['Deleted', 'gone', true],
      ['Updated', 'changed', true],
      ['Deleted', 'anew', true],
      ['Added', 'anew', true],
      ['Added', 'new', true],
    ]);
    // Every handler sees the whole of the new list, never a mixture.
    expect(new Set(seenWhole)).toEqual(new Set([4]));
    expect(run.changes[2]?.change.object.metadata.uid).toBe(oldUid);
    await run.end();
  });

  it('leaves out managedFields and the last applied configuration, and applies the transform', async () => {
    const collection = createCollection();
    collection.put('a', 'value');
    const plain = collection.current.get('n/a');
    if (plain === undefined) throw new Error('no object');
    collection.current.set('n/a', {
      ...plain,
      metadata: {
        ...plain.metadata,
        managedFields: [{ manager: 'm' }],
        annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', kept: 'yes' },
      },
    });
    const run = start(createScriptedClient(collection).client, {
      transform: ({ data: _data, ...slim }) => slim,
    });
    await run.clock.advance(0);
    const stored = run.informer.get('n/a');
    expect(stored).not.toHaveProperty('metadata.managedFields');
    expect(stored?.metadata.annotations).toEqual({ kept: 'yes' });
    expect(stored).not.toHaveProperty('data');
    await run.end();
  });

  it('lets no callback that throws do harm beyond its own object, and counts it', async () => {
    const collection = createCollection();
    collection.put('good', '1');
    collection.put('poison', '1');
    const lines: object[] = [];
    const run = start(createScriptedClient(collection).client, {
      log: { ...silentLogger, error: (fields) => void lines.push(fields) },
      transform(object) {
        if (object.metadata.name === 'poison') throw new TypeError('s3cret in a message');
        return object;
      },
      indexes: {
        value(object) {
          if (object.data?.['value'] === '2') throw new Error('s3cret in a message');
          return [object.data?.['value'] ?? ''];
        },
      },
    });
    run.informer.onChange(() => {
      throw new Error('s3cret in a message');
    });
    const after: string[] = [];
    run.informer.onChange(({ object }) => after.push(object.metadata.name));
    await run.clock.advance(0);
    collection.put('good', '2');
    collection.put('other', '1');
    collection.remove('poison');
    await run.clock.advance(0);
    expect(after).toEqual(['good', 'good', 'other']);
    expect(run.informer.byIndex('value', '1').map(({ metadata }) => metadata.name)).toEqual([
      'other',
    ]);
    expect(run.informer.get('n/good')?.data).toEqual({ value: '2' });
    const counted = await run.registry.getSingleMetric('informer_callback_errors_total')?.get();
    expect(counted?.values[0]?.value).toBe(lines.length);
    expect(lines[0]).toMatchObject({ key: 'n/poison', callback: 'transform' });
    expect(lines[0]).toHaveProperty('reason', expect.stringMatching(/^TypeError at /));
    expect(JSON.stringify(lines)).not.toContain('s3cret');
    await run.end();
  });

  it('lets go of what is deleted, even if its last state cannot be transformed', async () => {
    const collection = createCollection();
    collection.put('a', 'good');
    const run = start(createScriptedClient(collection).client, {
      transform(object) {
        if (object.data?.['value'] === 'bad') throw new Error('bad');
        return object;
      },
    });
    await run.clock.advance(0);
    collection.put('a', 'bad');
    await run.clock.advance(0);
    expect(run.informer.get('n/a')?.data).toEqual({ value: 'good' });
    collection.remove('a');
    await run.clock.advance(0);
    expect(run.informer.list()).toEqual([]);
    expect(run.changes.map(({ change }) => [change.type, change.object.data?.['value']])).toEqual([
      ['Added', 'good'],
      ['Deleted', 'good'],
    ]);
    await run.end();
  });

  it('knows how long nothing was heard', async () => {
    const collection = createCollection();
    const scripted = createScriptedClient(collection);
    const run = start(scripted.client);
    await run.clock.advance(0);
    await run.clock.advance(90_000);
    expect(run.informer.lastActivityAgeMs()).toBe(90_000);
    collection.put('a', '1');
    await run.clock.advance(0);
    expect(run.informer.lastActivityAgeMs()).toBe(0);
    // Where nothing happens, that the server takes a watch is word enough.
    await run.clock.advance(180_000);
    scripted.fail(new KubeError('ERR_KUBE_TIMEOUT', 'silent'));
    await run.clock.advance(800);
    expect(run.informer.lastActivityAgeMs()).toBe(0);
    await run.end();
  });

  it('equals the server after any changes and faults, and its changes tell the same story', async () => {
    const step = fc.oneof(
      {
        weight: 4,
        arbitrary: fc.record({
          do: fc.constant('put' as const),
          name: fc.constantFrom('a', 'b', 'c'),
        }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('remove' as const),
          name: fc.constantFrom('a', 'b', 'c'),
        }),
      },
      fc.record({ do: fc.constant('compact' as const) }),
      fc.record({ do: fc.constant('settle' as const) }),
      fc.record({
        do: fc.constant('fail' as const),
        code: fc.constantFrom(
          undefined,
          'ERR_KUBE_NETWORK' as const,
          'ERR_KUBE_GONE' as const,
          'ERR_KUBE_UNAVAILABLE' as const,
          'ERR_KUBE_TOO_MANY_REQUESTS' as const,
          'ERR_KUBE_INVALID' as const,
          'ERR_KUBE_PROTOCOL' as const,
        ),
      }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 25 }),
        fc.boolean(),
        async (steps, streamsLists) => {
          const collection = createCollection();
          const scripted = createScriptedClient(collection, streamsLists);
          const run = start(scripted.client, {
            indexes: { value: ({ data }) => Object.values(data ?? {}) },
          });
          for (const [count, s] of steps.entries()) {
            if (s.do === 'put') collection.put(s.name, String(count % 3));
            else if (s.do === 'remove') collection.remove(s.name);
            else if (s.do === 'compact') collection.compact();
            else if (s.do === 'settle') await run.clock.advance(500);
            else scripted.fail(s.code && new KubeError(s.code, 'x'));
          }
          await run.clock.advance(300_000);
          const told = new Map<string, ConfigMap>();
          for (const { change } of run.changes) {
            const key = `n/${change.object.metadata.name}`;
            const known = told.get(key);
            // An addition is of something unknown, the rest of something known under the same uid.
            expect(known?.metadata.uid).toBe(
              change.type === 'Added' ? undefined : change.object.metadata.uid,
            );
            if (change.type === 'Deleted') told.delete(key);
            else told.set(key, change.object);
          }
          expect(told).toEqual(collection.current);
          expect(new Set(run.informer.list())).toEqual(new Set(collection.current.values()));
          for (const value of ['0', '1', '2']) {
            expect(new Set(run.informer.byIndex('value', value))).toEqual(
              new Set([...collection.current.values()].filter((o) => o.data?.['value'] === value)),
            );
          }
          await run.end();
        },
      ),
      { numRuns: 60 },
    );
  });
});
