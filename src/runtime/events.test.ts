import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeClient, ObjectName } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { Event, KubeObject } from '#kube/objects.ts';
import { createEventRecorder } from './events.ts';
import type { EventInput } from './events.ts';
import { silentLogger } from './log.ts';
import { createFakeClock } from './testing/fake-clock.ts';

const T0 = Date.parse('2026-11-24T10:00:00Z');

function objectNamed(name: string, more: Partial<KubeObject['metadata']> = {}): KubeObject {
  const metadata = { namespace: 'trading', uid: `uid of ${name}`, ...more, name };
  return { apiVersion: 'example.org/v1', kind: 'Thing', metadata };
}

function input(more: Partial<EventInput> = {}): EventInput {
  return {
    object: objectNamed('maker'),
    type: 'Normal',
    reason: 'Delivered',
    action: 'Deliver',
    note: 'delivered',
    ...more,
  };
}

/** A recorder and the Events that its API server holds. */
function createScene() {
  const clock = createFakeClock(T0);
  const stored = new Map<string, Event>();
  const state: { fault: Error | undefined; latencyMs: number; calls: number } = {
    fault: undefined,
    latencyMs: 0,
    calls: 0,
  };
  async function arrive(): Promise<void> {
    state.calls += 1;
    const { fault } = state;
    if (state.latencyMs > 0) await clock.sleep(state.latencyMs);
    if (fault !== undefined) throw fault;
  }
  const client = {
    async create(_: unknown, event: Event) {
      await arrive();
      stored.set(event.metadata.name, event);
      return event;
    },
    async mergePatch(_: unknown, { name }: ObjectName, patch: Partial<Event>) {
      await arrive();
      const present = stored.get(name);
      if (present === undefined) throw new KubeError('ERR_KUBE_NOT_FOUND', 'gone');
      stored.set(name, { ...present, ...patch });
      return stored.get(name);
    },
  } as unknown as KubeClient;
  const recorder = createEventRecorder({
    client,
    controller: 'example.org/controller',
    instance: 'pod-1',
    clock,
    log: silentLogger,
  });
  return { clock, recorder, stored, state, events: () => [...stored.values()] };
}

