import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { activeWithin, startHealthServer } from './health.ts';
import type { Check, HealthServer } from './health.ts';

function start(live: Record<string, Check>, ready: Record<string, Check>): Promise<HealthServer> {
  return startHealthServer({
    port: 0,
    host: '127.0.0.1',
    live,
    ready,
    metrics: async () => ({ contentType: 'text/plain; version=0.0.4', text: 'up 1\n' }),
  });
}

async function get({ port }: HealthServer, path: string, method = 'GET') {
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { method });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

describe('health server', () => {
  it('answers by its checks, and names those that fail', async () => {
    const state: { fault: string | undefined } = { fault: undefined };
    await using server = await start({ loop: () => undefined }, { cache: () => state.fault });
    expect(await get(server, '/readyz')).toMatchObject({ status: 200, text: 'ok\n' });
    state.fault = 'not synced';
    expect(await get(server, '/readyz')).toMatchObject({
      status: 503,
      text: '[-] cache: not synced\nnot ok\n',
    });
    expect(await get(server, '/livez')).toMatchObject({ status: 200, text: 'ok\n' });
  });

  it('lists every check when asked to', async () => {
    await using server = await start({ a: () => undefined, b: () => 'why' }, {});
    expect(await get(server, '/livez?verbose')).toMatchObject({
      status: 503,
      text: '[+] a ok\n[-] b: why\nnot ok\n',
    });
    expect(await get(server, '/readyz?verbose')).toMatchObject({ status: 200, text: 'ok\n' });
  });

  it('counts a check that throws as failed, and judges the others', async () => {
    await using server = await start(
      {
        broken() {
          throw new Error('cannot look');
        },
        other: () => undefined,
      },
      {},
    );
    expect(await get(server, '/livez?verbose')).toMatchObject({
      status: 503,
      text: '[-] broken: cannot look\n[+] other ok\nnot ok\n',
    });
  });

  it('serves the metrics with their content type', async () => {
    await using server = await start({}, {});
    const { status, text, headers } = await get(server, '/metrics');
    expect([status, text, headers.get('content-type')]).toEqual([
      200,
      'up 1\n',
      'text/plain; version=0.0.4',
    ]);
  });

  it('answers 500 without details when the metrics cannot be collected', async () => {
    await using server = await startHealthServer({
      port: 0,
      host: '127.0.0.1',
      live: {},
      ready: {},
      metrics: () => Promise.reject(new Error('canary')),
    });
    expect(await get(server, '/metrics')).toMatchObject({ status: 500, text: 'internal error\n' });
  });

  it.each([
    ['GET', '/', 404],
    ['GET', '/livez/x', 404],
    ['GET', '/LIVEZ', 404],
    ['HEAD', '/livez', 200],
    ['POST', '/livez', 405],
    ['DELETE', '/metrics', 405],
  ])('answers %s %s with %i', async (method, path, status) => {
    await using server = await start({}, {});
    expect((await get(server, path, method)).status).toBe(status);
  });

  it('answers a target that is no URL with 400', async () => {
    await using server = await start({}, {});
    const socket = connect(server.port, '127.0.0.1');
    socket.end('GET // HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1.1 400 /);
  });

  it('ends although a client holds its connection open', async () => {
    const server = await start({}, {});
    const socket = connect(server.port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    const closed = new Promise((resolve) => socket.once('close', resolve));
    await server[Symbol.asyncDispose]();
    await closed;
    expect(socket.destroyed).toBe(true);
  });

  it('rejects when the port is taken', async () => {
    await using server = await start({}, {});
    const second = startHealthServer({
      port: server.port,
      host: '127.0.0.1',
      live: {},
      ready: {},
      metrics: async () => ({ contentType: 'text/plain', text: '' }),
    });
    await expect(second).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });
});

describe('activeWithin', () => {
  it('judges by the age that it is told', () => {
    let ageMs = 0;
    const check = activeWithin(60_000, () => ageMs);
    expect(check()).toBeUndefined();
    ageMs = 60_000;
    expect(check()).toBeUndefined();
    ageMs = 61_000;
    expect(check()).toBe('no activity for 61 s; the limit is 60 s');
    ageMs = Infinity;
    expect(check()).toMatch('no activity for Infinity s');
  });
});

async function text(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}
