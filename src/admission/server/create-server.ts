/**
 * The HTTPS server of the webhook. It faces whoever reaches the port, not only the API server: each
 * thing that a client can make wait or grow has a limit, and no client holds up another.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { aborted } from '#runtime/aborted.ts';
import { systemClock } from '#runtime/clock.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { AdmissionAnswer, AdmissionHandler } from '../handler.ts';
import type { AdmissionMetrics, AdmissionPath } from '../metrics.ts';
import { failureStatus } from '../review/answer.ts';
import { checkClient } from './client-name.ts';
import { deadlineMs } from './deadline.ts';
import { SERVER_LIMITS } from './limits.ts';
import type { ServerLimits } from './limits.ts';
import { createBodyReceiver } from './receive-body.ts';
import { secureOptions } from './secure-context.ts';
import type { ClientAuth, ServingCertificates } from './secure-context.ts';

export interface AdmissionServerOptions {
  /** All addresses unless told. */
  readonly host?: string;
  /** 0: any that is free. */
  readonly port: number;
  readonly certificates: ServingCertificates;
  readonly handle: AdmissionHandler;
  readonly limits?: Partial<ServerLimits>;
  /** Absent: whoever reaches the port may ask. */
  readonly clientAuth?: ClientAuth;
  readonly clock?: Clock;
  readonly log: Logger;
  readonly metrics: Pick<
    AdmissionMetrics,
    'inFlight' | 'connections' | 'overloaded' | 'unauthenticated'
  >;
}

export interface AdmissionServer extends Runnable {
  /** Resolves when the port is open, also while there is no certificate yet. */
  ready(signal: AbortSignal): Promise<void>;
  /** Undefined before it is ready. */
  port(): number | undefined;
}

/** Timeouts of headers and bodies are looked at this often. */
const CHECK_MS = 500;
/** Refused clients are told in the log this often at most: they can come by the thousand. */
const LOG_EVERY_MS = 10_000;

