/** Finalizers, status and Events as a real API server takes them. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Event, KubeObject } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { CONFIG_MAPS, EVENTS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createEventRecorder } from '../../src/runtime/events.ts';
import type { EventRecorder } from '../../src/runtime/events.ts';
import { addFinalizer, hasFinalizer, removeFinalizer } from '../../src/runtime/finalizers.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { writeStatus } from '../../src/runtime/status.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';

interface Thing extends KubeObject {
  readonly spec?: { readonly size?: number };
  readonly status?: {
    readonly size?: number;
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

/** A group of its own, so that runs side by side in one cluster do not meet. */
const group = `runtime-${randomBytes(4).toString('hex')}.test`;
const THINGS: Resource<Thing> = {
  group,
  version: 'v1',
  kind: 'Thing',
  plural: 'things',
  namespaced: true,
};
const CRDS: Resource = {
  group: 'apiextensions.k8s.io',
  version: 'v1',
  kind: 'CustomResourceDefinition',
  plural: 'customresourcedefinitions',
  namespaced: false,
};
const MANAGER = 'runtime-test';
const FINALIZER = `${group}/finalizer`;

const { signal } = new AbortController();
let client: KubeClient;
let namespace: TestNamespace;

beforeAll(async () => {
  client = await connect();
  namespace = await createNamespace(client, 'runtime');
  const integer = { type: 'integer' };
  const status = {
    type: 'object',
    properties: {
      size: integer,
      conditions: {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['type'],
        items: {
          type: 'object',
          required: ['type', 'status'],
          properties: { type: { type: 'string' }, status: { type: 'string' } },
        },
      },
    },
  };
  const crd = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `things.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { kind: 'Thing', plural: 'things' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: {
            openAPIV3Schema: {
              type: 'object',
              properties: { spec: { type: 'object', properties: { size: integer } }, status },
            },
          },
        },
      ],
    },
  };
  await client.create(CRDS, crd);
  await eventually(() => client.list(THINGS, { namespace: namespace.name }), {
    what: 'the kind to be served',
  });
});

afterAll(async () => {
  await client.delete(CRDS, { name: `things.${group}` });
  await namespace[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

function createThing(name: string): Promise<Thing> {
  return client.create(THINGS, {
    apiVersion: `${group}/v1`,
    kind: 'Thing',
    metadata: { namespace: namespace.name, name },
    spec: { size: 1 },
  });
}

const at = (name: string) => ({ namespace: namespace.name, name });

describe('finalizers', () => {
  it('are added once, keep the object, and let it go when removed', async () => {
    const created = await createThing('finalized');
    const added = await addFinalizer(client, THINGS, created, FINALIZER, signal);
    expect(added.metadata.finalizers).toEqual([FINALIZER]);
    const again = await addFinalizer(client, THINGS, added, FINALIZER, signal);
    expect(again).toBe(added);

    await client.delete(THINGS, at('finalized'));
    const deleted = await client.get(THINGS, at('finalized'));
    expect(deleted.metadata.deletionTimestamp).toBeDefined();
    await removeFinalizer(client, THINGS, deleted, FINALIZER, signal);
    expect(await client.find(THINGS, at('finalized'))).toBeUndefined();
  });

  it('leave those of others alone', async () => {
    const created = await createThing('shared');
    const other = await addFinalizer(client, THINGS, created, `${group}/other`, signal);
    const both = await addFinalizer(client, THINGS, other, FINALIZER, signal);
    expect(both.metadata.finalizers).toEqual([`${group}/other`, FINALIZER]);
    const left = await removeFinalizer(client, THINGS, both, FINALIZER, signal);
    expect(left.metadata.finalizers).toEqual([`${group}/other`]);
    const untouched = await removeFinalizer(client, THINGS, left, FINALIZER, signal);
    expect(untouched).toBe(left);
    await removeFinalizer(client, THINGS, left, `${group}/other`, signal);
  });

  it('are not written over a change that was not seen: ERR_KUBE_CONFLICT', async () => {
    const seen = await createThing('changed');
    const other = await addFinalizer(client, THINGS, seen, `${group}/other`, signal);
    await expect(addFinalizer(client, THINGS, seen, FINALIZER, signal)).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFLICT',
      retryable: true,
    });
    const both = await addFinalizer(client, THINGS, other, FINALIZER, signal);
    await expect(removeFinalizer(client, THINGS, both, 'x', signal)).resolves.toBe(both);
    const labelled = await client.mergePatch(THINGS, at('changed'), {
      metadata: { labels: { changed: 'yes' } },
    });
    await expect(removeFinalizer(client, THINGS, both, FINALIZER, signal)).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFLICT',
    });
    const present = await client.get(THINGS, at('changed'));
    expect(present.metadata.finalizers).toEqual([`${group}/other`, FINALIZER]);
    await client.mergePatch(THINGS, at('changed'), { metadata: { finalizers: null } });
    expect(hasFinalizer(labelled, FINALIZER)).toBe(true);
  });

  it('that are not well formed stay ERR_KUBE_INVALID', async () => {
    const created = await createThing('malformed');
    await expect(
      addFinalizer(client, THINGS, created, 'no/good/name', signal),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_INVALID' });
  });

  it('of an object that is gone are ERR_KUBE_NOT_FOUND', async () => {
    const created = await createThing('gone');
    const added = await addFinalizer(client, THINGS, created, FINALIZER, signal);
    await client.mergePatch(THINGS, at('gone'), { metadata: { finalizers: null } });
    await client.delete(THINGS, at('gone'));
    await expect(removeFinalizer(client, THINGS, added, FINALIZER, signal)).rejects.toMatchObject({
      code: 'ERR_KUBE_NOT_FOUND',
    });
  });
});

describe('writeStatus', () => {
  const write = (object: Thing, status: NonNullable<Thing['status']>): Promise<boolean> =>
    writeStatus(client, THINGS, object, status, MANAGER, signal);

  it('writes the status alone, and only when it differs', async () => {
    const created = await createThing('status');
    const ready = { type: 'Ready', status: 'True' };
    expect(await write(created, { size: 1, conditions: [ready] })).toBe(true);
    const written = await client.get(THINGS, at('status'));
    expect(written).toMatchObject({ spec: { size: 1 }, status: { size: 1, conditions: [ready] } });
    expect(written.metadata.generation).toBe(1);

    expect(await write(written, { conditions: [ready], size: 1 })).toBe(false);
    const { metadata } = await client.get(THINGS, at('status'));
    expect(metadata.resourceVersion).toBe(written.metadata.resourceVersion);
    expect(metadata.managedFields).toContainEqual(
      expect.objectContaining({ manager: MANAGER, operation: 'Apply', subresource: 'status' }),
    );
  });

  it('takes out what it leaves out, but not what others wrote', async () => {
    const created = await createThing('partial');
    const ready = { type: 'Ready', status: 'True' };
    const foreign = { type: 'Foreign', status: 'True' };
    await write(created, { size: 1, conditions: [ready] });
    await client.apply<Thing>(
      THINGS,
      {
        apiVersion: `${group}/v1`,
        kind: 'Thing',
        metadata: at('partial'),
        status: { conditions: [foreign] },
      },
      { fieldManager: 'other', subresource: 'status' },
    );
    const present = await client.get(THINGS, at('partial'));
    await write(present, { conditions: [ready] });
    const { status } = await client.get(THINGS, at('partial'));
    expect(status).toEqual({ conditions: expect.arrayContaining([ready, foreign]) });
  });

  it('does not mind what others changed meanwhile', async () => {
    const created = await createThing('busy');
    await client.mergePatch(THINGS, at('busy'), { metadata: { labels: { changed: 'yes' } } });
    expect(await write(created, { size: 1 })).toBe(true);
    expect(await write(created, { size: 2 })).toBe(true);
    const { metadata, status } = await client.get(THINGS, at('busy'));
    expect([metadata.labels, status]).toEqual([{ changed: 'yes' }, { size: 2 }]);
  });

  it('refuses an object that was deleted, or made anew under the same name', async () => {
    const created = await createThing('anew');
    await client.delete(THINGS, at('anew'));
    await expect(write(created, { size: 1 })).rejects.toMatchObject({ code: 'ERR_KUBE_NOT_FOUND' });
    await createThing('anew');
    await expect(write(created, { size: 1 })).rejects.toMatchObject({ code: 'ERR_KUBE_CONFLICT' });
    expect((await client.get(THINGS, at('anew'))).status).toBeUndefined();
  });
});

describe('events', () => {
  function createRecorder(): EventRecorder {
    return createEventRecorder({
      client,
      controller: 'example.org/controller',
      instance: 'pod-1',
      clock: systemClock,
      log: silentLogger,
    });
  }

  async function eventsOf(name: string, namespaceName = namespace.name): Promise<readonly Event[]> {
    const { items } = await client.list(EVENTS, { namespace: namespaceName });
    return items.filter(({ regarding }) => regarding?.name === name);
  }

  it('are taken by the API server, and counted in a series', async () => {
    const object = await createThing('eventful');
    const recorder = createRecorder();
    const emit = (note: string): void =>
      recorder.emit({ object, type: 'Warning', reason: 'Refused', action: 'Deliver', note });
    emit('once');
    await recorder.flush();
    for (let n = 0; n < 5; n += 1) emit('once');
    await recorder.flush();
    emit('once');
    emit('€'.repeat(2000));
    await recorder.flush();
    const events = await eventsOf('eventful');
    expect(events).toHaveLength(2);
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'Warning',
        reason: 'Refused',
        action: 'Deliver',
        note: 'once',
        reportingController: 'example.org/controller',
        reportingInstance: 'pod-1',
        series: expect.objectContaining({ count: 7 }),
        regarding: expect.objectContaining({ kind: 'Thing', uid: object.metadata.uid }),
      }),
    );
    expect(events).toContainEqual(expect.objectContaining({ note: `${'€'.repeat(340)}…` }));
  });

  it('of a burst are one, already with its count', async () => {
    const object = await createThing('bursting');
    const recorder = createRecorder();
    for (let n = 0; n < 50; n += 1) {
      recorder.emit({ object, type: 'Normal', reason: 'Seen', action: 'Look', note: 'again' });
    }
    await recorder.flush();
    expect(await eventsOf('bursting')).toMatchObject([{ series: { count: 50 } }]);
  });

  it('of names as long as the API allows, and of objects without a namespace, are taken', async () => {
    const recorder = createRecorder();
    const long = `${'a'.repeat(240)}.${'b'.repeat(12)}`;
    const object = await client.create(CONFIG_MAPS, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: at(long),
    });
    const space: KubeObject = {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace.name, uid: namespace.uid },
    };
    for (const each of [object, space]) {
      recorder.emit({ object: each, type: 'Normal', reason: 'Seen', action: 'Look', note: 'x' });
    }
    await recorder.flush();
    expect(await eventsOf(long)).toHaveLength(1);
    const [ofNamespace, ...more] = await eventsOf(namespace.name, 'default');
    expect(more).toEqual([]);
    await client.delete(EVENTS, {
      namespace: 'default',
      name: ofNamespace?.metadata.name ?? 'missing',
    });
  });
});
