/** A server of the webhook on a free port of this machine, and clients for it. */
import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { Agent, request } from 'node:https';
import type { RequestOptions } from 'node:https';
import type { Socket } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions, PeerCertificate, TLSSocket } from 'node:tls';
import { Registry } from 'prom-client';
import { silentLogger } from '#runtime/log.ts';
import { createAdmissionMetrics } from '../metrics.ts';
import { createAdmissionServer } from '../server/create-server.ts';
import type { AdmissionServerOptions } from '../server/create-server.ts';
import type { ServingPair } from '../server/secure-context.ts';

export interface Reply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** Port of this side, which tells connections apart. */
  readonly connection: number;
  /** Common name of the server's certificate. */
  readonly servedBy: unknown;
}

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  readonly registry: Registry;
  readonly lines: readonly object[];
  /** Changes the certificate, as its source would. */
  serve(pair: ServingPair | undefined): void;
  stop(): Promise<void>;
  send(options: RequestOptions & { readonly body?: string | Uint8Array }): Promise<Reply>;
  /** A TLS connection to write anything to. */
  dial(options?: ConnectionOptions): Promise<TLSSocket>;
}

export async function startTestServer(
  ca: string,
  pair: ServingPair | undefined,
  options: Partial<AdmissionServerOptions> = {},
): Promise<TestServer> {
  const registry = new Registry();
  const lines: object[] = [];
  const note = (fields: object, message: string): void => void lines.push({ ...fields, message });
  const listeners: (() => void)[] = [];
  let current = pair;
  const server = createAdmissionServer({
    host: '127.0.0.1',
    port: 0,
    certificates: {
      current: () => current,
      onChange: (listener) => void listeners.push(listener),
    },
    handle: async () => ({ status: 200, body: '{}' }),
    log: { ...silentLogger, warn: note, error: note },
    metrics: createAdmissionMetrics(registry),
    ...options,
    limits: { lameDuckMs: 0, ...options.limits },
  });
  const stopping = new AbortController();
  const ended = server.run(stopping.signal);
  // `ready` rejects with the same.
  ended.catch(() => undefined);
  await server.ready(stopping.signal);
  const port = server.port() ?? 0;
  const agent = new Agent({ keepAlive: true, maxSockets: 64, maxCachedSessions: 0 });
  return {
    port,
    registry,
    lines,
    serve(next) {
      current = next;
      for (const listener of listeners) listener();
    },
    stop() {
      stopping.abort();
      return ended;
    },
    send: ({ body = '{}', headers = {}, ...more }) =>
      new Promise((resolve, reject) => {
        const sent = request(
          {
            host: '127.0.0.1',
            port,
            path: '/validate?timeout=10s',
            method: 'POST',
            agent,
            ca,
            headers: { 'content-type': 'application/json', ...(headers as OutgoingHttpHeaders) },
            ...more,
          } as RequestOptions,
          (response) => {
            const { localPort = 0 } = response.socket;
            // Empty for a resumed session.
            const certificate: Partial<PeerCertificate> = (
              response.socket as TLSSocket
            ).getPeerCertificate();
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.once('error', reject);
            // By then the agent has the connection back.
            response.once('close', () =>
              resolve({
                status: response.statusCode ?? 0,
                headers: response.headers,
                body: Buffer.concat(chunks).toString('utf8'),
                connection: localPort,
                servedBy: certificate.subject?.CN,
              }),
            );
          },
        );
        sent.once('error', reject);
        sent.end(body);
      }),
    dial: (more = {}) =>
      new Promise((resolve, reject) => {
        const socket = connect({ host: '127.0.0.1', port, ca, ...more }, () => {
          socket.off('error', reject);
          // What comes then is seen by what was read.
          socket.on('error', () => undefined);
          resolve(socket);
        });
        socket.once('error', reject);
      }),
    async [Symbol.asyncDispose]() {
      agent.destroy();
      stopping.abort();
      await ended;
    },
  };
}

/** All that comes until the other side ends. */
export function readAll(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    socket.on('data', (chunk: Buffer) => chunks.push(chunk));
    // A reset ends it too.
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(Buffer.concat(chunks).toString('utf8')));
  });
}
