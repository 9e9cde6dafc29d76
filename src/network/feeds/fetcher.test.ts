import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { systemClock } from '#runtime/clock.ts';
import { CertificateAuthority } from '../../../test/cluster/certificates.ts';
import { eventually } from '../../../test/eventually.ts';
import { sendJson, startServer } from '../../../test/http-server.ts';
import type { TestServer } from '../../../test/http-server.ts';
import { addressSet, EMPTY_SET } from '../cidr/address-set.ts';
import { FeedError } from './feed-error.ts';
import type { FeedCopy, FeedOutcome, FeedSource } from './feed.ts';
import { createFeedFetcher } from './fetcher.ts';
import type { FeedFetcherDeps } from './fetcher.ts';
import { createPinnedDispatcher } from './pinned-connection.ts';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

const LIST = '5.8.37.7\n1.10.16.0/20\n';
const API_KEY = 'canary-8f3b2c';
const HOSTS = ['lists.example.com', 'mirror.example.com', 'inside.example.com'];
const never = new AbortController().signal;

let ca: string;
let secure: TestServer;
let plain: TestServer;
let answer: Handler;
/** Headers of every request, whichever server it came to. */
let received: IncomingMessage['headers'][] = [];

beforeAll(async () => {
  const authority = await CertificateAuthority.create('feeds');
  ca = authority.pair.certificate;
  const { certificate, key } = await authority.issue({ commonName: 'lists', hosts: HOSTS });
  const handle: Handler = (request, response) => {
    received.push(request.headers);
    return answer(request, response);
  };
  secure = await startServer(handle, { cert: certificate, key });
  plain = await startServer(handle);
});

afterAll(async () => {
  await secure[Symbol.asyncDispose]();
  await plain[Symbol.asyncDispose]();
});

afterEach(() => {
  received = [];
  vi.unstubAllEnvs();
});

function urlOf(host: string, path = '/list.txt'): string {
  return `https://${host}:${new URL(secure.url).port}${path}`;
}

/** Plain HTTP, as inside a cluster; only an allowed origin can be so. */
function insideUrl(path = '/list.txt', host = 'inside.example.com'): string {
  return `http://${host}:${new URL(plain.url).port}${path}`;
}

function source(over: Partial<FeedSource> = {}): FeedSource {
  return { name: 'scanners', url: urlOf('lists.example.com'), format: 'Plain', ...over };
}

/** A fetcher to whom every host is public, and every public address is the server of the test. */
function scene(over: Partial<FeedFetcherDeps> = {}) {
  const connected: (readonly string[])[] = [];
  const lookedUp: string[] = [];
  const dns: Record<string, readonly string[]> = {};
  const fetcher = createFeedFetcher({
    clock: systemClock,
    lookUp: async (host) => {
      lookedUp.push(host);
      return dns[host] ?? ['203.0.113.7'];
    },
    readKey: () => Promise.reject(new FeedError('Refused', 'cannot be asked: no such Secret')),
    allowedOrigins: [],
    clusterRanges: () => EMPTY_SET,
    connect: (addresses) => {
      connected.push(addresses);
      return createPinnedDispatcher(['127.0.0.1'], { ca });
    },
    ...over,
  });
  return { fetcher, connected, lookedUp, dns };
}

function copyOf(outcome: FeedOutcome): FeedCopy {
  if (outcome.kind !== 'Fetched') throw new Error(`${outcome.kind}: ${outcome.message}`);
  return outcome.copy;
}

function cidrsOf(outcome: FeedOutcome): readonly string[] {
  return copyOf(outcome).items.map(({ cidr }) => cidr);
}

function matching(kind: FeedOutcome['kind'], message: RegExp): unknown {
  return { kind, message: expect.stringMatching(message) as string };
}

async function connectionsClosed(): Promise<void> {
  await eventually(() => secure.sockets.size === 0, { what: 'the connections to be closed' });
}

/** Until more can be written, or nobody wants it any more. */
async function drained(response: ServerResponse): Promise<void> {
  const stop = new AbortController();
  const { signal } = stop;
  await Promise.race([once(response, 'drain', { signal }), once(response, 'close', { signal })]);
  stop.abort();
}

