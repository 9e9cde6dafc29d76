import { setTimeout as delay } from 'node:timers/promises';
import type { Server, TLSSocket } from 'node:tls';
import { beforeAll, describe, expect, it } from 'vitest';
import type { ClusterConfig } from '#kube/config.ts';
import { KubeError } from '#kube/errors.ts';
import { createTransport } from '#kube/transport.ts';
import type { HttpCall, RequestObservation, Transport } from '#kube/transport.ts';
import { CertificateAuthority } from '../../test/cluster/certificates.ts';
import { eventually } from '../../test/eventually.ts';
import { readBody, sendJson, startServer } from '../../test/http-server.ts';

/** Credentials that a test changes between calls, and how often they were read. */
interface TestConfig extends ClusterConfig {
  token: string | undefined;
  ca: string | undefined;
  reads: number;
  failing: boolean;
}

function configFor(server: string, initial: Partial<TestConfig> = {}): TestConfig {
  const config: TestConfig = {
    server,
    currentNamespace: undefined,
    token: undefined,
    ca: undefined,
    reads: 0,
    failing: false,
    readCa: async () => config.ca,
    readClientCertificate: async () => undefined,
    async readAuthorization() {
      config.reads += 1;
      if (config.failing) throw new KubeError('ERR_KUBE_CONFIG', 'the token cannot be read');
      return config.token === undefined ? undefined : `Bearer ${config.token}`;
    },
    ...initial,
  };
  return config;
}

const GET: HttpCall = {
  name: 'get ConfigMap a/b',
  verb: 'get',
  resource: 'configmaps',
  method: 'GET',
  path: '/api/v1/namespaces/a/configmaps/b',
  quotable: true,
};
const POST: HttpCall = {
  ...GET,
  name: 'create ConfigMap a/b',
  method: 'POST',
  contentType: 'application/json',
  body: '{"data":{}}',
};

async function readAll(transport: Transport, call: HttpCall): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of await transport.stream(call)) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

describe('a request', () => {
  it('carries method, path below the base path, headers and body', async () => {
    let seen: unknown;
    await using api = await startServer(async (request, response) => {
      const { accept, authorization, 'user-agent': agent, 'content-type': type } = request.headers;
      seen = [accept, authorization, agent, type, await readBody(request)];
      sendJson(response, 201, { ok: true });
    });
    await using transport = createTransport(configFor(`${api.url}/proxy/c1`, { token: 't1' }), {
      userAgent: 'strongroom-test',
    });
    expect(await transport.request(POST)).toBe('{"ok":true}');
    expect(api.requests).toEqual(['POST /proxy/c1/api/v1/namespaces/a/configmaps/b']);
    expect(seen).toEqual([
      'application/json',
      'Bearer t1',
      'strongroom-test',
      'application/json',
      '{"data":{}}',
    ]);
  });

  it.each([200, 403])('hands over what is remarked about it, with answer %s', async (status) => {
    await using api = await startServer((_, response) => {
      response.setHeader('warning', ['299 - "Namespace a is not guarded"', '299 - "and more"']);
      sendJson(response, status, {});
    });
    const warnings: string[] = [];
    await using transport = createTransport(configFor(api.url), {
      onWarning: (text) => warnings.push(text),
    });
    await transport.request(POST).catch(() => {});
    expect(warnings).toEqual(['Namespace a is not guarded', 'and more']);
    await transport.request({ ...POST, quotable: false }).catch(() => {});
    expect(warnings).toHaveLength(2);
  });

  it('shares a bounded number of connections with all others', async () => {
    await using api = await startServer((_, response) => sendJson(response, 200, {}));
    await using transport = createTransport(configFor(api.url));
    let most = 0;
    api.server.on('request', () => {
      most = Math.max(most, api.sockets.size);
    });
    await Promise.all(Array.from({ length: 300 }, () => transport.request(GET)));
    expect(api.requests).toHaveLength(300);
    expect(most).toBeLessThanOrEqual(32);
  });

  it('throws what the server said, with its reason and causes', async () => {
    await using api = await startServer((_, response) =>
      sendJson(response, 409, {
        kind: 'Status',
        reason: 'Conflict',
        message: 'the object has been modified',
        details: { causes: [{ field: 'spec', reason: 'FieldManagerConflict' }] },
      }),
    );
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(POST)).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFLICT',
      status: 409,
      reason: 'Conflict',
      message: 'create ConfigMap a/b: the object has been modified',
      causes: [{ field: 'spec', reason: 'FieldManagerConflict' }],
    });
  });

  it('does not quote a page that a proxy put in the way', async () => {
    await using api = await startServer((_, response) => {
      response.writeHead(502).end('<html>canary</html>');
    });
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(GET)).rejects.toMatchObject({
      code: 'ERR_KUBE_UNAVAILABLE',
      message: 'get ConfigMap a/b: HTTP 502',
    });
  });
});

