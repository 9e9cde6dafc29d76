/**
 * The webhook in a process of its own, so that its memory and its processor are its own too: ours, or
 * a bare server that only reads and answers. Says its port and, when asked, its memory by IPC.
 */
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { pino } from 'pino';
import { issueAuthority, issueServing } from '../src/admission/pki/issue.ts';
import { createAdmissionServer } from '../src/admission/server/create-server.ts';

const authority = await issueAuthority(Date.now());
const pair = await issueServing(authority, ['127.0.0.1'], Date.now());

async function serveOurs(): Promise<number> {
  const { createBenchHandler } = await import('./admission-handler.ts');
  const server = createAdmissionServer({
    host: '127.0.0.1',
    port: 0,
    certificates: { current: () => pair, onChange: () => undefined },
    ...createBenchHandler(),
    log: pino({ level: 'silent' }),
  });
  const { signal } = new AbortController();
  void server.run(signal);
  await server.ready(signal);
  return server.port() ?? 0;
}

async function serveBare(): Promise<number> {
  const server = createServer({ cert: pair.cert, key: pair.key }, (request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      response.setHeader('content-type', 'application/json');
      response.end(bareAnswer(Buffer.concat(chunks)));
    });
  });
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', () => listening.resolve());
  await listening.promise;
  return (server.address() as AddressInfo).port;
}

function bareAnswer(body: Buffer): string {
  const review = JSON.parse(body.toString('utf8')) as {
    readonly request: { readonly uid: string };
  };
  return JSON.stringify({
    apiVersion: 'admission.k8s.io/v1',
    kind: 'AdmissionReview',
    response: { uid: review.request.uid, allowed: true },
  });
}

const port = await (process.argv[2] === 'bare' ? serveBare() : serveOurs());
process.on('message', () => process.send?.({ rss: process.memoryUsage.rss() }));
process.send?.({ port, ca: authority.cert });