describe('a list', () => {
  it('is fetched with what is needed to ask for changes later', async () => {
    answer = (_, response) => {
      response.setHeader('etag', '"v1"');
      response.setHeader('last-modified', 'Tue, 24 Nov 2026 08:00:00 GMT');
      response.end(LIST);
    };
    const { fetcher, connected } = scene();
    const before = Date.now();
    const outcome = await fetcher.fetch(source(), undefined, never);
    expect(outcome).toEqual({
      kind: 'Fetched',
      isNew: true,
      copy: {
        url: source().url,
        format: 'Plain',
        items: [{ cidr: '1.10.16.0/20' }, { cidr: '5.8.37.7/32' }],
        counts: { entries: 2, corrected: 0, skipped: 0, skippedSamples: [] },
        fetchedAtMs: expect.any(Number) as number,
        etag: '"v1"',
        lastModified: 'Tue, 24 Nov 2026 08:00:00 GMT',
      },
    });
    expect(copyOf(outcome).fetchedAtMs).toBeGreaterThanOrEqual(before);
    expect(connected).toEqual([['203.0.113.7']]);
    expect(received[0]?.['host']).toBe(new URL(source().url).host);
    expect(received[0]?.['if-none-match']).toBeUndefined();
  });

  it('is not sent again while it is the same', async () => {
    answer = (request, response) => {
      response.setHeader('etag', '"v1"');
      if (request.headers['if-none-match'] === '"v1"') response.writeHead(304).end();
      else response.end(LIST);
    };
    const { fetcher } = scene();
    const first = copyOf(await fetcher.fetch(source(), undefined, never));
    const old = { ...first, fetchedAtMs: 1, shrunkTo: 0 };
    const again = await fetcher.fetch(source(), old, never);
    expect(again).toEqual({
      kind: 'Fetched',
      isNew: false,
      copy: { ...first, fetchedAtMs: expect.any(Number) as number },
    });
    expect(copyOf(again).fetchedAtMs).toBeGreaterThan(1);
  });

  it('is asked for anew when the copy is of another list', async () => {
    answer = (_, response) => response.setHeader('etag', '"v1"').end(LIST);
    const { fetcher } = scene();
    const first = copyOf(await fetcher.fetch(source(), undefined, never));
    await fetcher.fetch(source({ url: urlOf('mirror.example.com') }), first, never);
    await fetcher.fetch(source({ format: 'Netset' }), first, never);
    await fetcher.fetch(source({ maxEntries: 1 }), first, never);
    expect(received.map((headers) => headers['if-none-match'])).toEqual(
      Array.from({ length: 4 }, () => undefined),
    );
  });

  it('is the same one or a new one by what it holds', async () => {
    answer = (_, response) => response.end(LIST);
    const { fetcher } = scene();
    const first = await fetcher.fetch(source(), undefined, never);
    expect(await fetcher.fetch(source(), copyOf(first), never)).toEqual(
      expect.objectContaining({ isNew: false }),
    );
    answer = (_, response) => response.end(`${LIST}8.8.8.8\n`);
    expect(await fetcher.fetch(source(), copyOf(first), never)).toEqual(
      expect.objectContaining({ isNew: true }),
    );
  });

  it('is read compressed', async () => {
    answer = (request, response) => {
      expect(request.headers['accept-encoding']).toBe('gzip');
      response.setHeader('content-encoding', 'gzip').end(gzipSync(LIST));
    };
    expect(cidrsOf(await scene().fetcher.fetch(source(), undefined, never))).toEqual([
      '1.10.16.0/20',
      '5.8.37.7/32',
    ]);
  });

  it('that shrinks below a tenth is believed the second time', async () => {
    const long = Array.from({ length: 100 }, (_, index) => `9.${index}.0.1`).join('\n');
    answer = (_, response) => response.end(long);
    const { fetcher } = scene();
    const first = copyOf(await fetcher.fetch(source(), undefined, never));
    answer = (_, response) => response.end('9.9.9.9\n'.repeat(9));
    const held = await fetcher.fetch(source(), first, never);
    expect(held).toEqual({
      kind: 'Held',
      copy: { ...first, shrunkTo: 9 },
      message:
        'the feed scanners has shrunk from 100 to 9 entries; the old list stays until the next ' +
        'answer is as short',
    });
    const heldCopy = held.kind === 'Held' ? held.copy : undefined;
    expect(cidrsOf(await fetcher.fetch(source(), heldCopy, never))).toEqual(['9.9.9.9/32']);
    answer = (_, response) => response.end('9.9.9.9\n'.repeat(10));
    expect(cidrsOf(await fetcher.fetch(source(), first, never))).toEqual(['9.9.9.9/32']);
  });

  it.each([
    ['Netset', '<html>', /web page/],
    ['SpamhausDrop', '{"cidr":"1.10.16.0/20"}\n{"cid', /cut off/],
    ['Plain', '', /answers with nothing/],
    ['Plain', 'a\nb\n', /no list of addresses/],
    ['CrowdSec', '{"new":[', /cut off/],
  ] as const)('of the format %s is refused as a whole: %s', async (format, body, message) => {
    answer = (_, response) => response.end(body);
    expect(await scene().fetcher.fetch(source({ format }), undefined, never)).toEqual(
      matching('Refused', message),
    );
  });
});

