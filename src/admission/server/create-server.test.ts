import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { CertificateAuthority } from '../../../test/cluster/certificates.ts';
import { readAll, startTestServer } from '../testing/server.ts';
import type { TestServer } from '../testing/server.ts';
import type { AdmissionServerOptions } from './create-server.ts';
import type { ServingPair } from './secure-context.ts';

let authority: CertificateAuthority;
let ca: string;
let pair: ServingPair;

async function issue(by: CertificateAuthority, commonName: string): Promise<ServingPair> {
  const { certificate, key } = await by.issue({ commonName, hosts: ['127.0.0.1', 'localhost'] });
  return { cert: certificate, key };
}

beforeAll(async () => {
  authority = await CertificateAuthority.create('test-authority');
  ca = authority.pair.certificate;
  pair = await issue(authority, 'webhook');
});

function start(options: Partial<AdmissionServerOptions> = {}): Promise<TestServer> {
  return startTestServer(ca, pair, options);
}

/** What the client's side says of a connection that the server does not want. */
const REFUSED = /ECONN|EPIPE|socket hang up|disconnected|alert|SSL|EPROTO/;
const HEAD = 'POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n';

describe('reviews', () => {
  test('go to the handler with path and body, over one connection that stays', async () => {
    const seen: string[] = [];
    await using server = await start({
      handle: async (path, body) => {
        seen.push(`${path} ${Buffer.from(body).toString()}`);
        return { status: 200, body: '{"a":"ä"}' };
      },
    });
    const first = await server.send({ body: '{"n":1}' });
    const second = await server.send({ path: '/mutate', body: '{"n":2}' });
    expect(first).toMatchObject({
      status: 200,
      body: '{"a":"ä"}',
      headers: { 'content-type': 'application/json' },
    });
    expect(second.connection).toBe(first.connection);
    expect(seen).toEqual(['/validate {"n":1}', '/mutate {"n":2}']);
  });

  test.each([
    ['GET', '/validate', 405],
    ['PUT', '/validate', 405],
    ['DELETE', '/mutate', 405],
    ['OPTIONS', '/validate', 405],
    ['POST', '/', 404],
    ['POST', '/validate/', 404],
    ['POST', '/Validate', 404],
    ['POST', '/validate/../mutate/x', 404],
    ['POST', '//validate', 404],
    ['POST', '/metrics', 404],
    ['GET', '/livez', 404],
  ])('%s %s is answered %d, and the connection ends', async (method, path, status) => {
    await using server = await start();
    const reply = await server.send({ method, path, body: '' });
    expect(reply).toMatchObject({ status, headers: { connection: 'close' } });
    expect(JSON.parse(reply.body)).toMatchObject({ kind: 'Status', code: status });
  });

  test.each([
    [{ 'content-type': 'text/plain' }, 415],
    [{ 'content-type': '' }, 415],
    [{ 'content-type': 'application/json-patch+json' }, 415],
    [{ 'content-encoding': 'gzip' }, 415],
    [{ 'content-type': 'Application/JSON; charset=utf-8' }, 200],
  ])('with headers %j is answered %d', async (headers, status) => {
    await using server = await start();
    expect((await server.send({ headers })).status).toBe(status);
  });

  test('HTTP/1.0 is answered and the connection ends', async () => {
    await using server = await start();
    const socket = await server.dial();
    socket.write(
      'POST /validate HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}',
    );
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*Connection: close[^]*{}$/);
  });

  test('requests in a pipeline are answered in their order', async () => {
    const first = Promise.withResolvers<void>();
    await using server = await start({
      async handle(_, body) {
        const text = Buffer.from(body).toString();
        if (text === '"1"') await first.promise;
        else first.resolve();
        return { status: 200, body: text };
      },
    });
    const socket = await server.dial();
    socket.write(
      `${HEAD}Content-Length: 3\r\n\r\n"1"${HEAD}Content-Length: 3\r\nConnection: close\r\n\r\n"2"`,
    );
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 200[^]*"1"HTTP\/1\.1 200[^]*"2"$/);
  });

  test('a handler that rejects is answered 500, without what it said', async () => {
    await using server = await start({
      handle: async () => Promise.reject(new Error('s3cret')),
    });
    const reply = await server.send({});
    expect(reply.status).toBe(500);
    expect(JSON.stringify([reply.body, server.lines])).not.toContain('s3cret');
  });
});