describe('time-outs and signals', () => {
  it('end a call that the server does not answer', async () => {
    await using api = await startServer(() => undefined);
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request({ ...GET, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'ERR_KUBE_TIMEOUT',
      message: 'get ConfigMap a/b: timed out',
      retryable: true,
    });
    // Neither is it sent again.
    expect(api.requests).toHaveLength(1);
  });

  it('end a call whose body never ends', async () => {
    await using api = await startServer((_, response) => {
      response.writeHead(200).write('{"half":');
    });
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request({ ...GET, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'ERR_KUBE_TIMEOUT',
    });
  });

  it('end a call that waits for a login', async () => {
    await using api = await startServer((_, response) => sendJson(response, 200, {}));
    const config = configFor(api.url, { readAuthorization: () => new Promise(() => undefined) });
    await using transport = createTransport(config);
    await expect(transport.request({ ...GET, timeoutMs: 20 })).rejects.toMatchObject({
      code: 'ERR_KUBE_TIMEOUT',
    });
    expect(api.requests).toEqual([]);
  });

  it.each([
    ['no reason', undefined],
    ['a reason of its own', new Error('the lease was lost')],
    ['a reason that is no error', 'because'],
  ])('say that the caller aborted, with %s', async (_, reason) => {
    await using api = await startServer(() => controller.abort(reason));
    await using transport = createTransport(configFor(api.url));
    const controller = new AbortController();
    for (const call of [GET, POST]) {
      await expect(transport.request({ ...call, signal: controller.signal })).rejects.toMatchObject(
        { code: 'ERR_KUBE_ABORTED', retryable: false },
      );
    }
    // The second call was aborted before it began.
    expect(api.requests).toHaveLength(1);
  });
});

describe('repeating', () => {
  it.each([GET, POST])('waits as long as a 429 asks to: $method', async (call) => {
    let answeredAtMs = 0;
    await using api = await startServer((_, response) => {
      if (api.requests.length === 1) {
        answeredAtMs = performance.now();
        sendJson(response, 429, { kind: 'Status' }, { 'retry-after': '1' });
      } else {
        sendJson(response, 200, { waitedMs: performance.now() - answeredAtMs });
      }
    });
    await using transport = createTransport(configFor(api.url));
    const { waitedMs } = JSON.parse(await transport.request(call)) as { waitedMs: number };
    expect(waitedMs).toBeGreaterThan(950);
    expect(api.requests).toHaveLength(2);
  });

  it('ends after three attempts', async () => {
    await using api = await startServer((_, response) =>
      sendJson(response, 429, { kind: 'Status' }, { 'retry-after': '0' }),
    );
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(GET)).rejects.toMatchObject({
      code: 'ERR_KUBE_TOO_MANY_REQUESTS',
      retryAfterMs: 0,
    });
    expect(api.requests).toHaveLength(3);
  });

  it('leaves a long wait to the caller', async () => {
    await using api = await startServer((_, response) =>
      sendJson(response, 429, { kind: 'Status' }, { 'retry-after': '60' }),
    );
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(GET)).rejects.toMatchObject({ retryAfterMs: 60_000 });
    expect(api.requests).toHaveLength(1);
  });

  it.each(['soon', '-1'])('takes a Retry-After of %j for none', async (header) => {
    await using api = await startServer((_, response) =>
      sendJson(
        response,
        429,
        { kind: 'Status', details: { retryAfterSeconds: 60 } },
        { 'retry-after': header },
      ),
    );
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(GET)).rejects.toMatchObject({ retryAfterMs: 60_000 });
  });

  it('keeps to the time-out while it waits, and then says what the server said', async () => {
    await using api = await startServer((_, response) =>
      sendJson(response, 429, { kind: 'Status' }, { 'retry-after': '5' }),
    );
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request({ ...GET, timeoutMs: 200 })).rejects.toMatchObject({
      code: 'ERR_KUBE_TOO_MANY_REQUESTS',
    });
  });

  it('ends at once when it is aborted while it waits', async () => {
    await using api = await startServer((_, response) =>
      sendJson(response, 429, { kind: 'Status' }, { 'retry-after': '5' }),
    );
    await using transport = createTransport(configFor(api.url));
    const controller = new AbortController();
    const call = transport.request({ ...GET, signal: controller.signal });
    await eventually(() => api.requests.length === 1, { what: 'the request' });
    await delay(20);
    controller.abort();
    await expect(call).rejects.toMatchObject({ code: 'ERR_KUBE_ABORTED' });
  });

  it('sends a read again when the connection breaks, before or inside the answer', async () => {
    await using api = await startServer((_, response) => {
      if (api.requests.length === 1) response.destroy();
      else if (api.requests.length === 2) {
        response.writeHead(200, { 'content-length': '100' }).write('{"half":', () => {
          response.destroy();
        });
      } else sendJson(response, 200, { ok: true });
    });
    await using transport = createTransport(configFor(api.url));
    expect(await transport.request(GET)).toBe('{"ok":true}');
    expect(api.requests).toHaveLength(3);
  });

  it('never sends a write again when the connection breaks: it may have taken effect', async () => {
    await using api = await startServer((_, response) => response.destroy());
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(POST)).rejects.toMatchObject({
      code: 'ERR_KUBE_NETWORK',
      status: undefined,
      retryable: true,
    });
    expect(api.requests).toHaveLength(1);
  });

  it('names a server that is not there', async () => {
    const api = await startServer(() => undefined);
    await api[Symbol.asyncDispose]();
    await using transport = createTransport(configFor(api.url));
    await expect(transport.request(GET)).rejects.toMatchObject({
      code: 'ERR_KUBE_NETWORK',
      message: 'get ConfigMap a/b: the connection failed (ECONNREFUSED)',
    });
  });
});

