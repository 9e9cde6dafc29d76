import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Why something is not well; undefined when it is. A check that throws is not well. */
export type Check = () => string | undefined;

/** For `/livez`: that something was heard or done within `maxAgeMs`, for example by an informer. */
export function activeWithin(maxAgeMs: number, lastActivityAgeMs: () => number): Check {
  return () => {
    const ageMs = lastActivityAgeMs();
    return ageMs <= maxAgeMs
      ? undefined
      : `no activity for ${Math.round(ageMs / 1000)} s; the limit is ${Math.round(maxAgeMs / 1000)} s`;
  };
}

export interface HealthOptions {
  readonly port: number;
  readonly host?: string;
  readonly live: Readonly<Record<string, Check>>;
  readonly ready: Readonly<Record<string, Check>>;
  /** The text of /metrics, with its content type. */
  readonly metrics: () => Promise<{ readonly contentType: string; readonly text: string }>;
}

export interface HealthServer extends AsyncDisposable {
  readonly port: number;
}

/** Serves `/livez`, `/readyz` (each with `?verbose`) and `/metrics`. */
export async function startHealthServer(options: HealthOptions): Promise<HealthServer> {
  const server = createServer((request, response) => {
    answer(options, request, response).catch(() => {
      response.writeHead(500).end('internal error\n');
    });
  });
  // Probes and scrapes are short; nobody may hold connections open.
  server.requestTimeout = 10_000;
  server.headersTimeout = 5_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(options.port, options.host, resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    port,
    async [Symbol.asyncDispose]() {
      const closed = new Promise((resolve) => {
        server.close(resolve);
      });
      server.closeAllConnections();
      await closed;
    },
  };
}

async function answer(
  options: HealthOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const url = URL.parse(request.url ?? '/', 'http://localhost');
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    response.writeHead(405, { allow: 'GET, HEAD' }).end();
    return;
  }
  if (url === null) {
    response.writeHead(400).end('bad request\n');
    return;
  }
  switch (url.pathname) {
    case '/livez':
      return report(options.live, url, response);
    case '/readyz':
      return report(options.ready, url, response);
    case '/metrics': {
      const { contentType, text } = await options.metrics();
      response.writeHead(200, { 'content-type': contentType }).end(text);
      return;
    }
    default:
      response.writeHead(404).end('not found\n');
  }
}

function report(checks: Readonly<Record<string, Check>>, url: URL, response: ServerResponse): void {
  const results = Object.entries(checks).map(([name, check]) => ({ name, fault: faultOf(check) }));
  const isWell = results.every(({ fault }) => fault === undefined);
  const lines = results
    .filter(({ fault }) => fault !== undefined || url.searchParams.has('verbose'))
    .map(({ name, fault }) => (fault === undefined ? `[+] ${name} ok` : `[-] ${name}: ${fault}`));
  response
    .writeHead(isWell ? 200 : 503, { 'content-type': 'text/plain; charset=utf-8' })
    .end(`${[...lines, isWell ? 'ok' : 'not ok'].join('\n')}\n`);
}

function faultOf(check: Check): string | undefined {
  try {
    return check();
  } catch (error) {
    return error instanceof Error ? error.message : 'the check failed';
  }
}
