import { Registry } from 'prom-client';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import type { ClusterConfig } from '../../src/kube/config.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import type { ConfigMap } from '../../src/kube/objects.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { createInformer } from '../../src/runtime/informer.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { createRuntimeMetrics } from '../../src/runtime/metrics.ts';
import { externalCluster, startControlPlane } from '../cluster/index.ts';
import type { ControlPlane } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { startFaultProxy } from '../faults/proxy.ts';
import type { FaultProxy } from '../faults/proxy.ts';
import { connect, createNamespace } from './cluster.ts';

/** A silent connection is given up after this; three minutes outside of tests. */
const IDLE_TIMEOUT_MS = 1500;
/** Two, three and four bytes a character. */
const WIDE = 'Zürich → 東京 🔑';

/** Follows a namespace's ConfigMaps through a proxy, and remembers what it was told. */
async function follow(upstream: ClusterConfig, namespace: string) {
  const resources = new AsyncDisposableStack();
  const proxy = resources.use(await startFaultProxy(upstream));
  const client = resources.use(createKubeClient(proxy.config));
  const registry = new Registry();
  const informer = createInformer<ConfigMap>({
    client: {
      ...client,
      watch: (resource, scope, options) =>
        client.watch(resource, scope, { ...options, idleTimeoutMs: IDLE_TIMEOUT_MS }),
    },
    resource: CONFIG_MAPS,
    scope: { namespace },
    indexes: { value: ({ data }) => Object.values(data ?? {}) },
    clock: systemClock,
    // The shortest waits: jitter is no matter here.
    random: () => 0,
    log: silentLogger,
    metrics: createRuntimeMetrics(registry),
  });
  const told = new Map<string, string>();
  informer.onChange(({ type, object: { metadata } }) => {
    if (type === 'Deleted') told.delete(metadata.name);
    else told.set(metadata.name, versionOf({ metadata }));
  });
  const stop = new AbortController();
  const running = informer.run(stop.signal);
  resources.defer(async () => {
    stop.abort(new Error('test ends'));
    await running;
  });
  await informer.synced(AbortSignal.timeout(20_000));
  return {
    proxy,
    namespace,
    informer,
    /** Waits until the cache, the index and what handlers were told equal what the server has. */
    async equals(client: KubeClient): Promise<void> {
      await eventually(
        async () => {
          const { items } = await client.list(CONFIG_MAPS, { namespace });
          const server = new Map(items.map((o) => [o.metadata.name, versionOf(o)]));
          const cache = new Map(informer.list().map((o) => [o.metadata.name, versionOf(o)]));
          expect(cache).toEqual(server);
          expect(told).toEqual(server);
          for (const { metadata, data } of items) {
            for (const value of Object.values(data ?? {})) {
              expect(informer.byIndex('value', value).map((o) => o.metadata.name)).toContain(
                metadata.name,
              );
            }
          }
          return true;
        },
        { what: 'the cache to equal the server', timeoutMs: 60_000 },
      );
    },
    /** How often watches ended so far, by reason. */
    async ends(): Promise<Record<string, number>> {
      const metric = await registry.getSingleMetric('watch_ends_total')?.get();
      return Object.fromEntries(
        metric?.values.map(({ labels, value }) => [labels['reason'], value]) ?? [],
      );
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

type Following = Awaited<ReturnType<typeof follow>>;

function versionOf({ metadata }: Pick<ConfigMap, 'metadata'>): string {
  return `${metadata.uid}@${metadata.resourceVersion}`;
}

/** Everything that can happen to an object, to several at once. */
async function change(client: KubeClient, namespace: string, round: number): Promise<void> {
  const put = (name: string, value: string): Promise<ConfigMap> =>
    client.apply(
      CONFIG_MAPS,
      { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace, name }, data: { value } },
      { fieldManager: 'test' },
    );
  await put('updated', `${WIDE} ${round}`);
  await put(`created-${round}`, WIDE);
  await put('made-anew', `old ${round}`);
  await client.delete(CONFIG_MAPS, { namespace, name: 'made-anew' });
  await put('made-anew', `new ${round}`);
  await put('deleted', `${round}`);
  await client.delete(CONFIG_MAPS, { namespace, name: 'deleted' });
}

describe('an informer behind a bad network', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let upstream: ClusterConfig;
  beforeAll(async () => {
    upstream = await loadClusterConfig({ kubeconfig: inject('kubeconfig') });
    client = cleanup.use(await connect());
  });
  afterAll(() => cleanup.disposeAsync());

  it.each<{
    readonly fault: string;
    readonly inflict: (proxy: FaultProxy) => void;
    /** The ends of watches that prove that the fault was met. */
    readonly ends: readonly string[];
  }>([
    {
      fault: 'a watch that the server ends',
      inflict: (proxy) => proxy.endWatches(),
      ends: ['server'],
    },
    {
      fault: 'a reset connection',
      inflict: (proxy) => proxy.resetWatches(),
      ends: ['ERR_KUBE_NETWORK'],
    },
    {
      fault: 'a reset in the middle of a line',
      inflict: (proxy) => proxy.cutWatches('reset'),
      ends: ['ERR_KUBE_NETWORK'],
    },
    {
      fault: 'a connection closed in the middle of a line',
      inflict: (proxy) => proxy.cutWatches('close'),
      ends: ['ERR_KUBE_NETWORK'],
    },
    {
      fault: 'an answer that ends in the middle of a line',
      inflict: (proxy) => proxy.cutWatches('end'),
      ends: ['ERR_KUBE_NETWORK'],
    },
    {
      fault: 'a half-open connection',
      inflict: (proxy) => proxy.silenceWatches(),
      ends: ['ERR_KUBE_TIMEOUT'],
    },
    {
      fault: 'a server that accepts a watch and never answers',
      inflict(proxy) {
        proxy.ignoreWatches();
        proxy.resetWatches();
      },
      ends: ['ERR_KUBE_TIMEOUT'],
    },
    {
      fault: 'a stall that passes',
      inflict(proxy) {
        const go = proxy.stallWatches();
        setTimeout(go, IDLE_TIMEOUT_MS / 3);
      },
      ends: [],
    },
    {
      fault: '500 on a watch, twice',
      inflict(proxy) {
        proxy.refuseWatches({ status: 500, reason: 'InternalError' }, 2);
        proxy.resetWatches();
      },
      ends: ['ERR_KUBE_UNAVAILABLE'],
    },
    {
      fault: '401 on a watch, twice: the first is tried again with a fresh login',
      inflict(proxy) {
        proxy.refuseWatches({ status: 401, reason: 'Unauthorized' }, 2);
        proxy.resetWatches();
      },
      ends: ['ERR_KUBE_UNAUTHORIZED'],
    },
    {
      fault: '410 on a watch',
      inflict(proxy) {
        proxy.refuseWatches({ status: 410, reason: 'Expired' });
        proxy.resetWatches();
      },
      ends: ['ERR_KUBE_GONE'],
    },
    {
      fault: '410 on a watch, and then a reset in the middle of the new list',
      inflict(proxy) {
        proxy.refuseWatches({ status: 410, reason: 'Expired' });
        proxy.resetWatches();
        setTimeout(() => proxy.cutWatches('reset'), 100);
      },
      ends: ['ERR_KUBE_GONE'],
    },
    {
      fault: 'a server that has stopped streaming lists',
      inflict(proxy) {
        proxy.refuseWatches({ status: 410, reason: 'Expired' });
        proxy.refuseWatches({ status: 422, reason: 'Invalid' });
        proxy.resetWatches();
      },
      ends: ['ERR_KUBE_GONE', 'ERR_KUBE_INVALID'],
    },
    {
      fault: 'a list by pages that is refused too',
      inflict(proxy) {
        proxy.refuseWatches({ status: 410, reason: 'Expired' });
        proxy.refuseWatches({ status: 422, reason: 'Invalid' });
        proxy.refuseCalls({ status: 503, reason: 'ServiceUnavailable' });
        proxy.resetWatches();
      },
      ends: ['ERR_KUBE_GONE', 'ERR_KUBE_INVALID', 'ERR_KUBE_UNAVAILABLE'],
    },
    {
      fault: 'chunks of one byte, which end inside characters',
      inflict: (proxy) => proxy.splitInto(1),
      ends: [],
    },
    {
      fault: 'chunks of one byte through a reset',
      inflict(proxy) {
        proxy.splitInto(1);
        proxy.cutWatches('reset');
      },
      ends: ['ERR_KUBE_NETWORK'],
    },
  ])('equals the server after $fault', { timeout: 60_000 }, async ({ inflict, ends }) => {
    await using namespace = await createNamespace(client, 'informer');
    await change(client, namespace.name, 0);
    await using run = await follow(upstream, namespace.name);
    await run.equals(client);
    inflict(run.proxy);
    await change(client, namespace.name, 1);
    await run.equals(client);
    expect(Object.keys(await run.ends())).toEqual(expect.arrayContaining([...ends]));
    // And it goes on: later changes arrive as well.
    await change(client, namespace.name, 2);
    await run.equals(client);
    expect(run.informer.lastActivityAgeMs()).toBeLessThan(IDLE_TIMEOUT_MS);
  });

  it('waits as long as Retry-After says after a 429', { timeout: 60_000 }, async () => {
    await using namespace = await createNamespace(client, 'informer');
    await using run = await follow(upstream, namespace.name);
    run.proxy.refuseWatches({ status: 429, reason: 'TooManyRequests', retryAfterSeconds: 4 });
    run.proxy.resetWatches();
    await change(client, namespace.name, 1);
    await run.equals(client);
    const [refused, next] = run.proxy.requests.filter(({ isWatch }) => isWatch).slice(1);
    expect((next?.atMs ?? 0) - (refused?.atMs ?? 0)).toBeGreaterThanOrEqual(4000);
  });

  it('comes back when the server was away', { timeout: 60_000 }, async () => {
    await using namespace = await createNamespace(client, 'informer');
    await using run = await follow(upstream, namespace.name);
    const comeBack = await run.proxy.goAway();
    await change(client, namespace.name, 1);
    await eventually(async () => ((await run.ends())['ERR_KUBE_NETWORK'] ?? 0) >= 2, {
      what: 'two attempts while the server is away',
    });
    expect(run.informer.lastActivityAgeMs()).toBeGreaterThan(500);
    await comeBack();
    await run.equals(client);
  });

  it(
    'takes an accepted watch for a sign of life where nothing happens',
    { timeout: 60_000 },
    async () => {
      await using namespace = await createNamespace(client, 'informer');
      await using run = await follow(upstream, namespace.name);
      await run.equals(client);
      let watches = run.proxy.requests.length;
      const ages: number[] = [];
      for (let round = 0; round < 2; round += 1) {
        await eventually(() => run.proxy.requests.length > watches && run.proxy.openWatches > 0, {
          what: 'a silent watch to be opened anew',
        });
        watches = run.proxy.requests.length;
        ages.push(run.informer.lastActivityAgeMs());
      }
      expect(Math.max(...ages)).toBeLessThan(IDLE_TIMEOUT_MS);
    },
  );

  it('resumes after a reset without listing again', { timeout: 60_000 }, async () => {
    await using namespace = await createNamespace(client, 'informer');
    await using run = await follow(upstream, namespace.name);
    await change(client, namespace.name, 0);
    await run.equals(client);
    run.proxy.resetWatches();
    await change(client, namespace.name, 1);
    await run.equals(client);
    const initial = run.proxy.requests.filter(({ path }) => path.includes('sendInitialEvents'));
    expect(initial).toHaveLength(1);
    expect(run.proxy.requests.every(({ isWatch }) => isWatch)).toBe(true);
  });
});

// Needs a server that may be broken: not one that $KUBECONFIG names.
const isForeign = externalCluster() !== undefined;

describe.skipIf(isForeign)(
  `an informer of a server that fails${isForeign ? ' (skipped: KUBECONFIG names a server that must not be broken)' : ''}`,
  () => {
    const cleanup = new AsyncDisposableStack();
    let controlPlane: ControlPlane;
    let client: KubeClient;
    let upstream: ClusterConfig;
    beforeAll(async () => {
      controlPlane = cleanup.use(await startControlPlane());
      upstream = await loadClusterConfig({ kubeconfig: controlPlane.kubeconfigPath });
      client = cleanup.use(createKubeClient(upstream));
    });
    afterAll(() => cleanup.disposeAsync());

    it.each<{ readonly fault: string; readonly inflict: (run: Following) => Promise<void> }>([
      {
        fault: 'a restart of the API server',
        inflict: () => controlPlane.restart('kube-apiserver'),
      },
      {
        fault: 'a restart of etcd',
        inflict: () => controlPlane.restart('etcd'),
      },
      {
        fault: 'a freeze of the API server',
        async inflict(run) {
          controlPlane.pause('kube-apiserver');
          await eventually(async () => ((await run.ends())['ERR_KUBE_TIMEOUT'] ?? 0) > 0, {
            what: 'the silence of a frozen server to be noticed',
          });
          controlPlane.resume('kube-apiserver');
        },
      },
      {
        fault: 'a compaction that it did not see',
        async inflict(run) {
          const comeBack = await run.proxy.goAway();
          await change(client, run.namespace, 3);
          await controlPlane.compact();
          await comeBack();
          await eventually(async () => (await run.ends())['ERR_KUBE_GONE'] === 1, {
            what: 'the server to say that it has forgotten',
            timeoutMs: 60_000,
          });
        },
      },
    ])('equals it after $fault', { timeout: 240_000 }, async ({ inflict }) => {
      await using namespace = await createNamespace(client, 'informer');
      await change(client, namespace.name, 0);
      await using run = await follow(upstream, namespace.name);
      await run.equals(client);
      await inflict(run);
      await change(client, namespace.name, 4);
      await run.equals(client);
      expect(run.informer.get(`${namespace.name}/updated`)?.data).toEqual({ value: `${WIDE} 4` });
    });
  },
);
