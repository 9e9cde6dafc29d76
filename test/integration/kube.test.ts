/** The client against a real API server: every verb, and what the wire tests can only claim. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { inspect } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { KubeClient, WatchEvent } from '../../src/kube/client.ts';
import { inClusterConfig, loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import { isKubeError } from '../../src/kube/errors.ts';
import type { ConfigMap, KubeObject, Secret, SelfSubjectReview } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import {
  CONFIG_MAPS,
  LEASES,
  NAMESPACES,
  SECRETS,
  SELF_SUBJECT_REVIEWS,
} from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';

let client: KubeClient;
let space: TestNamespace;

beforeAll(async () => {
  client = await connect();
  space = await createNamespace(client, 'kube');
});
afterAll(async () => {
  await space[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: space.name, labels: { suite: 'kube' } },
    data,
  };
}

const at = (name: string) => ({ namespace: space.name, name });

describe('an object', () => {
  it('is created, read, replaced, patched in both ways and deleted', async () => {
    const created = await client.create(CONFIG_MAPS, configMap('life', { a: '1' }));
    expect(created).toMatchObject({ kind: 'ConfigMap', data: { a: '1' } });
    expect(await client.get(CONFIG_MAPS, at('life'))).toEqual(created);

    const replaced = await client.replace(CONFIG_MAPS, { ...created, data: { a: '2' } });
    expect(replaced.data).toEqual({ a: '2' });

    const merged = await client.mergePatch(CONFIG_MAPS, at('life'), { data: { a: null, b: '3' } });
    expect(merged.data).toEqual({ b: '3' });

    const patched = await client.jsonPatch(CONFIG_MAPS, at('life'), [
      { op: 'test', path: '/metadata/resourceVersion', value: merged.metadata.resourceVersion },
      { op: 'add', path: '/data/c', value: '4' },
    ]);
    expect(patched.data).toEqual({ b: '3', c: '4' });

    await client.delete(CONFIG_MAPS, at('life'));
    expect(await client.find(CONFIG_MAPS, at('life'))).toBeUndefined();
    await expect(client.get(CONFIG_MAPS, at('life'))).rejects.toMatchObject({
      code: 'ERR_KUBE_NOT_FOUND',
      reason: 'NotFound',
    });
    await expect(client.delete(CONFIG_MAPS, at('life'))).rejects.toMatchObject({
      code: 'ERR_KUBE_NOT_FOUND',
    });
  });

  it('that exists is not created again', async () => {
    await client.create(CONFIG_MAPS, configMap('twice'));
    await expect(client.create(CONFIG_MAPS, configMap('twice'))).rejects.toMatchObject({
      code: 'ERR_KUBE_ALREADY_EXISTS',
    });
  });

  it('that changed meanwhile is not replaced', async () => {
    const old = await client.create(CONFIG_MAPS, configMap('stale'));
    await client.mergePatch(CONFIG_MAPS, at('stale'), { data: { a: '1' } });
    await expect(client.replace(CONFIG_MAPS, old)).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFLICT',
      retryable: true,
    });
  });

  it('does not take a JSON patch whose test fails', async () => {
    await client.create(CONFIG_MAPS, configMap('tested'));
    await expect(
      client.jsonPatch(CONFIG_MAPS, at('tested'), [
        { op: 'test', path: '/metadata/resourceVersion', value: '1' },
        { op: 'add', path: '/data', value: { a: '1' } },
      ]),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_INVALID', status: 422 });
  });

  it('is not changed by a dry run', async () => {
    const planned = await client.create(CONFIG_MAPS, configMap('dry'), { dryRun: true });
    expect(planned.metadata.uid).toBeDefined();
    expect(await client.find(CONFIG_MAPS, at('dry'))).toBeUndefined();
    await client.create(CONFIG_MAPS, configMap('dry', { a: '1' }));
    await client.mergePatch(CONFIG_MAPS, at('dry'), { data: { a: '2' } }, { dryRun: true });
    expect((await client.get(CONFIG_MAPS, at('dry'))).data).toEqual({ a: '1' });
  });

  it('of a bad name or shape is refused with the fields at fault', async () => {
    await expect(client.create(CONFIG_MAPS, configMap('Not A Name'))).rejects.toMatchObject({
      code: 'ERR_KUBE_INVALID',
      causes: [{ field: 'metadata.name' }],
    });
  });

  it('is deleted only if it is still the same one', async () => {
    const first = await client.create(CONFIG_MAPS, configMap('same'));
    await client.delete(CONFIG_MAPS, at('same'));
    const second = await client.create(CONFIG_MAPS, configMap('same'));
    const { uid = '', resourceVersion = '' } = second.metadata;
    await expect(
      client.delete(CONFIG_MAPS, at('same'), { uid: first.metadata.uid ?? '' }),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_CONFLICT' });
    await client.mergePatch(CONFIG_MAPS, at('same'), { data: { a: '1' } });
    await expect(
      client.delete(CONFIG_MAPS, at('same'), { uid, resourceVersion }),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_CONFLICT' });
    await client.delete(CONFIG_MAPS, at('same'), { uid });
    expect(await client.find(CONFIG_MAPS, at('same'))).toBeUndefined();
  });
});

describe('server-side apply', () => {
  const applied = (name: string, data: Record<string, string>) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: at(name),
    data,
  });

  it('creates, owns its fields, and takes away what it no longer names', async () => {
    const fieldManager = 'one';
    await client.apply(CONFIG_MAPS, applied('owned', { a: '1', b: '1' }), { fieldManager });
    await client.apply(CONFIG_MAPS, applied('owned', { c: '1' }), { fieldManager: 'two' });
    const last = await client.apply(CONFIG_MAPS, applied('owned', { a: '2' }), { fieldManager });
    expect(last.data).toEqual({ a: '2', c: '1' });
  });

  it('is refused a field of another manager, who is named, unless forced', async () => {
    await client.apply(CONFIG_MAPS, applied('fought', { a: '1' }), { fieldManager: 'one' });
    const other = applied('fought', { a: '2' });
    await expect(client.apply(CONFIG_MAPS, other, { fieldManager: 'two' })).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFLICT',
      causes: [
        {
          reason: 'FieldManagerConflict',
          field: '.data.a',
          message: expect.stringContaining('"one"') as string,
        },
      ],
    });
    const won = await client.apply(CONFIG_MAPS, other, { fieldManager: 'two', force: true });
    expect(won.data).toEqual({ a: '2' });
  });

  it('with a uid never makes a new object', async () => {
    const gone = await client.create(CONFIG_MAPS, configMap('gone'));
    await client.delete(CONFIG_MAPS, at('gone'));
    const { uid = '' } = gone.metadata;
    await expect(
      client.apply(
        CONFIG_MAPS,
        { apiVersion: 'v1', kind: 'ConfigMap', metadata: { ...at('gone'), uid } },
        { fieldManager: 'one' },
      ),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_CONFLICT' });
    expect(await client.find(CONFIG_MAPS, at('gone'))).toBeUndefined();
  });
});

describe('subresources', () => {
  interface Budget extends KubeObject {
    readonly spec?: { readonly minAvailable: number };
    readonly status?: { readonly observedGeneration?: number };
  }
  const BUDGETS: Resource<Budget> = {
    group: 'policy',
    version: 'v1',
    kind: 'PodDisruptionBudget',
    plural: 'poddisruptionbudgets',
    namespaced: true,
  };

  it('status is written apart from the rest, by replace, merge patch and apply', async () => {
    const budget = {
      apiVersion: 'policy/v1',
      kind: 'PodDisruptionBudget',
      metadata: at('budget'),
      spec: { minAvailable: 1, selector: { matchLabels: { none: 'such' } } },
    };
    await client.create(BUDGETS, budget);
    const patched = await client.mergePatch(
      BUDGETS,
      at('budget'),
      { spec: { minAvailable: 5 }, status: { observedGeneration: 41 } },
      { subresource: 'status' },
    );
    expect(patched).toMatchObject({
      spec: { minAvailable: 1 },
      status: { observedGeneration: 41 },
    });
    const applied = await client.apply(
      BUDGETS,
      {
        apiVersion: 'policy/v1',
        kind: 'PodDisruptionBudget',
        metadata: at('budget'),
        status: { observedGeneration: 42 },
      },
      { fieldManager: 'one', force: true, subresource: 'status' },
    );
    expect(applied).toMatchObject({
      spec: { minAvailable: 1 },
      status: { observedGeneration: 42 },
    });
  });

  it('token makes a token for a ServiceAccount', async () => {
    expect((await serviceAccountToken()).split('.')).toHaveLength(3);
  });
});

interface TokenRequest extends KubeObject {
  readonly spec: { readonly audiences: readonly string[]; readonly expirationSeconds: number };
  readonly status?: { readonly token: string };
}

async function serviceAccountToken(): Promise<string> {
  const accounts: Resource<TokenRequest> = {
    group: '',
    version: 'v1',
    kind: 'ServiceAccount',
    plural: 'serviceaccounts',
    namespaced: true,
  };
  const request = {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: at('default'),
    spec: { audiences: [], expirationSeconds: 600 },
  };
  return eventually(
    async () => (await client.create(accounts, request, { subresource: 'token' })).status?.token,
    { what: 'the default ServiceAccount' },
  );
}

it('logs in as a pod does, and takes a new token once the old one is refused', async () => {
  const outside = await loadClusterConfig({ kubeconfig: inject('kubeconfig') });
  const directory = await mkdtemp(path.join(tmpdir(), 'strongroom-account-'));
  try {
    await writeFile(path.join(directory, 'namespace'), space.name);
    await writeFile(path.join(directory, 'ca.crt'), (await outside.readCa()) ?? '');
    await writeFile(path.join(directory, 'token'), 'canary.that.ended');
    const { hostname, port } = new URL(outside.server);
    const config = await inClusterConfig(hostname, port || '443', directory);
    await using pod = createKubeClient(config);
    const review: SelfSubjectReview = {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'SelfSubjectReview',
      metadata: { name: '' },
    };
    const error = await pod.create(SELF_SUBJECT_REVIEWS, review).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_KUBE_UNAUTHORIZED', status: 401 });
    expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('canary');

    await writeFile(path.join(directory, 'token'), await serviceAccountToken());
    const { status } = await pod.create(SELF_SUBJECT_REVIEWS, review);
    expect(status?.userInfo?.username).toBe(`system:serviceaccount:${space.name}:default`);
    await expect(pod.get(SECRETS, at('any'))).rejects.toMatchObject({ code: 'ERR_KUBE_FORBIDDEN' });
  } finally {
    await rm(directory, { recursive: true });
  }
});

it('asks the server who it is', async () => {
  const review = await client.create(SELF_SUBJECT_REVIEWS, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'SelfSubjectReview',
    metadata: { name: '' },
  });
  expect(review.status?.userInfo?.username).toEqual(expect.any(String));
});

it('finds nothing, rather than no object, where a kind is not served', async () => {
  for (const group of ['', 'none.test']) {
    const resource = { group, version: 'v1', kind: 'Thing', plural: 'things', namespaced: true };
    await expect(client.get(resource, at('x'))).rejects.toMatchObject({
      code: 'ERR_KUBE_NOT_FOUND',
    });
  }
});

describe('errors about Secrets', () => {
  it('quote no value', async () => {
    const canary = 'canary value that is no base64';
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: at('bad'),
      data: { key: canary },
    };
    const attempts = [
      () => client.create(SECRETS, secret),
      () => client.apply(SECRETS, secret, { fieldManager: 'one' }),
      () =>
        client.create(SECRETS, {
          ...secret,
          type: 'kubernetes.io/dockerconfigjson',
          data: { '.dockerconfigjson': Buffer.from(canary).toString('base64') },
        }),
    ];
    for (const attempt of attempts) {
      const error = await attempt().catch((thrown: unknown) => thrown);
      // Where it cannot merge what was applied the server answers 500.
      expect(isKubeError(error)).toBe(true);
      expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(canary);
      expect(inspect(error, { depth: 10, showHidden: true })).not.toContain(canary);
    }
  });
});

describe('lists', () => {
  it('come in pages, all of one state', async () => {
    const scope = { namespace: space.name };
    const names = Array.from(
      { length: 25 },
      (_, index) => `page-${String(index).padStart(2, '0')}`,
    );
    for (const name of names) {
      await client.create(CONFIG_MAPS, {
        ...configMap(name),
        metadata: { ...at(name), labels: { paged: 'yes' } },
      });
    }
    const first = await client.listPage(CONFIG_MAPS, scope, { labelSelector: 'paged', limit: 10 });
    expect(first.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(0, 10));
    expect(first.items[0]).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' });
    // Not in the state of the first page.
    await client.delete(CONFIG_MAPS, at('page-24'));
    const second = await client.listPage(CONFIG_MAPS, scope, {
      labelSelector: 'paged',
      limit: 100,
      continue: first.metadata.continue ?? '',
    });
    expect(second.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(10));
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion);

    const all = await client.list(CONFIG_MAPS, scope, { labelSelector: 'paged', limit: 7 });
    expect(all.items.map(({ metadata }) => metadata.name)).toEqual(names.slice(0, 24));
    const one = await client.list(CONFIG_MAPS, scope, { fieldSelector: 'metadata.name=page-03' });
    expect(one.items.map(({ metadata }) => metadata.name)).toEqual(['page-03']);
  });

  it('of all namespaces, and of kinds without one', async () => {
    const leases = await client.list(LEASES, { allNamespaces: true });
    expect(leases.metadata.resourceVersion).toMatch(/^\d+$/);
    const spaces = await client.list(NAMESPACES, { allNamespaces: true });
    expect(spaces.items.map(({ metadata }) => metadata.name)).toContain(space.name);
  });
});

describe('watches', () => {
  async function collect<T extends KubeObject>(
    watch: AsyncIterable<WatchEvent<T>>,
    enough: (events: readonly WatchEvent<T>[]) => boolean,
  ): Promise<readonly WatchEvent<T>[]> {
    const events: WatchEvent<T>[] = [];
    for await (const event of watch) {
      events.push(event);
      if (enough(events)) break;
    }
    return events;
  }

  const changes = (events: readonly WatchEvent<ConfigMap>[]) =>
    events.flatMap((event) =>
      'object' in event ? [[event.type, event.object.metadata.name, event.object.data]] : [],
    );

  it('go on from a list', async () => {
    const scope = { namespace: space.name };
    const selector = { labelSelector: 'watched=yes' };
    const { metadata } = await client.list(CONFIG_MAPS, scope, selector);
    const watching = collect(
      client.watch(CONFIG_MAPS, scope, {
        ...selector,
        resourceVersion: metadata.resourceVersion,
        timeoutSeconds: 60,
        idleTimeoutMs: 30_000,
      }),
      (events) => changes(events).length === 3,
    );
    const labelled = { ...at('watched'), labels: { watched: 'yes' } };
    await client.create(CONFIG_MAPS, { ...configMap('watched'), metadata: labelled });
    await client.create(CONFIG_MAPS, configMap('not-watched'));
    await client.mergePatch(CONFIG_MAPS, at('watched'), { data: { text: '東京 🏦' } });
    await client.delete(CONFIG_MAPS, at('watched'));
    expect(changes(await watching)).toEqual([
      ['ADDED', 'watched', undefined],
      ['MODIFIED', 'watched', { text: '東京 🏦' }],
      ['DELETED', 'watched', { text: '東京 🏦' }],
    ]);
  });

  it('can begin with all objects, and say when that is done', async () => {
    await using own = await createNamespace(client, 'kube-watchlist');
    for (const name of ['a', 'b', 'c']) {
      await client.create(LEASES, {
        apiVersion: 'coordination.k8s.io/v1',
        kind: 'Lease',
        metadata: { namespace: own.name, name },
      });
    }
    const events = await collect(
      client.watch(
        LEASES,
        { namespace: own.name },
        { sendInitialEvents: true, timeoutSeconds: 60, idleTimeoutMs: 30_000 },
      ),
      (all) => all.at(-1)?.type === 'BOOKMARK',
    );
    expect(events.map((event) => ('object' in event ? event.object.metadata.name : event))).toEqual(
      [
        'a',
        'b',
        'c',
        {
          type: 'BOOKMARK',
          initialEventsEnd: true,
          resourceVersion: expect.stringMatching(/^\d+$/) as string,
        },
      ],
    );
  });

  it('end when the server’s time is over', async () => {
    const startedMs = performance.now();
    const events = await collect(
      client.watch(
        LEASES,
        { namespace: space.name },
        { timeoutSeconds: 1, idleTimeoutMs: 30_000, resourceVersion: '0' },
      ),
      () => false,
    );
    expect(events.filter(({ type }) => type !== 'BOOKMARK')).toEqual([]);
    expect(performance.now() - startedMs).toBeGreaterThan(900);
  });

  it('end when they are aborted, while other calls go on', async () => {
    const controller = new AbortController();
    const watching = collect(
      client.watch(
        LEASES,
        { namespace: space.name },
        { timeoutSeconds: 60, idleTimeoutMs: 30_000, signal: controller.signal },
      ),
      () => false,
    );
    const ended = watching.catch((error: unknown) => error);
    await client.list(LEASES, { namespace: space.name });
    await delay(50);
    controller.abort();
    expect(isKubeError(await ended, 'ERR_KUBE_ABORTED')).toBe(true);
    await client.list(LEASES, { namespace: space.name });
  });
});

it('tells a namespace on its way out from one that forbids', async () => {
  const own = await createNamespace(client, 'kube-ending');
  const name = 'holds-it';
  await client.create(CONFIG_MAPS, {
    ...configMap(name),
    metadata: { name, namespace: own.name, finalizers: ['kube.test/holds-it'] },
  });
  await own[Symbol.asyncDispose]();
  await expect(
    client.create(CONFIG_MAPS, {
      ...configMap('late'),
      metadata: { name: 'late', namespace: own.name },
    }),
  ).rejects.toMatchObject({ code: 'ERR_KUBE_NAMESPACE_TERMINATING', status: 403 });
  await client.mergePatch(
    CONFIG_MAPS,
    { namespace: own.name, name },
    { metadata: { finalizers: null } },
  );
});