describe('where a feed may come from', () => {
  it.each([
    '10.0.0.7',
    '127.0.0.1',
    '169.254.169.254',
    '192.168.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '::1',
    'fd00::1',
    'fe80::1%eth0',
    '::ffff:10.0.0.7',
    '64:ff9b::a9fe:a9fe',
    '2002:a00:7::1',
  ])('not a host that is %s', async (address) => {
    const { fetcher, connected, dns } = scene();
    dns['lists.example.com'] = ['203.0.113.7', address];
    const outcome = await fetcher.fetch(source(), undefined, never);
    expect(outcome).toEqual(matching('Refused', /is inside the cluster or not public/));
    expect(connected).toEqual([]);
  });

  it.each(['https://10.0.0.7/', 'https://[::1]/', 'https://2130706433/', 'https://0x7f.1/'])(
    'not %s',
    async (url) => {
      const { fetcher, connected, lookedUp } = scene();
      const outcome = await fetcher.fetch(source({ url }), undefined, never);
      expect(outcome).toEqual(matching('Refused', /is inside the cluster or not public/));
      expect([connected, lookedUp]).toEqual([[], []]);
    },
  );

  it('not the cluster, though its addresses be public', async () => {
    const { fetcher, connected } = scene({ clusterRanges: () => addressSet(['203.0.113.0/24']) });
    const outcome = await fetcher.fetch(source(), undefined, never);
    expect(outcome).toEqual(matching('Refused', /203\.0\.113\.7 is inside the cluster/));
    expect(connected).toEqual([]);
  });

  it.each([
    ['http://lists.example.com/', /not https/],
    ['ftp://lists.example.com/', /must begin with https/],
    ['file:///etc/passwd', /must begin with https/],
    ['lists.example.com', /must begin with https/],
    ['https://user:secret@lists.example.com/', /user name or password/],
  ])('not %s', async (url, message) => {
    const { fetcher, connected, lookedUp } = scene();
    const outcome = await fetcher.fetch(source({ url }), undefined, never);
    expect(outcome).toEqual(matching('Refused', message));
    expect(JSON.stringify(outcome)).not.toContain('secret');
    expect([connected, lookedUp]).toEqual([[], []]);
  });

  it('from inside the cluster, without TLS, where the operator allows it', async () => {
    answer = (_, response) => response.end(LIST);
    const { fetcher, connected, dns } = scene({ allowedOrigins: [insideUrl('/')] });
    dns['inside.example.com'] = ['127.0.0.1'];
    expect(
      cidrsOf(await fetcher.fetch(source({ url: insideUrl() }), undefined, never)),
    ).toHaveLength(2);
    expect(connected).toEqual([['127.0.0.1']]);
    const other = source({ url: insideUrl('/', 'lists.example.com') });
    expect(await fetcher.fetch(other, undefined, never)).toEqual(matching('Refused', /not https/));
  });

  it('a host that is not found is no fault of the list', async () => {
    const { fetcher } = scene({
      lookUp: () => Promise.reject(Object.assign(new Error('no'), { code: 'ENOTFOUND' })),
    });
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Unreachable', /host that is not found: lists\.example\.com \(ENOTFOUND\)/),
    );
  });

  it('only whom the certificate names', async () => {
    answer = (_, response) => response.end(LIST);
    const { fetcher } = scene();
    const url = urlOf('other.example.com');
    expect(await fetcher.fetch(source({ url }), undefined, never)).toEqual(
      matching('Unreachable', /ERR_TLS_CERT_ALTNAME_INVALID/),
    );
  });

  it('directly, whatever proxy the environment names', async () => {
    for (const name of ['HTTPS_PROXY', 'https_proxy', 'HTTP_PROXY', 'http_proxy', 'ALL_PROXY']) {
      vi.stubEnv(name, 'http://127.0.0.1:1');
    }
    answer = (_, response) => response.end(LIST);
    expect(cidrsOf(await scene().fetcher.fetch(source(), undefined, never))).toHaveLength(2);
  });
});