describe('tokens', () => {
  /** Takes only requests with the token that is valid now. */
  async function startGuarded(valid: { token: string }) {
    return startServer((request, response) => {
      const ok = request.headers.authorization === `Bearer ${valid.token}`;
      sendJson(response, ok ? 200 : 401, ok ? {} : { kind: 'Status', reason: 'Unauthorized' });
    });
  }

  it('are read anew after a 401, once for all calls that were refused', async () => {
    const valid = { token: 'one' };
    await using api = await startGuarded(valid);
    const config = configFor(api.url, { token: 'one' });
    await using transport = createTransport(config);
    await transport.request(GET);
    expect(config.reads).toBe(1);
    valid.token = 'two';
    config.token = 'two';
    await Promise.all(Array.from({ length: 20 }, () => transport.request(POST)));
    expect(config.reads).toBe(2);
    await readAll(transport, GET);
    expect(config.reads).toBe(2);
  });

  it('that stay refused end the call after one more attempt, and are in no error', async () => {
    await using api = await startGuarded({ token: 'other' });
    await using transport = createTransport(configFor(api.url, { token: 'canary-77' }));
    const error = await transport.request(GET).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'ERR_KUBE_UNAUTHORIZED', status: 401 });
    expect(api.requests).toHaveLength(2);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary');
  });

  it('are read anew when they are older than a minute', async () => {
    const valid = { token: 'one' };
    await using api = await startGuarded(valid);
    const config = configFor(api.url, { token: 'one' });
    let nowMs = 0;
    await using transport = createTransport(config, { clock: { monotonicMs: () => nowMs } });
    await Promise.all([transport.request(GET), transport.request(GET)]);
    nowMs = 59_999;
    await transport.request(GET);
    expect(config.reads).toBe(1);
    nowMs = 60_000;
    config.token = 'two';
    valid.token = 'two';
    await transport.request(GET);
    expect([config.reads, api.requests.length]).toEqual([2, 4]);
  });

  it('that cannot be read for a moment are used on; it counts when they are refused', async () => {
    const valid = { token: 'one' };
    await using api = await startGuarded(valid);
    const config = configFor(api.url, { token: 'one' });
    let nowMs = 0;
    await using transport = createTransport(config, { clock: { monotonicMs: () => nowMs } });
    await transport.request(GET);
    nowMs = 60_000;
    config.failing = true;
    await transport.request(GET);
    valid.token = 'two';
    await expect(transport.request(GET)).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFIG',
      message: 'the token cannot be read',
    });
    config.failing = false;
    config.token = 'two';
    await transport.request(GET);
  });
});

