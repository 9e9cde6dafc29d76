import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDnsResolve } from './system-resolve.ts';

/** A name server on loopback that answers by the first label of the name (RFC 1035 §4). */
const server = createSocket('udp4');
let resolve: ReturnType<typeof createDnsResolve>;

beforeAll(async () => {
  server.on('message', (query, from) => {
    const answer = answerTo(query);
    if (answer !== undefined) server.send(answer, from.port, from.address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  resolve = createDnsResolve([`127.0.0.1:${port}`]);
});

afterAll(() => {
  server.close();
});

const HEADER_BYTES = 12;
const TYPE_A = 1;

function answerTo(query: Buffer): Buffer | undefined {
  const label = query.toString(
    'latin1',
    HEADER_BYTES + 1,
    HEADER_BYTES + 1 + (query[HEADER_BYTES] ?? 0),
  );
  if (label === 'silent') return undefined;
  const questionEnd = query.indexOf(0, HEADER_BYTES) + 5;
  const isA = query.readUInt16BE(questionEnd - 4) === TYPE_A;
  const codes: Readonly<Record<string, number>> = { broken: 2, unknown: 3 };
  const records =
    label === 'api' && isA
      ? [
          [203, 0, 113, 1],
          [203, 0, 113, 2],
        ]
      : [];
  const header = Buffer.from(query.subarray(0, HEADER_BYTES));
  header.writeUInt16BE(0x8180 | (codes[label] ?? 0), 2);
  header.writeUInt16BE(records.length, 6);
  header.writeUInt32BE(0, 8);
  const answers = records.map((octets) =>
    // A pointer to the name of the question, A, IN, TTL 60, four bytes.
    Buffer.from([0xc0, 0x0c, 0, TYPE_A, 0, 1, 0, 0, 0, 60, 0, 4, ...octets]),
  );
  return Buffer.concat([header, query.subarray(HEADER_BYTES, questionEnd), ...answers]);
}

const never = new AbortController().signal;

describe('asking a name server', () => {
  it('gives addresses with how long they hold', async () => {
    await expect(resolve('api.example.com', 'IPv4', never)).resolves.toEqual([
      { address: '203.0.113.1', ttlSeconds: 60 },
      { address: '203.0.113.2', ttlSeconds: 60 },
    ]);
  });

  it('gives nothing for a name without addresses of the family', async () => {
    await expect(resolve('api.example.com', 'IPv6', never)).resolves.toEqual([]);
  });

  it.each([
    ['unknown.example.com', 'ENOTFOUND'],
    ['broken.example.com', 'ESERVFAIL'],
  ])('rejects for %s with %s', async (name, code) => {
    await expect(resolve(name, 'IPv4', never)).rejects.toThrow(
      expect.objectContaining({ code }) as Error,
    );
  });

  it('ends when it is aborted, with a server that is silent', async () => {
    const stop = new AbortController();
    const asked = once(server, 'message');
    const running = resolve('silent.example.com', 'IPv4', stop.signal);
    await asked;
    stop.abort();
    await expect(running).rejects.toThrow(expect.objectContaining({ code: 'ECANCELLED' }) as Error);
  });
});