describe('a name that is rebound', () => {
  it('is looked up once, and the connection goes to what was checked', async () => {
    answer = (_, response) => response.end(LIST);
    const answers = [['203.0.113.7'], ['10.0.0.7'], ['10.0.0.7']];
    const connected: (readonly string[])[] = [];
    const { fetcher } = scene({
      lookUp: async () => answers.shift() ?? [],
      connect: (addresses) => {
        connected.push(addresses);
        return createPinnedDispatcher(['127.0.0.1'], { ca });
      },
    });
    await fetcher.fetch(source(), undefined, never);
    expect(connected).toEqual([['203.0.113.7']]);
    expect(answers).toHaveLength(2);
    // The next time it is inside, and so is not connected to.
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Refused', /10\.0\.0\.7/),
    );
    expect(connected).toHaveLength(1);
  });

  it('reaches no other address than those given, though the name resolves', async () => {
    // localhost is 127.0.0.1, where the server is; on 127.0.0.2 nobody listens.
    answer = (_, response) => response.end(LIST);
    const url = insideUrl('/', 'localhost');
    const allowedOrigins = [url];
    const there = scene({ allowedOrigins, connect: createPinnedDispatcher });
    there.dns['localhost'] = ['127.0.0.1'];
    expect((await there.fetcher.fetch(source({ url }), undefined, never)).kind).toBe('Fetched');
    const elsewhere = scene({ allowedOrigins, connect: createPinnedDispatcher });
    elsewhere.dns['localhost'] = ['127.0.0.2'];
    expect(await elsewhere.fetcher.fetch(source({ url }), undefined, never)).toEqual(
      matching('Unreachable', /ECONNREFUSED/),
    );
  });
});

