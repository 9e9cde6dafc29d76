import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import type { KubeClient } from '#kube/client.ts';
import { createKubeClient } from '#kube/create-client.ts';
import type { ConfigMap, Secret } from '#kube/objects.ts';
import { CONFIG_MAPS, NAMESPACES, SECRETS } from '#kube/resources.ts';
import { readBody, sendJson, startServer } from '../../test/http-server.ts';

interface Seen {
  readonly request: string;
  readonly type: IncomingHttpHeaders['content-type'];
  readonly body: unknown;
}

/** A client and its server, which answers by `answer` and keeps what it was sent. */
async function setUp(
  answer: (request: IncomingMessage, response: ServerResponse) => void = (_, response) =>
    sendJson(response, 200, {}),
) {
  const seen: Seen[] = [];
  const api = await startServer(async (request, response) => {
    const body = await readBody(request);
    seen.push({
      request: `${request.method} ${request.url}`,
      type: request.headers['content-type'],
      body: body === '' ? undefined : JSON.parse(body),
    });
    answer(request, response);
  });
  const client = createKubeClient({
    server: api.url,
    currentNamespace: undefined,
    readCa: async () => undefined,
    readClientCertificate: async () => undefined,
    readAuthorization: async () => undefined,
  });
  return {
    client,
    seen,
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await api[Symbol.asyncDispose]();
    },
  };
}

const AT = { namespace: 'a', name: 'b' };
const OBJECT: ConfigMap = {
  apiVersion: 'v1',
  kind: 'ConfigMap',
  metadata: { ...AT },
  data: { k: 'v' },
};
const ONE = '/api/v1/namespaces/a/configmaps/b';

type Call = (client: KubeClient) => Promise<unknown>;

describe('every verb', () => {
  it.each<readonly [string, Call, string, string | undefined, unknown]>([
    ['get', (c) => c.get(CONFIG_MAPS, AT), `GET ${ONE}`, undefined, undefined],
    [
      'create',
      (c) => c.create(CONFIG_MAPS, OBJECT, { fieldManager: 'f', dryRun: true }),
      'POST /api/v1/namespaces/a/configmaps?fieldManager=f&dryRun=All',
      'application/json',
      OBJECT,
    ],
    [
      'create of a subresource',
      (c) => c.create(CONFIG_MAPS, OBJECT, { subresource: 'token' }),
      `POST ${ONE}/token`,
      'application/json',
      OBJECT,
    ],
    [
      'create of an object without namespace',
      (c) => c.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } }),
      'POST /api/v1/namespaces',
      'application/json',
      { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'a' } },
    ],
    [
      'replace',
      (c) => c.replace(CONFIG_MAPS, OBJECT, { subresource: 'status', dryRun: false }),
      `PUT ${ONE}/status`,
      'application/json',
      OBJECT,
    ],
    [
      'mergePatch',
      (c) => c.mergePatch(CONFIG_MAPS, AT, { data: { k: null } }, { fieldManager: 'f' }),
      `PATCH ${ONE}?fieldManager=f`,
      'application/merge-patch+json',
      { data: { k: null } },
    ],
    [
      'jsonPatch',
      (c) => c.jsonPatch(CONFIG_MAPS, AT, [{ op: 'remove', path: '/data/k' }]),
      `PATCH ${ONE}`,
      'application/json-patch+json',
      [{ op: 'remove', path: '/data/k' }],
    ],
    [
      'apply',
      (c) =>
        c.apply(CONFIG_MAPS, OBJECT, { fieldManager: 'f', force: true, subresource: 'status' }),
      `PATCH ${ONE}/status?fieldManager=f&force=true`,
      'application/apply-patch+yaml',
      OBJECT,
    ],
    [
      'delete',
      (c) =>
        c.delete(CONFIG_MAPS, AT, {
          uid: 'u',
          resourceVersion: '7',
          propagationPolicy: 'Foreground',
          gracePeriodSeconds: 0,
        }),
      `DELETE ${ONE}`,
      'application/json',
      {
        apiVersion: 'v1',
        kind: 'DeleteOptions',
        preconditions: { uid: 'u', resourceVersion: '7' },
        propagationPolicy: 'Foreground',
        gracePeriodSeconds: 0,
      },
    ],
  ])('%s', async (_, call, request, type, body) => {
    await using api = await setUp();
    await call(api.client);
    expect(api.seen).toEqual([{ request, type, body }]);
  });

  it.each<readonly [string, Call]>([
    ['get', (c) => c.get(CONFIG_MAPS, { name: 'b' })],
    ['find', (c) => c.find(CONFIG_MAPS, { namespace: 'a', name: '../b' })],
    ['list', (c) => c.list(CONFIG_MAPS, { namespace: '..' })],
    ['create', (c) => c.create(CONFIG_MAPS, { ...OBJECT, metadata: { name: 'b' } })],
    ['replace', (c) => c.replace(CONFIG_MAPS, { ...OBJECT, metadata: { name: 'b' } })],
    ['mergePatch', (c) => c.mergePatch(CONFIG_MAPS, { name: 'b' }, {})],
    ['jsonPatch', (c) => c.jsonPatch(CONFIG_MAPS, { namespace: 'a', name: '' }, [])],
    [
      'apply',
      (c) =>
        c.apply(
          CONFIG_MAPS,
          { ...OBJECT, metadata: { name: 'b' } },
          { fieldManager: 'strongroom' },
        ),
    ],
    ['delete', (c) => c.delete(CONFIG_MAPS, { namespace: 'a', name: 'b/status' })],
  ])('%s rejects a bad name, and sends nothing', async (_, call) => {
    await using api = await setUp();
    // A rejection, not a throw: callers may only have a catch on the promise.
    const promise = call(api.client);
    await expect(promise).rejects.toMatchObject({ code: 'ERR_KUBE_INVALID' });
    expect(api.seen).toEqual([]);
  });

  it('tells an answer that is not JSON, and does not quote it', async () => {
    await using api = await setUp((_, response) => response.end('canary'));
    const error = await api.client.get(SECRETS, AT).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_KUBE_PROTOCOL',
      message: 'get Secret a/b: the answer is not JSON',
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary');
  });

  it('says nothing of what a Secret held when it is refused', async () => {
    await using api = await setUp((_, response) =>
      sendJson(response, 422, {
        kind: 'Status',
        reason: 'Invalid',
        message: 'Invalid value: "canary"',
        details: { causes: [{ field: 'data', message: 'canary' }] },
      }),
    );
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: AT,
      data: { k: 'canary' },
    };
    const error = await api.client.create(SECRETS, secret).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: 'create Secret a/b: Invalid' });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary');
  });
});

