import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { ClusterConfig } from '../../src/kube/config.ts';

/** A refusal that the proxy answers with instead of the API server. */
export interface Refusal {
  readonly status: number;
  readonly reason: string;
  readonly retryAfterSeconds?: number;
}

/** How a connection ends in the middle of a line. */
export type Cut =
  /** RST. */
  | 'reset'
  /** FIN, without the last chunk of the answer. */
  | 'close'
  /** As if the answer were complete. */
  | 'end';

export interface SeenRequest {
  readonly method: string;
  readonly path: string;
  readonly isWatch: boolean;
  /** Monotonic milliseconds. */
  readonly atMs: number;
}

/**
 * Stands between a client and a real API server and breaks what passes, in the ways networks, load
 * balancers and servers do. Plain HTTP towards the client, so that a test needs no certificates;
 * TLS with the credentials of `upstream` towards the server.
 */
export interface FaultProxy extends AsyncDisposable {
  /** Leads through the proxy, with the rights of `upstream`. */
  readonly config: ClusterConfig;
  readonly requests: readonly SeenRequest[];
  /** Watches that pass events now. */
  readonly openWatches: number;
  /** Refuses the next `times` watches. */
  refuseWatches(refusal: Refusal, times?: number): void;
  /** Refuses the next `times` requests that are not watches. */
  refuseCalls(refusal: Refusal, times?: number): void;
  /** Ends the open watches as the server does when their time is over. */
  endWatches(): void;
  /** Resets the connections of the open watches. */
  resetWatches(): void;
  /** Cuts the open watches in the middle of the next bytes that come. */
  cutWatches(how: Cut): void;
  /** The open watches fall silent for good, but their connections stay open. New ones pass. */
  silenceWatches(): void;
  /** What the open watches carry is held back until the function returned is called. */
  stallWatches(): () => void;
  /** The next `times` watches are accepted and never answered. */
  ignoreWatches(times?: number): void;
  /** Everything passes in chunks of so many bytes from now on. */
  splitInto(bytes: number): void;
  /** Breaks every connection and refuses new ones until the function returned is called. */
  goAway(): Promise<() => Promise<void>>;
}

interface PassingWatch {
  readonly response: ServerResponse;
  readonly write: (chunk: Buffer) => void;
  mode: 'pass' | 'silent' | 'stalled';
  cut: Cut | undefined;
  held: Buffer[];
}