describe('event recorder', () => {
  it('writes what the API asks for', async () => {
    const { recorder, events } = createScene();
    recorder.emit(input());
    await recorder.flush();
    expect(events()).toEqual([
      {
        apiVersion: 'events.k8s.io/v1',
        kind: 'Event',
        metadata: { name: expect.stringMatching(/^maker\.[0-9a-f]+$/), namespace: 'trading' },
        eventTime: '2026-11-24T10:00:00.000000Z',
        type: 'Normal',
        reason: 'Delivered',
        action: 'Deliver',
        note: 'delivered',
        regarding: {
          apiVersion: 'example.org/v1',
          kind: 'Thing',
          namespace: 'trading',
          name: 'maker',
          uid: 'uid of maker',
        },
        reportingController: 'example.org/controller',
        reportingInstance: 'pod-1',
      },
    ]);
  });

  it('puts Events of cluster-scoped objects into the namespace default', async () => {
    const { recorder, events } = createScene();
    const object = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'trading' } };
    recorder.emit(input({ object }));
    await recorder.flush();
    expect(events()[0]).toMatchObject({
      metadata: { namespace: 'default' },
      regarding: { apiVersion: 'v1', kind: 'Namespace', name: 'trading' },
    });
    expect(events()[0]?.regarding).not.toHaveProperty('namespace');
  });

  it('counts what repeats within six minutes in the series of the first', async () => {
    const { clock, recorder, events } = createScene();
    for (let n = 0; n < 5; n += 1) {
      recorder.emit(input());
      await recorder.flush();
      await clock.advance(60_000);
    }
    expect(events()).toHaveLength(1);
    expect(events()[0]?.series).toEqual({
      count: 5,
      lastObservedTime: '2026-11-24T10:04:00.000000Z',
    });
    await clock.advance(60_000);
    recorder.emit(input());
    await recorder.flush();
    expect(events().map(({ series }) => series?.count)).toEqual([5, undefined]);
  });

  it.each<[string, Partial<EventInput>]>([
    ['note', { note: 'other' }],
    ['reason', { reason: 'Other' }],
    ['action', { action: 'Other' }],
    ['type', { type: 'Warning' }],
    ['object', { object: objectNamed('other') }],
    ['uid', { object: objectNamed('maker', { uid: 'made anew' }) }],
  ])('does not take another %s for a repetition', async (_, more) => {
    const { recorder, events } = createScene();
    recorder.emit(input());
    recorder.emit(input(more));
    await recorder.flush();
    expect(events().map(({ series }) => series)).toEqual([undefined, undefined]);
  });

  it('makes one write of a burst of the same', async () => {
    const { recorder, events, state } = createScene();
    for (let n = 0; n < 1000; n += 1) recorder.emit(input());
    await recorder.flush();
    expect(state.calls).toBe(1);
    expect(events()[0]?.series?.count).toBe(1000);
  });

  it('writes 25 at once for one object, and then one in five minutes', async () => {
    const { clock, recorder, events } = createScene();
    for (let n = 0; n < 100; n += 1) recorder.emit(input({ note: `first ${n}` }));
    recorder.emit(input({ object: objectNamed('other') }));
    await recorder.flush();
    expect(events()).toHaveLength(26);
    await clock.advance(15 * 60_000);
    for (let n = 0; n < 100; n += 1) recorder.emit(input({ note: `second ${n}` }));
    await recorder.flush();
    expect(events()).toHaveLength(29);
  });

  it('holds at most 1000 unwritten Events, and takes more when they are written', async () => {
    const { clock, recorder, events, state } = createScene();
    state.latencyMs = 10;
    for (let n = 0; n < 3000; n += 1) recorder.emit(input({ object: objectNamed(`o-${n}`) }));
    await clock.advance(20_000);
    expect(events()).toHaveLength(1000);
    recorder.emit(input({ object: objectNamed('later') }));
    await clock.advance(20);
    expect(events()).toHaveLength(1001);
  });

  it('begins anew when the Event of a series is gone', async () => {
    const { recorder, events, stored } = createScene();
    recorder.emit(input());
    await recorder.flush();
    stored.clear();
    recorder.emit(input());
    await recorder.flush();
    expect(events().map(({ series }) => series?.count)).toEqual([2]);
  });

  it('goes on after a write that failed, and counts what was not written', async () => {
    const { recorder, events, state } = createScene();
    state.fault = new KubeError('ERR_KUBE_UNAVAILABLE', 'away');
    recorder.emit(input());
    await recorder.flush();
    expect(events()).toEqual([]);
    state.fault = undefined;
    recorder.emit(input());
    recorder.emit(input({ reason: 'Other' }));
    await recorder.flush();
    expect(events().map(({ reason, series }) => [reason, series?.count])).toEqual([
      ['Delivered', 2],
      ['Other', undefined],
    ]);
  });

  it('stops waiting when it is told to', async () => {
    const { clock, recorder, state } = createScene();
    state.latencyMs = 1e9;
    recorder.emit(input());
    await clock.advance(0);
    await recorder.flush(AbortSignal.abort());
    const stop = new AbortController();
    const flushed = recorder.flush(stop.signal);
    stop.abort();
    await flushed;
    expect(state.calls).toBe(1);
  });

  it('keeps every text within the limits of the API, whole characters only', async () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 3000 });
    const name = fc.stringMatching(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/);
    await fc.assert(
      fc.asyncProperty(text, name, async (note, name) => {
        const { recorder, events } = createScene();
        recorder.emit(input({ note, object: objectNamed(name) }));
        await recorder.flush();
        const [event] = events();
        const written = event?.note ?? '';
        expect(Buffer.byteLength(written)).toBeLessThanOrEqual(1024);
        expect(written === note || note.startsWith(written.slice(0, -1))).toBe(true);
        expect(event?.metadata.name.length).toBeLessThanOrEqual(253);
        expect(event?.metadata.name).toMatch(/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?\.[0-9a-f]+$/);
      }),
      { numRuns: 200 },
    );
  });
});
