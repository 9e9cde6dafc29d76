import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { KubeClient, WatchEvent, WatchOptions } from '#kube/client.ts';
import type { ClusterConfig } from '#kube/config.ts';
import { createKubeClient } from '#kube/create-client.ts';
import type { ConfigMap, Secret } from '#kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '#kube/resources.ts';
import { eventually } from '../../test/eventually.ts';
import { sendJson, startServer } from '../../test/http-server.ts';

const SCOPE = { namespace: 'a' };
const OPTIONS: WatchOptions = { timeoutSeconds: 300, idleTimeoutMs: 5000 };

function configFor(server: string): ClusterConfig {
  return {
    server,
    currentNamespace: undefined,
    readCa: async () => undefined,
    readClientCertificate: async () => undefined,
    readAuthorization: async () => undefined,
  };
}

function configMap(name: string, data: Record<string, string> = {}): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name, namespace: 'a', resourceVersion: '7' },
    data,
  };
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}

async function write(response: ServerResponse, bytes: string | Uint8Array): Promise<void> {
  if (!response.write(bytes)) await once(response, 'drain');
}

async function collect(client: KubeClient, options: Partial<WatchOptions> = {}) {
  const events: WatchEvent<ConfigMap>[] = [];
  for await (const event of client.watch(CONFIG_MAPS, SCOPE, { ...OPTIONS, ...options })) {
    events.push(event);
  }
  return events;
}