describe('TLS', () => {
  let first: CertificateAuthority;
  let second: CertificateAuthority;

  beforeAll(async () => {
    first = await CertificateAuthority.create('first');
    second = await CertificateAuthority.create('second');
  });

  async function startTls(authority: CertificateAuthority, hosts: readonly string[]) {
    const { certificate, key } = await authority.issue({ commonName: 'api', hosts });
    return startServer(
      (request, response) => {
        if (request.url?.includes('watch') === true) response.writeHead(200).write('{}\n');
        else sendJson(response, 200, {});
      },
      { cert: certificate, key },
    );
  }

  it('refuses a server that the CA did not sign, and sends it nothing', async () => {
    await using api = await startTls(second, ['127.0.0.1']);
    const config = configFor(api.url, { ca: first.pair.certificate, token: 'canary' });
    await using transport = createTransport(config);
    await expect(transport.request(POST)).rejects.toMatchObject({ code: 'ERR_KUBE_NETWORK' });
    expect(api.requests).toEqual([]);
  });

  it('refuses a server of another name, and takes the name that the configuration gives', async () => {
    await using api = await startTls(first, ['api.internal']);
    const config = configFor(api.url, { ca: first.pair.certificate });
    await using wrong = createTransport(config);
    await expect(wrong.request(POST)).rejects.toMatchObject({
      message: 'create ConfigMap a/b: the connection failed (ERR_TLS_CERT_ALTNAME_INVALID)',
    });
    await using right = createTransport({ ...config, tlsServerName: 'api.internal' });
    expect(await right.request(POST)).toBe('{}');
  });

  it('follows a CA that changes: new connections for new calls, running watches go on', async () => {
    await using api = await startTls(first, ['127.0.0.1']);
    const config = configFor(api.url, { ca: first.pair.certificate });
    let nowMs = 0;
    await using transport = createTransport(config, { clock: { monotonicMs: () => nowMs } });
    const watch = await transport.stream({ ...GET, path: '/watch' });
    const chunks = watch[Symbol.asyncIterator]();
    await chunks.next();

    const renewed = await second.issue({ commonName: 'api', hosts: ['127.0.0.1'] });
    const server = api.server as unknown as Server;
    server.setSecureContext({ cert: renewed.certificate, key: renewed.key });
    config.ca = second.pair.certificate;
    nowMs = 60_000;
    await transport.request(GET);
    await transport.request(POST);

    // The old watch still has its connection; it ends with the transport.
    const next = chunks.next();
    const settled = next.then(
      () => 'ended',
      () => 'broken',
    );
    expect(await Promise.race([settled, delay(50, 'running')])).toBe('running');
    await transport[Symbol.asyncDispose]();
    expect(await settled).toBe('broken');
  });

  it('logs in with a client certificate', async () => {
    const { certificate, key } = await first.issue({ commonName: 'api', hosts: ['127.0.0.1'] });
    const user = await first.issue({ commonName: 'alice' });
    await using api = await startServer(
      (request, response) => {
        const { subject } = (request.socket as TLSSocket).getPeerCertificate();
        sendJson(response, 200, { user: subject.CN });
      },
      { cert: certificate, key, ca: first.pair.certificate, requestCert: true },
    );
    await using transport = createTransport(
      configFor(api.url, {
        ca: first.pair.certificate,
        readClientCertificate: async () => ({ cert: user.certificate, key: user.key }),
      }),
    );
    expect(await transport.request(GET)).toBe('{"user":"alice"}');
  });
});

describe('a stream', () => {
  it('has a connection of its own', async () => {
    await using api = await startServer((_, response) => {
      response.writeHead(200).write('{}\n');
    });
    await using transport = createTransport(configFor(api.url));
    const controller = new AbortController();
    const open = await Promise.all(
      [1, 2, 3].map(() => transport.stream({ ...GET, signal: controller.signal })),
    );
    expect(open).toHaveLength(3);
    expect(api.sockets.size).toBe(3);
    const reading = Promise.allSettled(
      open.map(async (chunks) => {
        for await (const _ of chunks);
      }),
    );
    controller.abort();
    await reading;
    await eventually(() => api.sockets.size === 0, { what: 'the connections to close' });
  });

  it('is refused like a request', async () => {
    await using api = await startServer((_, response) =>
      sendJson(response, 410, { kind: 'Status', reason: 'Expired', message: 'too old' }),
    );
    await using transport = createTransport(configFor(api.url));
    await expect(transport.stream(GET)).rejects.toMatchObject({ code: 'ERR_KUBE_GONE' });
  });
});

describe('observe', () => {
  it('is told of every attempt: verb, resource, outcome and seconds', async () => {
    const seen: RequestObservation[] = [];
    await using api = await startServer((_, response) => {
      if (api.requests.length === 1) response.destroy();
      else if (api.requests.length === 2) sendJson(response, 200, {});
      else sendJson(response, 404, { kind: 'Status' });
    });
    await using transport = createTransport(configFor(api.url), {
      observe: (observation) => seen.push(observation),
    });
    await transport.request(GET);
    await transport.request(POST).catch(() => undefined);
    expect(seen).toEqual(
      ['ERR_KUBE_NETWORK', 200, 404].map((status) => ({
        verb: 'get',
        resource: 'configmaps',
        status,
        seconds: expect.closeTo(0.5, 0) as number,
      })),
    );
  });
});
