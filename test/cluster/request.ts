import { request as httpsRequest } from 'node:https';
import { type AddressInfo, createServer } from 'node:net';
import type { KeyPair } from './certificates.ts';

export interface RequestOptions {
  readonly method?: string;
  /** Sent as JSON. */
  readonly body?: unknown;
  readonly contentType?: string;
  /** PEM. */
  readonly authority: string;
  readonly credentials: KeyPair;
}

export interface Reply {
  readonly status: number;
  readonly body: string;
}

/** One HTTPS request on a connection of its own, ended after 10 s. */
export function request(url: string, options: RequestOptions): Promise<Reply> {
  const { promise, resolve, reject } = Promise.withResolvers<Reply>();
  const call = httpsRequest(
    url,
    {
      method: options.method ?? 'GET',
      ca: options.authority,
      cert: options.credentials.certificate,
      key: options.credentials.key,
      headers: { 'content-type': options.contentType ?? 'application/json' },
      agent: false,
      timeout: 10_000,
    },
    (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve({
          status: response.statusCode ?? 0,
          body: Buffer.concat(chunks).toString('utf8'),
        });
      });
    },
  );
  call.once('timeout', () => call.destroy(new Error(`${url}: no answer within 10 s`)));
  call.once('error', reject);
  call.end(options.body === undefined ? undefined : JSON.stringify(options.body));
  return promise;
}

/** Ports of 127.0.0.1 that nobody listens on. Someone else may take one before it is used. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  const ports = await Promise.all(
    servers.map(
      (server) =>
        new Promise<number>((resolve, reject) => {
          server.once('error', reject);
          server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
        }),
    ),
  );
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