describe('redirects', () => {
  function redirecting(to: Readonly<Record<string, string>>): Handler {
    return (request, response) => {
      const location = to[request.url ?? ''];
      if (location === undefined) response.end(LIST);
      else response.writeHead(302, { location }).end('moved');
    };
  }

  it.each([301, 302, 303, 307, 308])('of status %s are followed, and checked', async (status) => {
    answer = (request, response) => {
      if (request.url === '/new') response.end(LIST);
      else response.writeHead(status, { location: urlOf('mirror.example.com', '/new') }).end();
    };
    const { fetcher, lookedUp, connected } = scene();
    expect(cidrsOf(await fetcher.fetch(source(), undefined, never))).toHaveLength(2);
    expect(lookedUp).toEqual(['lists.example.com', 'mirror.example.com']);
    expect(connected).toHaveLength(2);
  });

  it('are followed three times and no more', async () => {
    answer = redirecting({ '/list.txt': '/1', '/1': '/2', '/2': '/3' });
    expect(cidrsOf(await scene().fetcher.fetch(source(), undefined, never))).toHaveLength(2);
    answer = redirecting({ '/list.txt': '/1', '/1': '/2', '/2': '/3', '/3': '/4' });
    expect(await scene().fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Refused', /redirects more than 3 times/),
    );
  });

  it.each([
    ['the metadata service', 'http://169.254.169.254/latest/meta-data/', /not https/],
    ['the same with TLS', 'https://169.254.169.254/', /not public/],
    ['a Service', 'https://kubernetes.default.svc/api', /10\.96\.0\.1 is inside/],
    ['plain HTTP', 'http://mirror.example.com/', /not https/],
    ['a file', 'file:///var/run/secrets', /must begin with https/],
    ['somebody with a password', 'https://a:b@mirror.example.com/', /password/],
    ['nowhere', 'https://', /redirects to nowhere/],
    ['nothing', '', /redirects to nowhere/],
  ])('to %s are refused', async (_, location, message) => {
    answer = redirecting({ '/list.txt': location });
    const { fetcher, dns, connected } = scene();
    dns['kubernetes.default.svc'] = ['10.96.0.1'];
    const outcome = await fetcher.fetch(source(), undefined, never);
    expect(outcome).toEqual(matching('Refused', message));
    expect(connected).toHaveLength(1);
  });

  it('lend nobody what the operator allows to an origin', async () => {
    const { fetcher, dns, connected } = scene({ allowedOrigins: [insideUrl('/')] });
    dns['inside.example.com'] = ['127.0.0.1'];
    answer = redirecting({ '/list.txt': insideUrl('/other') });
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Refused', /not https/),
    );
    expect(connected).toHaveLength(1);
  });

  it('of an allowed origin stay there, or are checked like any other', async () => {
    const { fetcher, dns } = scene({
      allowedOrigins: [insideUrl('/'), insideUrl('/', 'lists.example.com')],
    });
    dns['inside.example.com'] = ['127.0.0.1'];
    dns['lists.example.com'] = ['127.0.0.1'];
    const inside = source({ url: insideUrl() });
    answer = redirecting({ '/list.txt': '/new' });
    expect(cidrsOf(await fetcher.fetch(inside, undefined, never))).toHaveLength(2);
    answer = redirecting({ '/list.txt': insideUrl('/new', 'lists.example.com') });
    expect(await fetcher.fetch(inside, undefined, never)).toEqual(matching('Refused', /not https/));
    answer = redirecting({
      '/list.txt': urlOf('mirror.example.com', '/back'),
      '/back': insideUrl('/'),
    });
    expect(await fetcher.fetch(inside, undefined, never)).toEqual(matching('Refused', /not https/));
  });
});

describe('keys', () => {
  function withKey(origin: string): ReturnType<typeof scene> {
    return scene({ readKey: async () => ({ origin, apiKey: API_KEY }) });
  }
  const keyed = { apiKeySecret: 'lapi' };
  const keysSent = (): unknown => received.map((headers) => headers['x-api-key']);

  it('go to their own origin', async () => {
    answer = (_, response) => response.end(LIST);
    const { fetcher } = withKey(new URL(urlOf('lists.example.com')).origin);
    await fetcher.fetch(source(keyed), undefined, never);
    expect(keysSent()).toEqual([API_KEY]);
  });

  it('are not sent where the feed names another origin: nothing is', async () => {
    answer = (_, response) => response.end(LIST);
    const { fetcher, connected } = withKey('https://lists.example.com');
    const outcome = await fetcher.fetch(source(keyed), undefined, never);
    expect(outcome).toEqual(matching('Refused', /is for another origin than its URL/));
    expect(connected).toEqual([]);
    expect(JSON.stringify(outcome)).not.toContain(API_KEY);
  });

  it('do not go along to another origin', async () => {
    answer = (request, response) => {
      if (request.headers.host?.startsWith('mirror') === true) response.end(LIST);
      else response.writeHead(302, { location: urlOf('mirror.example.com', '/') }).end();
    };
    const { fetcher } = withKey(new URL(urlOf('lists.example.com')).origin);
    await fetcher.fetch(source(keyed), undefined, never);
    expect(keysSent()).toEqual([API_KEY, undefined]);
  });

  it('stay out of what is told of failures', async () => {
    answer = (_, response) => response.writeHead(403).end(`bad key ${API_KEY}`);
    const { fetcher } = withKey(new URL(urlOf('lists.example.com')).origin);
    const outcome = await fetcher.fetch(source(keyed), undefined, never);
    expect(outcome).toEqual(matching('Refused', /HTTP 403: it refuses access/));
    expect(JSON.stringify(outcome)).not.toContain(API_KEY);
  });
});