/** Resolves `run` after a stop in good order; rejects it when the port cannot be had. */
export function createAdmissionServer(options: AdmissionServerOptions): AdmissionServer {
  const { certificates, handle, clientAuth, clock = systemClock, log, metrics } = options;
  const limits: ServerLimits = { ...SERVER_LIMITS, ...options.limits };
  const bodies = createBodyReceiver(limits);
  const isReady = Promise.withResolvers<void>();
  // Nobody has to ask for it.
  isReady.promise.catch(() => undefined);
  const sockets = new Set<Socket>();
  let active = 0;
  let deciding = 0;
  let isStopping = false;
  let lastRefusalLogMs = -Infinity;
  let onIdle: (() => void) | undefined;

  const server = createServer({
    minVersion: 'TLSv1.2',
    ALPNProtocols: ['http/1.1'],
    handshakeTimeout: limits.handshakeMs,
    headersTimeout: limits.headersMs,
    requestTimeout: limits.requestMs,
    keepAliveTimeout: limits.keepAliveMs,
    connectionsCheckingInterval: CHECK_MS,
    // Without a certificate of the bundle there is no connection; its name is judged by request.
    ...(clientAuth === undefined ? {} : { requestCert: true }),
  });
  server.maxConnections = limits.connections;

  function loadCertificate(): void {
    const pair = certificates.current();
    if (pair === undefined) return;
    const secure = secureOptions(pair, clientAuth);
    if (secure.ok) server.setSecureContext(secure.options);
    else
      log.error({ reason: secure.message }, 'Serving certificate is not usable, keeping the old');
  }

  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    metrics.connections(sockets.size);
    socket.once('close', () => {
      sockets.delete(socket);
      metrics.connections(sockets.size);
    });
  });
  // Beyond `maxConnections`; it is closed already.
  server.on('drop', () => metrics.overloaded());
  server.on('tlsClientError', (error: Error) => {
    log.debug({ reason: describeError(error) }, 'TLS handshake failed');
  });
  server.on('request', (request, response) => {
    active += 1;
    response.once('close', () => {
      active -= 1;
      if (active === 0) onIdle?.();
    });
    serve(request, response).catch((error: unknown) => {
      log.error({ reason: describeError(error) }, 'Request to the webhook failed');
      refuse(response, 500, 'internal error');
    });
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (clientAuth !== undefined && !isKnown(request, clientAuth)) {
      refuse(response, 401, 'a client certificate of the API server is needed');
      return;
    }
    const asked = readHead(request);
    if (!asked.ok) {
      if (asked.status === 405) response.setHeader('allow', 'POST');
      refuse(response, asked.status, asked.message);
      return;
    }
    const over = new AbortController();
    const timer = clock.setTimeout(() => over.abort(), asked.deadlineMs);
    const onGone = (): void => over.abort();
    response.once('close', onGone);
    try {
      const received = await bodies.receive(request, over.signal);
      if (!received.ok) {
        if (received.status === 503) metrics.overloaded();
        if (received.status !== undefined) refuse(response, received.status, received.message);
        return;
      }
      if (deciding >= limits.inFlight) {
        metrics.overloaded();
        answer(response, overloaded());
        return;
      }
      answer(response, await decide(asked.path, received.body, over.signal));
    } finally {
      timer.cancel();
      response.off('close', onGone);
    }
  }

  async function decide(
    path: AdmissionPath,
    body: Uint8Array,
    signal: AbortSignal,
  ): Promise<AdmissionAnswer> {
    deciding += 1;
    metrics.inFlight(deciding);
    try {
      return await handle(path, body, signal);
    } finally {
      deciding -= 1;
      metrics.inFlight(deciding);
    }
  }

  function isKnown(request: IncomingMessage, auth: ClientAuth): boolean {
    const client = checkClient(request.socket, auth);
    if (client.ok) return true;
    metrics.unauthenticated();
    if (clock.monotonicMs() - lastRefusalLogMs >= LOG_EVERY_MS) {
      lastRefusalLogMs = clock.monotonicMs();
      log.warn(
        {
          from: request.socket.remoteAddress,
          ...(client.name === undefined ? {} : { name: client.name }),
        },
        'Refused a client without the certificate of the API server',
      );
    }
    return false;
  }

  function answer(response: ServerResponse, { status, body }: AdmissionAnswer): void {
    if (response.headersSent || response.destroyed) return;
    if (isStopping) response.setHeader('connection', 'close');
    response
      .writeHead(status, {
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      })
      .end(body);
  }

  /** Whoever asks wrongly does not keep a connection, and what they still send is not read. */
  function refuse(response: ServerResponse, status: number, message: string): void {
    if (response.headersSent || response.destroyed) return;
    response.setHeader('connection', 'close');
    answer(response, { status, body: failureStatus(status, message) });
  }

  async function stop(): Promise<void> {
    isStopping = true;
    const closed = new Promise<void>((resolve) => {
      server.once('close', () => resolve());
    });
    await clock.sleep(limits.lameDuckMs);
    server.close();
    const drained = new Promise<void>((resolve) => {
      onIdle = resolve;
      if (active === 0) resolve();
    });
    const timeout = new AbortController();
    const late = clock.sleep(limits.drainMs, timeout.signal).catch(() => undefined);
    await Promise.race([drained, late]);
    timeout.abort();
    if (active > 0) log.warn({ requests: active }, 'Ending requests that are still under way');
    // Also those in a handshake, which the HTTP server does not know yet.
    for (const socket of sockets) socket.destroy();
    await closed;
  }

  return {
    name: 'admission server',
    async run(signal) {
      certificates.onChange(loadCertificate);
      loadCertificate();
      const failed = Promise.withResolvers<never>();
      server.once('error', failed.reject);
      failed.promise.catch((error: unknown) => isReady.reject(error));
      server.listen(options.port, options.host, () => {
        log.info({ port: (server.address() as AddressInfo).port }, 'Serving admission');
        isReady.resolve();
      });
      await Promise.race([aborted(signal), failed.promise]);
      await stop();
    },
    async ready(signal) {
      await Promise.race([isReady.promise, aborted(signal)]);
      signal.throwIfAborted();
    },
    port() {
      const address = server.address();
      return typeof address === 'object' ? address?.port : undefined;
    },
  };
}

type Head =
  | { readonly ok: true; readonly path: AdmissionPath; readonly deadlineMs: number }
  | { readonly ok: false; readonly status: number; readonly message: string };

function readHead(request: IncomingMessage): Head {
  const url = URL.parse(request.url ?? '', 'https://localhost');
  const path = url?.pathname;
  if (path !== '/validate' && path !== '/mutate') {
    return { ok: false, status: 404, message: 'not found; reviews go to /validate and /mutate' };
  }
  if (request.method !== 'POST') {
    return { ok: false, status: 405, message: 'reviews are sent by POST' };
  }
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = request.headers;
  if (type.split(';')[0]?.trim().toLowerCase() !== 'application/json' || encoding !== 'identity') {
    return { ok: false, status: 415, message: 'a review is plain application/json' };
  }
  return { ok: true, path, deadlineMs: deadlineMs(url?.searchParams.get('timeout') ?? null) };
}

/** To the API server the webhook is away: `failurePolicy` says what follows. */
function overloaded(): AdmissionAnswer {
  return { status: 503, body: failureStatus(503, 'too many reviews at once; try again') };
}