export async function startFaultProxy(upstream: ClusterConfig): Promise<FaultProxy> {
  const target = new URL(upstream.server);
  const [ca, certificate, authorization] = await Promise.all([
    upstream.readCa(),
    upstream.readClientCertificate(false),
    upstream.readAuthorization(false),
  ]);
  const agent = new Agent({ keepAlive: true, ca, ...certificate });
  const requests: SeenRequest[] = [];
  const watches = new Set<PassingWatch>();
  const sockets = new Set<Socket>();
  const watchRefusals: Refusal[] = [];
  const callRefusals: Refusal[] = [];
  let ignored = 0;
  let chunkBytes = Infinity;

  const server = createServer(forward);
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  await listen(0);
  const { port } = server.address() as AddressInfo;

  async function listen(at: number): Promise<void> {
    server.listen(at, '127.0.0.1');
    await once(server, 'listening');
  }

  function forward(incoming: IncomingMessage, response: ServerResponse): void {
    const { method = 'GET', url = '/' } = incoming;
    const isWatch = new URL(url, target).searchParams.get('watch') === 'true';
    requests.push({ method, path: url, isWatch, atMs: performance.now() });
    const refusal = (isWatch ? watchRefusals : callRefusals).shift();
    if (refusal !== undefined) {
      refuse(response, refusal);
      return;
    }
    if (isWatch && ignored > 0) {
      ignored -= 1;
      return;
    }
    const outgoing = httpsRequest(
      {
        host: target.hostname,
        port: target.port,
        servername: upstream.tlsServerName,
        agent,
        method,
        path: url,
        headers: {
          ...incoming.headers,
          host: target.host,
          ...(authorization === undefined ? {} : { authorization }),
        },
      },
      (answer) => {
        const status = answer.statusCode ?? 502;
        response.writeHead(status, {
          'content-type': answer.headers['content-type'] ?? 'application/json',
          ...(answer.headers['retry-after'] === undefined
            ? {}
            : { 'retry-after': answer.headers['retry-after'] }),
        });
        response.flushHeaders();
        pass(answer, response, isWatch && status === 200);
      },
    );
    // What breaks behind the proxy breaks in front of it.
    outgoing.on('error', () => response.destroy());
    response.on('close', () => outgoing.destroy());
    incoming.pipe(outgoing);
  }

  function pass(answer: IncomingMessage, response: ServerResponse, isWatch: boolean): void {
    const watch: PassingWatch = {
      response,
      mode: 'pass',
      cut: undefined,
      held: [],
      write(chunk) {
        // Each write is a chunk of its own in the transfer encoding.
        for (let at = 0; at < chunk.length; at += chunkBytes) {
          response.write(chunk.subarray(at, at + chunkBytes));
        }
      },
    };
    if (isWatch) {
      watches.add(watch);
      response.on('close', () => watches.delete(watch));
    }
    answer.on('data', (chunk: Buffer) => {
      if (watch.mode === 'silent') return;
      if (watch.mode === 'stalled') watch.held.push(chunk);
      else if (watch.cut === undefined) watch.write(chunk);
      else cut(watch.response, chunk, watch.cut);
    });
    answer.on('end', () => {
      if (watch.mode === 'pass') response.end();
    });
    answer.on('error', () => {
      if (watch.mode !== 'silent') response.destroy();
    });
  }

  function eachWatch(act: (watch: PassingWatch) => void): void {
    for (const watch of watches) act(watch);
  }

  return {
    config: {
      server: `http://127.0.0.1:${port}`,
      currentNamespace: upstream.currentNamespace,
      readCa: async () => undefined,
      readClientCertificate: async () => undefined,
      readAuthorization: async () => undefined,
    },
    requests,
    get openWatches() {
      return [...watches].filter(({ mode }) => mode === 'pass').length;
    },
    refuseWatches: (refusal, times = 1) => repeat(times, () => watchRefusals.push(refusal)),
    refuseCalls: (refusal, times = 1) => repeat(times, () => callRefusals.push(refusal)),
    endWatches: () => eachWatch(({ response }) => response.end()),
    resetWatches: () => eachWatch(({ response }) => response.socket?.resetAndDestroy()),
    cutWatches: (how) =>
      eachWatch((watch) => {
        watch.cut = how;
      }),
    silenceWatches: () =>
      eachWatch((watch) => {
        watch.mode = 'silent';
      }),
    stallWatches() {
      const stalled = [...watches];
      for (const watch of stalled) watch.mode = 'stalled';
      return () => {
        for (const watch of stalled) {
          watch.mode = 'pass';
          for (const chunk of watch.held.splice(0)) watch.write(chunk);
        }
      };
    },
    ignoreWatches(times = 1) {
      ignored += times;
    },
    splitInto(bytes) {
      chunkBytes = bytes;
    },
    async goAway() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.resetAndDestroy();
      await closed;
      return () => listen(port);
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      agent.destroy();
      if (!server.listening) return;
      server.close();
      await once(server, 'close');
    },
  };
}

function refuse(response: ServerResponse, refusal: Refusal): void {
  const { status, reason, retryAfterSeconds } = refusal;
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
  });
  response.end(
    JSON.stringify({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code: status, reason }),
  );
}

function cut(response: ServerResponse, chunk: Buffer, how: Cut): void {
  response.write(chunk.subarray(0, Math.floor(chunk.length / 2)), () => {
    if (how === 'end') response.end();
    else if (how === 'close') response.socket?.destroySoon();
    else response.socket?.resetAndDestroy();
  });
}

function repeat(times: number, act: () => void): void {
  for (let i = 0; i < times; i += 1) act();
}