describe('servers that misbehave', () => {
  it.each([
    [404, 'Refused'],
    [401, 'Refused'],
    [204, 'Refused'],
    [206, 'Refused'],
    [304, 'Refused'],
    [429, 'Unreachable'],
    [500, 'Unreachable'],
    [503, 'Unreachable'],
  ] as const)('with status %s are %s', async (status, kind) => {
    answer = (_, response) => response.writeHead(status).end();
    expect(await scene().fetcher.fetch(source(), undefined, never)).toEqual(
      matching(kind, new RegExp(`HTTP ${status}`)),
    );
  });

  it('by silence', async () => {
    answer = () => undefined;
    const { fetcher } = scene({ limits: { firstByteMs: 200 } });
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Unreachable', /gave no answer within 0\.2 s/),
    );
    await connectionsClosed();
  });

  it('by a DNS that is silent', async () => {
    const { fetcher } = scene({
      lookUp: () => new Promise<never>(() => undefined),
      limits: { firstByteMs: 100 },
    });
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Unreachable', /gave no answer/),
    );
  });

  it('by going on and on', async () => {
    answer = async (_, response) => {
      while (response.writable) {
        response.write('# still here\n');
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const { fetcher } = scene({ limits: { wholeMs: 400 } });
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Unreachable', /was not read within 0\.4 s/),
    );
    await connectionsClosed();
  });

  it('by 500 MB, which are not read to the end', async () => {
    const chunk = Buffer.from(`# ${'x'.repeat(1020)}\n`.repeat(1024));
    let sent = 0;
    answer = async (_, response) => {
      while (response.writable && sent < 500 * 2 ** 20) {
        sent += chunk.length;
        if (!response.write(chunk)) await drained(response);
      }
      response.end();
    };
    const outcome = await scene().fetcher.fetch(source(), undefined, never);
    expect(outcome).toEqual(matching('Refused', /is larger than 64 MiB/));
    expect(sent).toBeGreaterThan(64 * 2 ** 20);
    expect(sent).toBeLessThan(100 * 2 ** 20);
  });

  it('by the promise of 500 MB, of which nothing is read', async () => {
    answer = (_, response) => {
      response.writeHead(200, { 'content-length': 500 * 2 ** 20 });
      response.write(LIST);
    };
    expect(await scene().fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Refused', /is larger than 64 MiB/),
    );
  });

  it('by many lines, of which only the allowed number is read', async () => {
    let sent = 0;
    answer = async (_, response) => {
      while (response.writable && sent < 50_000_000) {
        const chunk = '9.9.9.9\n'.repeat(8192);
        sent += chunk.length;
        if (!response.write(chunk)) await drained(response);
      }
      response.end();
    };
    expect(await scene().fetcher.fetch(source({ maxEntries: 50_000 }), undefined, never)).toEqual(
      matching('Refused', /more than 50000 entries/),
    );
    // Some megabytes fit into the buffers of the connection.
    expect(sent).toBeLessThan(40_000_000);
  });

  it('by a bomb of gzip', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * 2 ** 20, '\n'));
    answer = (_, response) => response.setHeader('content-encoding', 'gzip').end(bomb);
    expect(bomb.length).toBeLessThan(2 ** 20);
    const { fetcher } = scene({ limits: { maxBytes: 2 ** 20 } });
    expect(await fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Refused', /is larger than 1 MiB/),
    );
  });

  it.each([
    [
      'gzip that ends early',
      'gzip',
      gzipSync(LIST.repeat(1000)).subarray(0, 40),
      /gzip has no end/,
    ],
    ['no gzip', 'gzip', Buffer.from(LIST), /broken gzip/],
    ['another encoding', 'br', Buffer.from(LIST), /not asked for/],
    ['a compressed file', '', gzipSync(LIST), /no text/],
  ])('by %s', async (_, encoding, body, message) => {
    answer = (_request, response) => {
      if (encoding !== '') response.setHeader('content-encoding', encoding);
      response.end(body);
    };
    expect(await scene().fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Refused', message),
    );
  });

  it.each(['with', 'without'])('by breaking off, %s a length told', async (how) => {
    answer = (_, response) => {
      if (how === 'with') response.setHeader('content-length', 1000);
      response.write(LIST, () => response.destroy());
    };
    expect(await scene().fetcher.fetch(source(), undefined, never)).toEqual(
      matching('Unreachable', /broke off/),
    );
  });

  it('and a fetch that is given up rejects with the reason', async () => {
    const stop = new AbortController();
    answer = () => stop.abort(new Error('shutting down'));
    await expect(scene().fetcher.fetch(source(), undefined, stop.signal)).rejects.toThrow(
      'shutting down',
    );
    await connectionsClosed();
  });
});