describe('time', () => {
  test('the signal is aborted when the time that the URL gives is over', async () => {
    await using server = await start({
      handle: async (_, __, signal) => {
        await once(signal, 'abort');
        return { status: 200, body: '"late"' };
      },
    });
    expect(await server.send({ path: '/validate?timeout=100ms' })).toMatchObject({
      body: '"late"',
    });
  });

  test('the signal is aborted when the client goes away', async () => {
    const asked = Promise.withResolvers<void>();
    const ended = Promise.withResolvers<void>();
    await using server = await start({
      handle: async (_, __, signal) => {
        asked.resolve();
        await once(signal, 'abort');
        ended.resolve();
        return { status: 200, body: '{}' };
      },
    });
    const socket = await server.dial();
    socket.write(`${HEAD}Content-Length: 2\r\n\r\n{}`);
    await asked.promise;
    socket.destroy();
    await expect(ended.promise).resolves.toBeUndefined();
  });

  test('half a body and then nothing: 408 in the time of the review', async () => {
    await using server = await start();
    const socket = await server.dial();
    socket.write(
      `POST /validate?timeout=100ms HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{`,
    );
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 [^]*Connection: close/i);
  });

  test('half a body and then nothing: the connection ends, whatever time the URL gives', async () => {
    await using server = await start({ limits: { requestMs: 200, headersMs: 100 } });
    const socket = await server.dial();
    socket.write(`${HEAD}Content-Length: 10\r\n\r\n{`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('half of the headers and then nothing: the connection ends', async () => {
    await using server = await start({ limits: { headersMs: 100 } });
    const socket = await server.dial();
    socket.write('POST /validate HTTP/1.1\r\nHost: x\r\nX-Slow');
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 408 /);
  });

  test('nothing at all after the handshake: the connection ends', async () => {
    await using server = await start({ limits: { headersMs: 100, requestMs: 200 } });
    const socket = await server.dial();
    expect(await readAll(socket)).toMatch(/^(HTTP\/1\.1 408 [^]*)?$/);
  });

  test('nothing at all instead of a handshake: the connection ends', async () => {
    await using server = await start({ limits: { handshakeMs: 100 } });
    expect(await readAll(connectTcp(server.port, '127.0.0.1'))).toBe('');
  });
});

describe('size', () => {
  test('a body that is announced too large is refused before it is read', async () => {
    await using server = await start({ limits: { bodyBytes: 1000 } });
    const socket = await server.dial();
    socket.write(`${HEAD}Content-Length: 1001\r\n\r\n`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 413 [^]*Connection: close/i);
  });

  test('a body that grows too large is refused on the way', async () => {
    let asked = 0;
    await using server = await start({
      limits: { bodyBytes: 1000 },
      handle: async () => {
        asked += 1;
        return { status: 200, body: '{}' };
      },
    });
    const socket = await server.dial();
    const chunk = `1f4\r\n${'x'.repeat(500)}\r\n`;
    socket.write(`${HEAD}Transfer-Encoding: chunked\r\n\r\n${chunk}${chunk}${chunk}`);
    expect(await readAll(socket)).toMatch(/^HTTP\/1\.1 413 /);
    expect(asked).toBe(0);
  });

  test('a body of exactly the limit is read', async () => {
    await using server = await start({ limits: { bodyBytes: 1000 } });
    expect((await server.send({ body: 'x'.repeat(1000) })).status).toBe(200);
    expect((await server.send({ body: 'x'.repeat(1001) })).status).toBe(413);
  });

  test('of many large bodies at once some are turned away, and small ones pass', async () => {
    await using server = await start({ limits: { bufferedBytes: 100_000 } });
    const holder = await server.dial();
    holder.write(`${HEAD}Content-Length: 100001\r\n\r\n${'x'.repeat(60_000)}`);
    // Small by themselves, they are let in until the sum is reached.
    const other = await server.dial();
    other.write(`${HEAD}Content-Length: 200000\r\n\r\n${'x'.repeat(100_000)}`);
    expect(await readAll(other)).toMatch(/^HTTP\/1\.1 503 /);
    expect((await server.send({ body: 'x'.repeat(1000) })).status).toBe(200);
    expect(await server.registry.metrics()).toContain('strongroom_admission_overloaded_total 1');
    holder.destroy();
  });

  test('headers that are too large are refused', async () => {
    await using server = await start();
    const socket = await server.dial();
    socket.write(`${HEAD}X-Large: ${'x'.repeat(100_000)}\r\n\r\n`);
    expect(await readAll(socket)).toMatch(/^(HTTP\/1\.1 431 [^]*)?$/);
  });

  test('reviews beyond those that may be decided at once are turned away, and later served', async () => {
    const release = Promise.withResolvers<void>();
    const both = Promise.withResolvers<void>();
    let asked = 0;
    await using server = await start({
      limits: { inFlight: 2 },
      handle: async () => {
        asked += 1;
        if (asked === 2) both.resolve();
        await release.promise;
        return { status: 200, body: '{}' };
      },
    });
    const held = [server.send({}), server.send({})];
    await both.promise;
    expect((await server.send({})).status).toBe(503);
    release.resolve();
    expect((await Promise.all(held)).map(({ status }) => status)).toEqual([200, 200]);
    expect((await server.send({})).status).toBe(200);
    expect(await server.registry.metrics()).toContain('strongroom_admission_reviews_in_flight 0');
  });
});

describe('clients that mean no good', () => {
  test('200 slow connections do not hold up one that works', async () => {
    await using server = await start({ limits: { inFlight: 4 } });
    const slow = await Promise.all(Array.from({ length: 200 }, () => server.dial()));
    for (const [index, socket] of slow.entries()) {
      socket.on('error', () => undefined);
      socket.resume();
      // A third says nothing, a third stops in the headers, a third in the body.
      if (index % 3 === 1) socket.write('POST /validate HTTP/1.1\r\nHost: x\r\nX-S');
      if (index % 3 === 2) socket.write(`${HEAD}Content-Length: 1000000\r\n\r\n{`);
    }
    for (let count = 0; count < 50; count += 1) {
      expect((await server.send({})).status).toBe(200);
    }
    // One that was waited for would have been given up by now, and closed.
    expect(slow.filter(({ closed, readableEnded }) => closed || readableEnded)).toEqual([]);
    for (const socket of slow) socket.destroy();
  });

  test('connections beyond the limit are dropped, and taken again when others end', async () => {
    await using server = await start({ limits: { connections: 3 } });
    const held = await Promise.all([server.dial(), server.dial(), server.dial()] as const);
    await expect(server.dial()).rejects.toThrow(REFUSED);
    expect(await server.registry.metrics()).toContain('strongroom_admission_overloaded_total 1');
    const [first] = held;
    first.destroy();
    await once(first, 'close');
    await expect
      .poll(() =>
        server.dial().then(
          () => true,
          () => false,
        ),
      )
      .toBe(true);
    for (const socket of held) socket.destroy();
  });

  test.each<[string, Uint8Array]>([
    ['plain HTTP', Buffer.from('POST /validate HTTP/1.1\r\nHost: x\r\n\r\n')],
    ['a TLS record that is none', Buffer.from([0x16, 3, 1, 0xff, 0xff, 1, 2, 3, 4])],
    ['zeros', Buffer.alloc(4096)],
    ['SSL 2', Buffer.from([0x80, 0x2e, 0x01, 0x00, 0x02, 0, 0, 0])],
  ])('%s instead of TLS is dropped, and others are served', async (_, bytes) => {
    await using server = await start({ limits: { handshakeMs: 300 } });
    const socket = connectTcp(server.port, '127.0.0.1');
    socket.write(bytes);
    expect(await readAll(socket)).not.toContain('HTTP/1.1 200');
    expect((await server.send({})).status).toBe(200);
  });

  test.each([
    ['two lengths', `${HEAD}Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}`],
    [
      'length and chunks',
      `${HEAD}Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    ],
    ['no host', 'POST /validate HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}'],
    ['a negative length', `${HEAD}Content-Length: -2\r\n\r\n{}`],
    ['no HTTP', 'nonsense\r\n\r\n'],
    ['a preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ])('%s is refused, and others are served', async (_, text) => {
    await using server = await start();
    const socket = await server.dial();
    socket.write(text);
    expect(await readAll(socket)).not.toContain('HTTP/1.1 200');
    expect((await server.send({})).status).toBe(200);
  });

  test('TLS before 1.2 is refused', async () => {
    await using server = await start();
    await expect(
      server.dial({ minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' }),
    ).rejects.toThrow(REFUSED);
    const socket = await server.dial({ maxVersion: 'TLSv1.2' });
    expect(socket.getProtocol()).toBe('TLSv1.2');
    socket.destroy();
  });
});

describe('client certificates', () => {
  test.each<[string, string, number]>([
    ['the right one', 'kube-apiserver', 200],
    ['another name', 'mallory', 401],
    ['the right name with something before it', 'x,CN=kube-apiserver', 401],
  ])('%s', async (_, name, status) => {
    let asked = 0;
    await using server = await start({
      clientAuth: { bundle: ca, allowedNames: ['kube-apiserver', 'front-proxy'] },
      handle: async () => {
        asked += 1;
        return { status: 200, body: '{}' };
      },
    });
    const reply = await server.send({ ...(await issue(authority, name)), agent: false });
    expect([reply.status, asked]).toEqual(status === 200 ? [200, 1] : [401, 0]);
    const text = await server.registry.metrics();
    expect(text).toContain(`strongroom_admission_unauthenticated_total ${status === 200 ? 0 : 1}`);
    expect(server.lines).toHaveLength(status === 200 ? 0 : 1);
  });

  test.each<[string, () => Promise<ServingPair | undefined>]>([
    [
      'the right name by another authority',
      async () => issue(await CertificateAuthority.create('other'), 'kube-apiserver'),
    ],
    ['none', async () => undefined],
  ])('%s: no connection', async (_, certificate) => {
    let asked = 0;
    await using server = await start({
      clientAuth: { bundle: ca, allowedNames: ['kube-apiserver'] },
      handle: async () => {
        asked += 1;
        return { status: 200, body: '{}' };
      },
    });
    await expect(server.send({ ...(await certificate()), agent: false })).rejects.toThrow(
      /alert|hang up|ECONNRESET/,
    );
    expect(asked).toBe(0);
    const known = await server.send({
      ...(await issue(authority, 'kube-apiserver')),
      agent: false,
    });
    expect(known.status).toBe(200);
  });

  test('a resumed session keeps who it is', async () => {
    await using server = await start({
      clientAuth: { bundle: ca, allowedNames: ['kube-apiserver'] },
    });
    const client = await issue(authority, 'kube-apiserver');
    const text = `${HEAD}Content-Length: 2\r\nConnection: close\r\n\r\n{}`;
    const first = await server.dial(client);
    const told = once(first, 'session') as Promise<[Buffer]>;
    first.write(text);
    expect(await readAll(first)).toMatch(/^HTTP\/1\.1 200/);
    const [session] = await told;
    const second = await server.dial({ ...client, session });
    expect(second.isSessionReused()).toBe(true);
    second.write(text);
    expect(await readAll(second)).toMatch(/^HTTP\/1\.1 200/);
  });
});

describe('certificates', () => {
  test('without one no handshake succeeds; once it is there they do', async () => {
    await using server = await startTestServer(ca, undefined);
    await expect(server.dial()).rejects.toThrow(REFUSED);
    server.serve(pair);
    expect((await server.send({})).status).toBe(200);
  });

  test('a new one is served to new connections, and old connections stay', async () => {
    await using server = await start();
    const before = await server.send({});
    server.serve(await issue(authority, 'webhook-2'));
    const same = await server.send({});
    expect(same.connection).toBe(before.connection);
    expect(same.servedBy).toBe('webhook');
    const fresh = await server.dial();
    expect(fresh.getPeerCertificate().subject.CN).toBe('webhook-2');
    fresh.destroy();
  });

  test('one that is not usable leaves the old one in place', async () => {
    await using server = await start();
    const other = await issue(authority, 'other');
    for (const bad of [
      { cert: other.cert, key: pair.key },
      { cert: 'garbage', key: pair.key },
      { cert: pair.cert, key: 'garbage' },
      { cert: '', key: '' },
      undefined,
    ]) {
      server.serve(bad);
      const socket = await server.dial();
      expect(socket.getPeerCertificate().subject.CN).toBe('webhook');
      socket.destroy();
    }
    expect(server.lines).toHaveLength(4);
    expect(JSON.stringify(server.lines)).not.toContain('PRIVATE KEY');
  });

  test('changes under load fail no request and drop no connection', async () => {
    await using server = await start();
    const pairs = await Promise.all([1, 2, 3].map((n) => issue(authority, `webhook-${n}`)));
    const done = new AbortController();
    const connections = new Set<unknown>();
    const statuses: number[] = [];
    async function load(agent: false | undefined): Promise<void> {
      while (!done.signal.aborted) {
        const reply = await server.send(agent === undefined ? {} : { agent });
        statuses.push(reply.status);
        if (agent === undefined) connections.add(reply.connection);
      }
    }
    const clients = [load(undefined), load(undefined), load(false), load(false)];
    for (let round = 0; round < 30; round += 1) {
      server.serve(pairs[round % pairs.length]);
      await server.send({ agent: false });
    }
    done.abort();
    await Promise.all(clients);
    expect(statuses.length).toBeGreaterThan(60);
    expect(new Set(statuses)).toEqual(new Set([200]));
    // Two clients with one connection each, from the first request to the last.
    expect(connections.size).toBe(2);
  });
});

describe('a stop', () => {
  test('waits for what is under way, says that the connection ends, and takes nothing new', async () => {
    const asked = Promise.withResolvers<void>();
    const release = Promise.withResolvers<void>();
    const server = await start({
      handle: async () => {
        asked.resolve();
        await release.promise;
        return { status: 200, body: '"done"' };
      },
    });
    const idle = await server.dial();
    const held = server.send({});
    await asked.promise;
    const stopped = server.stop();
    await readAll(idle);
    await expect(server.dial()).rejects.toThrow(REFUSED);
    release.resolve();
    expect(await held).toMatchObject({ body: '"done"', headers: { connection: 'close' } });
    await stopped;
  });

  test('serves on for a while, each time for the last time on a connection', async () => {
    const server = await start({ limits: { lameDuckMs: 1000 } });
    const before = await server.send({});
    const stopped = server.stop();
    const after = await server.send({});
    expect(after.connection).toBe(before.connection);
    expect(after).toMatchObject({ status: 200, headers: { connection: 'close' } });
    expect((await server.send({})).status).toBe(200);
    await stopped;
    await expect(server.dial()).rejects.toThrow(REFUSED);
  });

  test('ends what does not end, and connections in a handshake', async () => {
    const asked = Promise.withResolvers<void>();
    const server = await start({
      limits: { drainMs: 100 },
      handle: () => {
        asked.resolve();
        return new Promise(() => undefined);
      },
    });
    const handshaking = connectTcp(server.port, '127.0.0.1');
    const ended = readAll(handshaking);
    const held = server.send({});
    held.catch(() => undefined);
    await asked.promise;
    await server.stop();
    await expect(held).rejects.toThrow(REFUSED);
    await ended;
  });

  test('a port that is taken is told', async () => {
    await using server = await start();
    await expect(start({ port: server.port })).rejects.toThrow(/EADDRINUSE/);
  });
});