describe('find', () => {
  it('is undefined where the API server knows no such object', async () => {
    await using api = await setUp((_, response) =>
      sendJson(response, 404, { kind: 'Status', reason: 'NotFound' }),
    );
    expect(await api.client.find(CONFIG_MAPS, AT)).toBeUndefined();
  });

  it.each([
    ['a proxy answers 404', 404, 'ERR_KUBE_NOT_FOUND'],
    ['the server refuses', 403, 'ERR_KUBE_FORBIDDEN'],
  ])('throws where %s', async (_, status, code) => {
    await using api = await setUp((_request, response) => {
      response.writeHead(status).end('404 page not found');
    });
    await expect(api.client.find(CONFIG_MAPS, AT)).rejects.toMatchObject({ code });
  });
});

describe('list', () => {
  const items = (...names: readonly string[]) => names.map((name) => ({ metadata: { name } }));
  const expired = { kind: 'Status', reason: 'Expired', code: 410 };

  it('reads all pages, and gives each object its kind', async () => {
    await using api = await setUp((request, response) => {
      const token = new URL(request.url ?? '', 'http://api.test').searchParams.get('continue');
      if (token === null) {
        sendJson(response, 200, {
          metadata: { resourceVersion: '5', continue: 't1' },
          items: items('one', 'two'),
        });
      } else {
        sendJson(response, 200, {
          metadata: { resourceVersion: '5', continue: '' },
          items: items('three'),
        });
      }
    });
    const list = await api.client.list(
      CONFIG_MAPS,
      { namespace: 'a' },
      { limit: 2, labelSelector: 'x', resourceVersion: '3', resourceVersionMatch: 'NotOlderThan' },
    );
    expect(list.metadata.resourceVersion).toBe('5');
    expect(list.items).toEqual(
      items('one', 'two', 'three').map((item) => ({
        ...item,
        apiVersion: 'v1',
        kind: 'ConfigMap',
      })),
    );
    expect(api.seen.map(({ request }) => request)).toEqual([
      'GET /api/v1/namespaces/a/configmaps?labelSelector=x&limit=2&resourceVersion=3&resourceVersionMatch=NotOlderThan',
      'GET /api/v1/namespaces/a/configmaps?labelSelector=x&limit=2&continue=t1',
    ]);
  });

  it('takes a list without items', async () => {
    await using api = await setUp((_, response) =>
      sendJson(response, 200, { metadata: { resourceVersion: '5' }, items: null }),
    );
    expect(await api.client.list(CONFIG_MAPS, { allNamespaces: true })).toEqual({
      items: [],
      metadata: { resourceVersion: '5' },
    });
  });

  it('starts anew, once and at the newest state, when a page has expired', async () => {
    await using api = await setUp((request, response) => {
      if (request.url?.includes('continue=') === true) sendJson(response, 410, expired);
      else {
        sendJson(response, 200, {
          metadata: {
            resourceVersion: '9',
            ...(api.seen.length === 1 ? { continue: 't1' } : {}),
          },
          items: items('one'),
        });
      }
    });
    const list = await api.client.list(
      CONFIG_MAPS,
      { namespace: 'a' },
      { resourceVersion: '3', resourceVersionMatch: 'NotOlderThan' },
    );
    expect(list.items).toHaveLength(1);
    expect(api.seen.map(({ request }) => request.split('?')[1])).toEqual([
      'limit=500&resourceVersion=3&resourceVersionMatch=NotOlderThan',
      'limit=500&continue=t1',
      'limit=500',
    ]);
  });

  it('does not give another state than the one that was asked for exactly', async () => {
    await using api = await setUp((_, response) => sendJson(response, 410, expired));
    await expect(
      api.client.list(
        CONFIG_MAPS,
        { namespace: 'a' },
        { resourceVersion: '3', resourceVersionMatch: 'Exact' },
      ),
    ).rejects.toMatchObject({ code: 'ERR_KUBE_GONE' });
    expect(api.seen).toHaveLength(1);
  });
});