describe('decisions of CrowdSec', () => {
  const HOUR = 3_600_000;
  const lapi: FeedSource = {
    name: 'crowdsec',
    url: '',
    format: 'CrowdSec',
    apiKeySecret: 'lapi',
  };

  function ban(value: string, duration = '4h0m0s'): unknown {
    return { value, duration, type: 'ban', scope: 'Ip', origin: 'CAPI', scenario: 'ssh' };
  }

  function lapiScene(path = '/v1/decisions/stream') {
    let nowMs = 1_800_000_000_000;
    const questions: string[] = [];
    const answers: unknown[] = [];
    answer = (request, response) => {
      questions.push(request.url ?? '');
      const next = answers.shift();
      if (next === undefined) response.writeHead(500).end();
      else sendJson(response, 200, next);
    };
    const url = urlOf('lists.example.com', path);
    const { origin } = new URL(url);
    const { fetcher } = scene({
      clock: { ...systemClock, now: () => nowMs },
      readKey: async () => ({ origin, apiKey: API_KEY }),
    });
    const feed = { ...lapi, url };
    return {
      questions,
      pass: (ms: number) => {
        nowMs += ms;
      },
      now: () => nowMs,
      ask: (reply: unknown, previous?: FeedCopy, asked: FeedSource = feed) => {
        if (reply !== undefined) answers.push(reply);
        return fetcher.fetch(asked, previous, never);
      },
      feed,
    };
  }

  const everything = {
    new: [ban('5.8.37.7'), ban('9.9.9.9', '1h0m0s')],
    deleted: [ban('8.8.8.8')],
  };
  const FULL = '/v1/decisions/stream?startup=true';
  const CHANGES = '/v1/decisions/stream?startup=false';

  it.each(['/', '', '/v1/decisions/stream', '/v1/decisions/stream/'.slice(0, -1)])(
    'are asked for at the path of the stream: %s',
    async (path) => {
      const { ask, questions } = lapiScene(path);
      await ask(everything);
      expect(questions).toEqual([FULL]);
      expect(received[0]?.['x-api-key']).toBe(API_KEY);
    },
  );

  it('keep what else the URL asks for', async () => {
    const { ask, questions } = lapiScene(
      '/lapi/v1/decisions/stream?origins=crowdsec&startup=maybe',
    );
    await ask(everything);
    expect(questions).toEqual(['/lapi/v1/decisions/stream?origins=crowdsec&startup=true']);
  });

  it('end when they say, by our clock', async () => {
    const { ask, now } = lapiScene();
    expect(copyOf(await ask(everything)).items).toEqual([
      { cidr: '5.8.37.7/32', expiresAtMs: now() + 4 * HOUR },
      { cidr: '9.9.9.9/32', expiresAtMs: now() + HOUR },
    ]);
  });

  it('come as changes once everything has come', async () => {
    const { ask, questions, pass, now } = lapiScene();
    const first = copyOf(await ask(everything));
    pass(60_000);
    const changes = { new: [ban('1.1.1.1')], deleted: [ban('9.9.9.9', '-1s')] };
    const second = copyOf(await ask(changes, first));
    expect(second.items).toEqual([
      { cidr: '1.1.1.1/32', expiresAtMs: now() + 4 * HOUR },
      { cidr: '5.8.37.7/32', expiresAtMs: now() - 60_000 + 4 * HOUR },
    ]);
    expect(second.counts.entries).toBe(2);
    const third = await ask({ new: null, deleted: null }, second);
    expect(third).toEqual(expect.objectContaining({ kind: 'Fetched', isNew: false }));
    expect(questions).toEqual([FULL, CHANGES, CHANGES]);
  });

  it('that ran out and came anew in one answer stand', async () => {
    const { ask, now } = lapiScene();
    const first = copyOf(await ask(everything));
    const changes = { new: [ban('9.9.9.9', '2h0m0s')], deleted: [ban('9.9.9.9', '-1s')] };
    expect(copyOf(await ask(changes, first)).items).toContainEqual({
      cidr: '9.9.9.9/32',
      expiresAtMs: now() + 2 * HOUR,
    });
  });

  it('that overlap end with the last of them', async () => {
    const { ask, now } = lapiScene();
    const first = copyOf(
      await ask({ new: [ban('9.9.9.9', '1h'), ban('9.9.9.9', '3h')], deleted: [] }),
    );
    expect(first.items).toEqual([{ cidr: '9.9.9.9/32', expiresAtMs: now() + 3 * HOUR }]);
    const second = copyOf(await ask({ new: [ban('9.9.9.9', '2h')], deleted: [] }, first));
    expect(second.items).toEqual(first.items);
  });

  it('are the same though their ends waver by a second', async () => {
    const { ask, pass } = lapiScene();
    const first = copyOf(await ask(everything));
    pass(2 * HOUR - 1000);
    const again = { new: [ban('5.8.37.7', '2h0m0s')], deleted: [] };
    const second = copyOf(await ask(again, { ...first }));
    expect(second.items).toEqual([first.items[0]]);
  });

  it('are asked for as a whole after anything went wrong, and every hour', async () => {
    const { ask, questions, pass } = lapiScene();
    const first = copyOf(await ask(everything));
    expect((await ask(undefined, first)).kind).toBe('Unreachable');
    const second = copyOf(await ask(everything, first));
    const third = copyOf(await ask({ new: [], deleted: [] }, second));
    pass(HOUR);
    const fourth = copyOf(
      await ask({ new: [ban('5.8.37.7'), ban('9.9.9.9')], deleted: [] }, third),
    );
    await ask({ new: [], deleted: [] }, { ...fourth });
    expect(questions).toEqual([FULL, CHANGES, FULL, CHANGES, FULL, FULL]);
  });

  it('are asked for as a whole where two feeds share a key', async () => {
    const { ask, questions, feed } = lapiScene();
    const first = copyOf(await ask(everything));
    await ask(everything, undefined, { ...feed, name: 'other' });
    await ask(everything, first);
    expect(questions).toEqual([FULL, FULL, FULL]);
  });

  it('that all go away at once are believed the second time, then asked as a whole', async () => {
    const { ask, questions } = lapiScene();
    const first = copyOf(await ask(everything));
    const held = await ask({ new: [], deleted: [ban('5.8.37.7'), ban('9.9.9.9')] }, first);
    expect(held).toEqual(expect.objectContaining({ kind: 'Held' }));
    const heldCopy = held.kind === 'Held' ? held.copy : undefined;
    expect(copyOf(await ask({ new: null, deleted: null }, heldCopy)).items).toEqual([]);
    expect(questions).toEqual([FULL, CHANGES, FULL]);
  });

  it('that ran out by themselves do not count as shrinking', async () => {
    const { ask, pass } = lapiScene();
    const first = copyOf(await ask(everything));
    pass(5 * HOUR);
    expect(copyOf(await ask({ new: [], deleted: [] }, first)).items).toEqual([]);
  });

  it('are refused when changes make them too many', async () => {
    const { ask, feed } = lapiScene();
    const small = { ...feed, maxEntries: 2 };
    const first = copyOf(await ask(everything, undefined, small));
    expect(await ask({ new: [ban('1.1.1.1')], deleted: [] }, first, small)).toEqual(
      matching('Refused', /more than 2 entries/),
    );
  });
});
