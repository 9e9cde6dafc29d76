/** The last good copies of feeds, and their keys, at a real API server. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import type { ConfigMap } from '../../src/kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resources.ts';
import type { FeedCopy } from '../../src/network/feeds/feed.ts';
import { createFeedKeyReader } from '../../src/network/feeds/feed-key.ts';
import { createFeedStore } from '../../src/network/feeds/store.ts';
import type { FeedStore } from '../../src/network/feeds/store.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';

let client: KubeClient;
let namespace: TestNamespace;
let faults: string[] = [];

beforeAll(async () => {
  client = await connect();
  namespace = await createNamespace(client, 'feeds');
});

afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
  await client[Symbol.asyncDispose]();
});

/** As after a restart: it knows nothing but what is stored. */
function freshStore(over: KubeClient = client): FeedStore {
  faults = [];
  return createFeedStore({
    client: over,
    namespace: namespace.name,
    onFault: (feed, fault) => faults.push(`${feed}: ${fault}`),
  });
}

/** Of entries that are stored in more than one ConfigMap. */
const LARGE = 100_000;

/** Does not compress well. */
function listOf(count: number, seed = 7): FeedCopy {
  let state = seed;
  const random = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  const items = Array.from({ length: count }, () => ({
    cidr: `9.${random() & 255}.${random() & 255}.${random() & 255}/32`,
    expiresAtMs: random() * 2 ** 26 + random(),
  }));
  return {
    url: 'https://lists.example.com/',
    format: 'CrowdSec',
    items,
    counts: { entries: count, corrected: 0, skipped: 0, skippedSamples: [] },
    fetchedAtMs: 1_800_000_000_000 + seed,
    etag: '"v1"',
  };
}

async function stored(): Promise<readonly ConfigMap[]> {
  const { items } = await client.list(
    CONFIG_MAPS,
    { namespace: namespace.name },
    { labelSelector: 'strongroom.dev/component=feed' },
  );
  return items;
}

const names = async (): Promise<readonly string[]> =>
  (await stored()).map(({ metadata }) => metadata.name);

/** As text: a hundred thousand objects are compared slowly. */
async function expectStored(feed: string, copy: FeedCopy): Promise<void> {
  const { items = [], ...rest } = (await freshStore().load(feed)) ?? {};
  const { items: expected, ...expectedRest } = copy;
  expect(rest).toEqual(expectedRest);
  expect(JSON.stringify(items) === JSON.stringify(expected)).toBe(true);
}

describe('the last good copy', () => {
  it('survives a restart', async () => {
    const copy = listOf(1000);
    await freshStore().save('small', copy);
    expect(await freshStore().load('small')).toEqual(copy);
    expect(await freshStore().load('unknown')).toBeUndefined();
    await freshStore().remove('small');
    expect(await freshStore().load('small')).toBeUndefined();
    expect(await names()).toEqual([]);
    await freshStore().remove('small');
  });

  it('of 100,000 entries goes over several ConfigMaps, and shrinks again without leaving any', async () => {
    const large = listOf(LARGE);
    const store = freshStore();
    await store.save('large', large);
    expect((await names()).length).toBeGreaterThan(2);
    await expectStored('large', large);
    expect(await store.list()).toEqual(['large']);
    const other = listOf(LARGE, 8);
    await store.save('large', { ...other, etag: '"v2"' });
    await expectStored('large', { ...other, etag: '"v2"' });
    const small = listOf(10, 9);
    await store.save('large', small);
    expect(await freshStore().load('large')).toEqual(small);
    expect(await names()).toEqual(['strongroom-feed-large']);
    await store.remove('large');
    expect(await names()).toEqual([]);
  });

  it('stays whole when the operator dies between two writes of the next one', async () => {
    const before = listOf(LARGE);
    await freshStore().save('crash', before);
    const whole = await names();
    for (let survived = 0; survived < whole.length; survived += 1) {
      let writes = 0;
      const dying: KubeClient = {
        ...client,
        apply: async (resource, object, options) => {
          if (writes === survived) throw new Error('killed');
          writes += 1;
          return await client.apply(resource, object, options);
        },
      };
      await expect(freshStore(dying).save('crash', listOf(LARGE, 8))).rejects.toThrow('killed');
      await expectStored('crash', before);
    }
    const next = listOf(LARGE, 9);
    await freshStore().save('crash', next);
    await expectStored('crash', next);
    // Nothing of the attempts is left.
    expect(await names()).toHaveLength(whole.length);
    await freshStore().remove('crash');
  });

  it('that somebody has changed counts as none, and says why', async () => {
    await freshStore().save('changed', listOf(10));
    const place = { namespace: namespace.name, name: 'strongroom-feed-changed' };
    await client.mergePatch(CONFIG_MAPS, place, { binaryData: { 'list.gz': 'AAAA' } });
    expect(await freshStore().load('changed')).toBeUndefined();
    expect(faults).toEqual([
      `changed: ConfigMap ${namespace.name}/strongroom-feed-changed: its list does not fit its checksum`,
    ]);
    const store = freshStore();
    await store.save('changed', listOf(20));
    expect(await freshStore().load('changed')).toEqual(listOf(20));
    await store.remove('changed');
  });

  it('is not written while nothing of it matters', async () => {
    const store = freshStore();
    const copy = listOf(10);
    await store.save('quiet', copy);
    const [before] = await stored();
    await store.save('quiet', { ...copy, fetchedAtMs: copy.fetchedAtMs + 60_000 });
    const [after] = await stored();
    expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
    await store.remove('quiet');
  });

  it('of one feed is not touched by another, whatever their names', async () => {
    const store = freshStore();
    const feeds = ['a', 'a-0', 'a.b', 'x'.repeat(253), `${'x'.repeat(252)}y`];
    for (const [index, feed] of feeds.entries()) await store.save(feed, listOf(5, index + 1));
    await store.remove('a');
    const left = await Promise.all(feeds.map((feed) => freshStore().load(feed)));
    expect(left.map((copy) => copy?.fetchedAtMs)).toEqual(
      feeds.map((_, index) => (index === 0 ? undefined : 1_800_000_000_000 + index + 1)),
    );
    for (const feed of feeds) await store.remove(feed);
    expect(await names()).toEqual([]);
  });
});

