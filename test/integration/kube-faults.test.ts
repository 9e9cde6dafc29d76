/** The client against an API server that forgets, restarts and hangs. It has a cluster of its own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient, WatchEvent, WatchOptions } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import type { ConfigMap } from '../../src/kube/objects.ts';
import { CONFIG_MAPS } from '../../src/kube/resources.ts';
import { startControlPlane } from '../cluster/index.ts';
import type { ControlPlane } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';

const SCOPE = { namespace: 'default' };
const WATCH: WatchOptions = { timeoutSeconds: 300, idleTimeoutMs: 120_000 };

let cluster: ControlPlane;
let client: KubeClient;

beforeAll(async () => {
  cluster = await startControlPlane({ progress: (line) => console.error(line) });
  client = createKubeClient(await loadClusterConfig({ kubeconfig: cluster.kubeconfigPath }));
});
afterAll(async () => {
  await client[Symbol.asyncDispose]();
  await cluster.stop();
});

function configMap(name: string): ConfigMap {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } };
}

/** A running watch: its events so far, and the error it ended with. */
function follow(options: Partial<WatchOptions>) {
  const events: WatchEvent<ConfigMap>[] = [];
  const read = async (): Promise<void> => {
    for await (const event of client.watch(CONFIG_MAPS, SCOPE, { ...WATCH, ...options })) {
      events.push(event);
    }
  };
  const ended = read().then(
    () => undefined,
    (error: unknown) => error,
  );
  return { events, ended };
}

describe('after a compaction', () => {
  it('a watch, a page and an exact list of an older state are gone; a list begins anew', async () => {
    for (const name of ['one', 'two', 'three']) await client.create(CONFIG_MAPS, configMap(name));
    const page = await client.listPage(CONFIG_MAPS, SCOPE, { limit: 1 });
    const { resourceVersion, continue: token = '' } = page.metadata;
    await client.create(CONFIG_MAPS, configMap('four'));
    await cluster.compact();

    const gone = expect.objectContaining({ code: 'ERR_KUBE_GONE' }) as Error;
    const watch = follow({ resourceVersion });
    const error = await watch.ended;
    // The server may say so instead of a watch, or in it.
    expect([error, ...watch.events]).toBeOneOf([
      [gone],
      [undefined, { type: 'ERROR', error: gone }],
    ]);
    await expect(
      client.listPage(CONFIG_MAPS, SCOPE, { limit: 1, continue: token }),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_GONE', status: 410 });
    await expect(
      client.list(CONFIG_MAPS, SCOPE, { resourceVersion, resourceVersionMatch: 'Exact' }),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_GONE' });
    const { items } = await client.list(CONFIG_MAPS, SCOPE, { limit: 1 });
    expect(items.length).toBeGreaterThanOrEqual(4);
  });
});

describe('when the API server restarts', () => {
  it('watches end, and the same client goes on', async () => {
    const { metadata } = await client.list(CONFIG_MAPS, SCOPE);
    const first = follow({ resourceVersion: metadata.resourceVersion });
    await client.create(CONFIG_MAPS, configMap('before'));
    await eventually(() => first.events.some(({ type }) => type === 'ADDED'), {
      what: 'the watch to see the object',
    });
    await cluster.restart('kube-apiserver');
    // A clean end or a broken connection, by how far the server got.
    expect(await first.ended).toBeOneOf([
      undefined,
      expect.objectContaining({ code: 'ERR_KUBE_NETWORK' }),
    ]);
    // A server that has just begun does not remember what was before it.
    const { metadata: since } = await client.list(CONFIG_MAPS, SCOPE);
    await client.create(CONFIG_MAPS, configMap('after'));
    const controller = new AbortController();
    const second = follow({
      resourceVersion: since.resourceVersion,
      signal: controller.signal,
    });
    await eventually(
      () =>
        second.events.some(
          (event) => event.type === 'ADDED' && event.object.metadata.name === 'after',
        ),
      { what: 'the new watch to see what came since' },
    );
    controller.abort();
    expect(await second.ended).toMatchObject({ code: 'ERR_KUBE_ABORTED' });
  });
});

describe('when the API server hangs', () => {
  it('calls and watches time out, and work again when it does', async () => {
    const { metadata } = await client.list(CONFIG_MAPS, SCOPE);
    const watch = follow({ resourceVersion: metadata.resourceVersion, idleTimeoutMs: 2000 });
    cluster.pause('kube-apiserver');
    try {
      await expect(
        client.get(CONFIG_MAPS, { ...SCOPE, name: 'one' }, { timeoutMs: 500 }),
      ).rejects.toMatchObject({ code: 'ERR_KUBE_TIMEOUT' });
      expect(await watch.ended).toMatchObject({ code: 'ERR_KUBE_TIMEOUT', retryable: true });
    } finally {
      cluster.resume('kube-apiserver');
    }
    expect((await client.get(CONFIG_MAPS, { ...SCOPE, name: 'one' })).metadata.name).toBe('one');
  });
});

describe('another user', () => {
  it('is told what it may not do', async () => {
    const kubeconfig = await cluster.kubeconfigFor('nobody-special', ['testers']);
    await using other = createKubeClient(await loadClusterConfig({ kubeconfig }));
    await expect(other.list(CONFIG_MAPS, SCOPE)).rejects.toMatchObject({
      code: 'ERR_KUBE_FORBIDDEN',
      status: 403,
      message: expect.stringContaining('User "nobody-special" cannot list') as string,
    });
  });
});
