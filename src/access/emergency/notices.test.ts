import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import type { FakeClock } from '#runtime/testing/fake-clock.ts';
import { eventually } from '../../../test/eventually.ts';
import { startServer } from '../../../test/http-server.ts';
import type { TestServer } from '../../../test/http-server.ts';
import { createNoticeSink, noticeOf, parseNoticeUrl, signNotice } from './notices.ts';
import type { NoticeSink, NoticeSinkOptions } from './notices.ts';
import { postNotice } from './post-notice.ts';
import { emergencyAccess } from './testing/builders.ts';

interface Received {
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

let server: TestServer;
let answer: (response: ServerResponse) => void;
let received: Received[] = [];

beforeAll(async () => {
  server = await startServer(async (request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
    await once(request, 'end');
    received.push({ headers: request.headers, body });
    answer(response);
  });
});
afterAll(() => server[Symbol.asyncDispose]());
beforeEach(() => {
  received = [];
  answer = (response) => response.writeHead(204).end();
});

const access = emergencyAccess({ ticket: 'INC-7' });
const notice = noticeOf(
  access,
  {
    state: 'Active',
    requestedBy: { username: 'carol' },
    approvals: [{ username: 'bob', at: '2026-11-26T10:01:00Z', reason: 'go', self: false }],
    expiresAt: '2026-11-26T10:31:00Z',
  },
  { act: 'EmergencyActivated', type: 'Warning', note: 'alice has emergency access' },
  Date.parse('2026-11-26T10:01:00Z'),
);

describe('notices', () => {
  let clock: FakeClock;
  let lost: number;

  function start(options: Partial<NoticeSinkOptions> = {}): {
    readonly sink: NoticeSink;
    stop(): Promise<void>;
  } {
    clock = createFakeClock();
    lost = 0;
    const sink = createNoticeSink({
      url: new URL(`${server.url}/hook`),
      post: postNotice,
      clock,
      random: () => 0,
      log: silentLogger,
      onLost: () => void (lost += 1),
      ...options,
    });
    const end = new AbortController();
    const running = sink.run(end.signal);
    return {
      sink,
      stop: async () => {
        end.abort(new Error('over'));
        await running;
      },
    };
  }

  const arrived = (count: number): Promise<true> =>
    eventually(
      async () => {
        await clock.advance(1000);
        return received.length >= count ? true : undefined;
      },
      { what: `${count} requests` },
    );

  it('says who, what and why, in JSON', async () => {
    const { sink, stop } = start();
    sink.send(notice);
    await arrived(1);
    await stop();
    const [request] = received;
    expect(request?.headers).toMatchObject({ 'content-type': 'application/json' });
    expect(request?.headers).not.toHaveProperty('webhook-signature');
    expect(JSON.parse(request?.body ?? '')).toEqual({
      type: 'EmergencyActivated',
      time: '2026-11-26T10:01:00.000Z',
      message: 'alice has emergency access',
      access: {
        namespace: 'trading',
        name: 'night',
        uid: access.metadata.uid,
        state: 'Active',
        subject: 'alice',
        requestedBy: 'carol',
        reason: access.spec.reason,
        ticket: 'INC-7',
        permissions: ['AccessSecrets', 'EmergencyOverride'],
        credentials: ['maker'],
        pods: ['maker-0'],
        approvedBy: ['bob'],
        selfApproved: false,
        expiresAt: '2026-11-26T10:31:00Z',
        uses: 0,
      },
    });
  });

  it('is signed, so that the receiver knows whom it is from', async () => {
    const key = Buffer.from('a key of this test');
    const { sink, stop } = start({ key: async () => key });
    sink.send(notice);
    await arrived(1);
    await stop();
    const { headers, body = '' } = received[0] ?? {};
    const id = String(headers?.['webhook-id']);
    const timestamp = String(headers?.['webhook-timestamp']);
    expect(headers?.['webhook-signature']).toBe(signNotice(key, id, timestamp, body));
  });

  it('signs as the Standard Webhooks do', () => {
    // Made with OpenSSL from the parts joined by dots.
    expect(signNotice(Buffer.from('key'), 'msg_1', '1614265330', '{"test": 1}')).toBe(
      'v1,8NCh7dhhucS7xwGCXm3Q7rJDlN20HxbrQ+jzw8fCF9I=',
    );
  });

  it.each([500, 503, 429, 408, 302])('tries again after %d', async (status) => {
    let failures = 3;
    answer = (response) => {
      failures -= 1;
      response.writeHead(failures >= 0 ? status : 200, { location: 'http://elsewhere.example/' });
      response.end();
    };
    const { sink, stop } = start();
    sink.send(notice);
    await arrived(4);
    await stop();
    expect(new Set(received.map(({ headers }) => headers['webhook-id'])).size).toBe(1);
    expect(lost).toBe(0);
  });

  it('gives up what is refused, and goes on with the next', async () => {
    answer = (response) => response.writeHead(received.length === 1 ? 400 : 200).end();
    const { sink, stop } = start();
    sink.send(notice);
    sink.send({ ...notice, type: 'EmergencyUsed' });
    await arrived(2);
    await stop();
    expect(received.map(({ body }) => (JSON.parse(body) as { type: string }).type)).toEqual([
      'EmergencyActivated',
      'EmergencyUsed',
    ]);
    expect(lost).toBe(1);
  });

  it('gives up when nobody is there for long, and counts that', async () => {
    let attempts = 0;
    const { sink, stop } = start({
      post: () => {
        attempts += 1;
        return Promise.reject(Object.assign(new Error('no'), { code: 'ECONNREFUSED' }));
      },
    });
    sink.send(notice);
    for (let minute = 0; minute < 15; minute += 1) await clock.advance(60_000);
    await stop();
    expect([attempts, lost]).toEqual([20, 1]);
  });

  it('gives a receiver that says nothing ten seconds, and tries again', async () => {
    let attempts = 0;
    const { sink, stop } = start({
      post: () => {
        attempts += 1;
        return new Promise<never>(() => undefined);
      },
    });
    sink.send(notice);
    await clock.advance(9_000);
    const early = attempts;
    await clock.advance(3_000);
    await stop();
    expect([early, attempts, lost]).toEqual([1, 2, 0]);
  });

  it('keeps no more than so many, the newest', async () => {
    const { sink, stop } = start({ post: () => new Promise<never>(() => undefined) });
    for (let count = 0; count < 300; count += 1) sink.send(notice);
    await stop();
    expect(lost).toBe(300 - 256);
  });

  it('says nothing unless it leads', async () => {
    const { sink, stop } = start();
    await stop();
    sink.send(notice);
    expect(received).toEqual([]);
  });
});

describe('parseNoticeUrl', () => {
  it.each([
    ['https://hooks.example/x', false, 'taken'],
    ['http://hooks.example/x', true, 'taken'],
    ['http://hooks.example/x', false, 'is not https'],
    ['https://me:secret@hooks.example/', false, 'user name or password'],
    ['ftp://hooks.example/', true, 'no URL'],
    ['hooks', true, 'no URL'],
  ])('%s', (text, mayBePlain, expected) => {
    let found = 'taken';
    try {
      parseNoticeUrl(text, mayBePlain);
    } catch (error) {
      found = String(error);
    }
    expect(found).toContain(expected);
    expect(found).not.toContain('secret@');
  });
});