describe('the key of a feed', () => {
  const url = 'https://crowdsec.example.com:8080/v1/decisions/stream';
  const canary = 'canary-4d1f';
  const labels = { 'strongroom.dev/component': 'feed-key' };
  const never = new AbortController().signal;
  let next = 0;

  async function readerOf(secret: {
    readonly labels?: Readonly<Record<string, string>>;
    readonly data: Readonly<Record<string, string>>;
  }): Promise<{ readonly name: string; readonly read: () => Promise<unknown> }> {
    next += 1;
    const name = `key-${next}`;
    await client.create(SECRETS, {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name, namespace: namespace.name, labels: secret.labels ?? {} },
      data: Object.fromEntries(
        Object.entries(secret.data).map(([key, value]) => [
          key,
          Buffer.from(value).toString('base64'),
        ]),
      ),
    });
    const read = createFeedKeyReader({ client, namespace: namespace.name });
    return { name, read: () => read(name, never) };
  }

  it('is read with the origin that it is for', async () => {
    const { read } = await readerOf({ labels, data: { url, apiKey: `${canary}\n` } });
    await expect(read()).resolves.toEqual({
      origin: 'https://crowdsec.example.com:8080',
      apiKey: canary,
    });
  });

  it.each([
    ['lacks the label', {}, { url, apiKey: canary }, /lacks the label/],
    [
      'is of something else',
      { 'strongroom.dev/component': 'vault-entry' },
      { url, apiKey: canary },
      /lacks the label/,
    ],
    ['has no URL', labels, { apiKey: canary }, /no URL under its key `url`/],
    ['has a URL that is none', labels, { url: 'file:///etc', apiKey: canary }, /no URL/],
    ['has no key', labels, { url }, /no usable key/],
    [
      'has a key that would break a header',
      labels,
      { url, apiKey: `${canary}\r\nx: y` },
      /no usable key/,
    ],
  ])('is refused when the Secret %s', async (_, secretLabels, data, message) => {
    const { name, read } = await readerOf({ labels: secretLabels, data });
    const error = await read().catch((failure: unknown) => failure);
    expect(error).toEqual(
      expect.objectContaining({
        kind: 'Refused',
        message: expect.stringMatching(message) as string,
      }),
    );
    expect(String(error)).toContain(`${namespace.name}/${name}`);
    expect(String(error)).not.toContain('canary');
  });

  it('is refused when there is no Secret', async () => {
    const read = createFeedKeyReader({ client, namespace: namespace.name });
    await expect(read('missing', never)).rejects.toThrow(/feeds-.*\/missing .*does not exist/);
  });
});