describe('a watch', () => {
  it('asks for bookmarks and a time-out, and gives events until the server ends it', async () => {
    const object = configMap('one');
    await using api = await startServer((_, response) => {
      response.write(line('ADDED', object) + line('MODIFIED', object));
      response.write(line('BOOKMARK', { metadata: { resourceVersion: '9' } }));
      response.end(line('DELETED', object));
    });
    await using client = createKubeClient(configFor(api.url));
    expect(await collect(client, { resourceVersion: '5', labelSelector: 'x=y' })).toEqual([
      { type: 'ADDED', object },
      { type: 'MODIFIED', object },
      { type: 'BOOKMARK', resourceVersion: '9', initialEventsEnd: false },
      { type: 'DELETED', object },
    ]);
    expect(api.requests).toEqual([
      'GET /api/v1/namespaces/a/configmaps?watch=true&allowWatchBookmarks=true&labelSelector=x%3Dy&resourceVersion=5&timeoutSeconds=300',
    ]);
  });

  it('marks the end of the initial events of a streaming list', async () => {
    await using api = await startServer((_, response) => {
      const annotations = { 'k8s.io/initial-events-end': 'true' };
      response.end(line('BOOKMARK', { metadata: { resourceVersion: '9', annotations } }));
    });
    await using client = createKubeClient(configFor(api.url));
    expect(await collect(client, { sendInitialEvents: true })).toEqual([
      { type: 'BOOKMARK', resourceVersion: '9', initialEventsEnd: true },
    ]);
    expect(api.requests[0]).toContain('sendInitialEvents=true&resourceVersionMatch=NotOlderThan');
  });

  it('reads events that arrive a byte at a time, and events of hundreds of kilobytes', async () => {
    const small = configMap('small', { text: 'Zürich – 東京 🏦' });
    const large = configMap('large', { text: '界'.repeat(100_000) });
    await using api = await startServer(async (_, response) => {
      for (const byte of Buffer.from(line('ADDED', small))) {
        await write(response, Uint8Array.of(byte));
        await delay(0);
      }
      await write(response, line('ADDED', large));
      response.end();
    });
    await using client = createKubeClient(configFor(api.url));
    expect(await collect(client)).toEqual([
      { type: 'ADDED', object: small },
      { type: 'ADDED', object: large },
    ]);
  });

  it.each(['inside a line', 'between lines'])('throws when it is reset %s', async (where) => {
    await using api = await startServer(async (_, response) => {
      await write(response, line('ADDED', configMap('one')));
      if (where === 'inside a line') await write(response, '{"type":"MODIFIED","obj');
      await delay(20);
      response.destroy();
    });
    await using client = createKubeClient(configFor(api.url));
    const events: unknown[] = [];
    const read = async (): Promise<void> => {
      for await (const event of client.watch(CONFIG_MAPS, SCOPE, OPTIONS)) events.push(event);
    };
    await expect(read()).rejects.toMatchObject({ code: 'ERR_KUBE_NETWORK', retryable: true });
    expect(events).toHaveLength(1);
  });

  it('throws when the server ends it inside a line', async () => {
    await using api = await startServer((_, response) => {
      response.end('{"type":"ADDED","object":{"kind"');
    });
    await using client = createKubeClient(configFor(api.url));
    await expect(collect(client)).rejects.toMatchObject({
      code: 'ERR_KUBE_NETWORK',
      message: 'watch ConfigMap a: the connection failed (ERR_STREAM_PREMATURE_CLOSE)',
    });
  });

  it('gives an ERROR of the server as one of our errors', async () => {
    await using api = await startServer((_, response) => {
      response.end(
        line('ERROR', { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' }),
      );
    });
    await using client = createKubeClient(configFor(api.url));
    expect(await collect(client)).toEqual([
      {
        type: 'ERROR',
        error: expect.objectContaining({
          code: 'ERR_KUBE_GONE',
          message: 'watch ConfigMap a: too old',
        }) as Error,
      },
    ]);
  });

  it.each([
    ['not JSON', 'canary\n'],
    ['null', 'null\n'],
    ['without an object', '{"type":"ADDED"}\n'],
    ['of unknown type', line('CANARY', {})],
    ['a bookmark without metadata', line('BOOKMARK', {})],
    ['not UTF-8', Uint8Array.of(0xff, 0x0a)],
  ])('refuses an event that is %s, and does not quote it', async (_, bytes) => {
    await using api = await startServer((_request, response) => response.end(bytes));
    await using client = createKubeClient(configFor(api.url));
    const error = await collect(client).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_KUBE_PROTOCOL', retryable: false });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toMatch(/canary/i);
  });

  it('says when the server has accepted it, though no event comes', async () => {
    await using api = await startServer((_, response) => {
      if (api.requests.length === 1) response.flushHeaders();
      else sendJson(response, 403, { kind: 'Status', reason: 'Forbidden' });
    });
    await using client = createKubeClient(configFor(api.url));
    const controller = new AbortController();
    let opened = 0;
    const onOpen = (): void => {
      opened += 1;
      controller.abort();
    };
    await expect(collect(client, { onOpen, signal: controller.signal })).rejects.toMatchObject({
      code: 'ERR_KUBE_ABORTED',
    });
    expect(opened).toBe(1);
    await expect(collect(client, { onOpen })).rejects.toMatchObject({ code: 'ERR_KUBE_FORBIDDEN' });
    expect(opened).toBe(1);
  });

  it('throws the refusal when it does not begin', async () => {
    await using api = await startServer((_, response) =>
      sendJson(
        response,
        429,
        { kind: 'Status', reason: 'TooManyRequests' },
        { 'retry-after': '3' },
      ),
    );
    await using client = createKubeClient(configFor(api.url));
    await expect(collect(client)).rejects.toMatchObject({
      code: 'ERR_KUBE_TOO_MANY_REQUESTS',
      retryAfterMs: 3000,
    });
    // How often to try again is for the reflector to say.
    expect(api.requests).toHaveLength(1);
  });
});

describe('a watch whose server falls silent', () => {
  it.each(['before its headers', 'after them', 'inside a line'])('%s ends', async (when) => {
    await using api = await startServer((_, response) => {
      if (when !== 'before its headers') response.flushHeaders();
      if (when === 'inside a line') response.write('{"type":');
    });
    await using client = createKubeClient(configFor(api.url));
    await expect(collect(client, { idleTimeoutMs: 60 })).rejects.toMatchObject({
      code: 'ERR_KUBE_TIMEOUT',
      retryable: true,
    });
    await eventually(() => api.sockets.size === 0, { what: 'the dead connection to close' });
  });

  it('lives as long as something comes in time', async () => {
    await using api = await startServer(async (_, response) => {
      for (let sent = 0; sent < 6; sent += 1) {
        await write(response, line('BOOKMARK', { metadata: { resourceVersion: String(sent) } }));
        await delay(100);
      }
      response.end();
    });
    await using client = createKubeClient(configFor(api.url));
    expect(await collect(client, { idleTimeoutMs: 400 })).toHaveLength(6);
  });

  it('is not held silent for a reader that takes its time', async () => {
    await using api = await startServer(async (_, response) => {
      await write(response, line('ADDED', configMap('one')));
      await delay(150);
      response.end(line('ADDED', configMap('two')));
    });
    await using client = createKubeClient(configFor(api.url));
    let events = 0;
    for await (const _ of client.watch(CONFIG_MAPS, SCOPE, { ...OPTIONS, idleTimeoutMs: 100 })) {
      events += 1;
      await delay(300);
    }
    expect(events).toBe(2);
  });
});

describe('ending a watch', () => {
  it.each([undefined, new Error('no longer needed')])(
    'by its signal, with reason %o',
    async (reason) => {
      await using api = await startServer((_, response) => {
        response.write(line('ADDED', configMap('one')));
      });
      await using client = createKubeClient(configFor(api.url));
      const controller = new AbortController();
      const read = async (): Promise<void> => {
        const watch = client.watch(CONFIG_MAPS, SCOPE, { ...OPTIONS, signal: controller.signal });
        for await (const _ of watch) controller.abort(reason);
      };
      await expect(read()).rejects.toMatchObject({ code: 'ERR_KUBE_ABORTED' });
      await eventually(() => api.sockets.size === 0, { what: 'the connection to close' });
    },
  );

  it('by not reading on closes the connection', async () => {
    await using api = await startServer((_, response) => {
      response.write(line('ADDED', configMap('one')));
    });
    await using client = createKubeClient(configFor(api.url));
    for await (const _ of client.watch(CONFIG_MAPS, SCOPE, OPTIONS)) break;
    expect(api.requests).toHaveLength(1);
    await eventually(() => api.sockets.size === 0, { what: 'the connection to close' });
  });

  it('by closing the client', async () => {
    await using api = await startServer((_, response) => {
      response.write(line('ADDED', configMap('one')));
    });
    const client = createKubeClient(configFor(api.url));
    const read = async (): Promise<void> => {
      for await (const _ of client.watch(CONFIG_MAPS, SCOPE, OPTIONS)) {
        void client[Symbol.asyncDispose]();
      }
    };
    await expect(read()).rejects.toMatchObject({ code: 'ERR_KUBE_ABORTED' });
  });
});

describe('a watch of Secrets', () => {
  it('quotes nothing of what the server says in an error', async () => {
    await using api = await startServer((_, response) => {
      response.end(line('ERROR', { kind: 'Status', code: 500, message: 'canary' }));
    });
    await using client = createKubeClient(configFor(api.url));
    const events: WatchEvent<Secret>[] = [];
    for await (const event of client.watch(SECRETS, SCOPE, OPTIONS)) events.push(event);
    expect(events).toEqual([
      {
        type: 'ERROR',
        error: expect.objectContaining({ message: 'watch Secret a: HTTP 500' }) as Error,
      },
    ]);
  });
});
