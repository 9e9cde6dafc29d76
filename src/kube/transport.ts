import { setTimeout as delay } from 'node:timers/promises';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';
import type { ClientCertificate, ClusterConfig } from '#kube/config.ts';
import { KubeError, errorFromStatus, isKubeError } from '#kube/errors.ts';
import type { Status } from '#kube/objects.ts';

/** Kubelets swap a projected token long before it ends; a minute keeps us well inside that. */
const CREDENTIALS_MAX_AGE_MS = 60_000;
const CONNECTIONS = 32;
const DEFAULT_TIMEOUT_MS = 30_000;
const READ_ATTEMPTS = 3;
const MAX_RETRY_AFTER_MS = 10_000;

export interface HttpCall {
  /** Named in errors and metrics, for example `get Secret trading/maker`. */
  readonly name: string;
  readonly verb: string;
  readonly resource: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Whether the server's messages may be quoted in errors; not where they can hold values. */
  readonly quotable: boolean;
}

export interface RequestObservation {
  readonly verb: string;
  readonly resource: string;
  /** HTTP status, or the error's code where there was no answer. */
  readonly status: number | string;
  readonly seconds: number;
}

export interface TransportOptions {
  readonly userAgent?: string;
  readonly observe?: (observation: RequestObservation) => void;
}

export interface Transport extends AsyncDisposable {
  /** The body of a 2xx answer; anything else is thrown. */
  request(call: HttpCall): Promise<string>;
  /** The chunks of a 2xx answer. Time-outs between them are the caller's affair. */
  stream(call: HttpCall): Promise<AsyncIterable<Uint8Array>>;
}

interface Session {
  readonly requests: Agent;
  /** A socket a watch, so that a dead connection costs one watch and not all of them. */
  readonly watches: Agent;
  readonly authorization: string | undefined;
  readonly fingerprint: string;
  readonly readAt: number;
}

/**
 * HTTP to one API server over shared connections. Tokens, client certificates and CAs are read anew
 * every minute and after a 401; new TLS material means new connections, old ones finish their calls.
 */
export function createTransport(config: ClusterConfig, options: TransportOptions = {}): Transport {
  const { origin, pathname } = new URL(config.server);
  const basePath = pathname === '/' ? '' : pathname;
  let session: Promise<Session> | undefined;

  async function open(previous: Session | undefined, fresh: boolean): Promise<Session> {
    const [ca, certificate, authorization] = await Promise.all([
      config.readCa(),
      config.readClientCertificate(),
      config.readAuthorization(fresh),
    ]);
    const fingerprint = JSON.stringify([ca, certificate]);
    const readAt = performance.now();
    if (previous?.fingerprint === fingerprint) return { ...previous, authorization, readAt };
    const connect = tlsOptions(ca, certificate, config.tlsServerName);
    const shared = { connect, allowH2: false, headersTimeout: 0, bodyTimeout: 0 } as const;
    const next: Session = {
      requests: new Agent({ ...shared, connections: CONNECTIONS }),
      watches: new Agent({ ...shared, pipelining: 0 }),
      authorization,
      fingerprint,
      readAt,
    };
    if (previous !== undefined) {
      // Graceful: running calls and watches end by themselves.
      void previous.requests.close();
      void previous.watches.close();
    }
    return next;
  }

  async function current(fresh = false): Promise<Session> {
    const known = await session?.catch(() => undefined);
    if (
      known !== undefined &&
      !fresh &&
      performance.now() - known.readAt < CREDENTIALS_MAX_AGE_MS
    ) {
      return known;
    }
    session = open(known, fresh);
    return session;
  }

  async function send(
    call: HttpCall,
    kind: 'requests' | 'watches',
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    for (let attempt = 0; ; attempt += 1) {
      const used = await current(attempt > 0);
      const response = await used[kind].request({
        origin,
        path: basePath + call.path,
        method: call.method,
        headers: {
          accept: 'application/json',
          'user-agent': options.userAgent ?? 'strongroom',
          ...(used.authorization === undefined ? {} : { authorization: used.authorization }),
          ...(call.contentType === undefined ? {} : { 'content-type': call.contentType }),
        },
        body: call.body ?? null,
        signal,
      });
      // A token that has just been rotated: once more, with what is there now.
      if (response.statusCode !== 401 || attempt > 0) return response;
      await response.body.dump();
    }
  }

  async function attempt<T>(
    call: HttpCall,
    kind: 'requests' | 'watches',
    signal: AbortSignal,
    use: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const startedAt = performance.now();
    let status: number | string = 'unknown';
    try {
      const response = await send(call, kind, signal);
      status = response.statusCode;
      if (status < 200 || status > 299) throw await refusal(call, response);
      return await use(response);
    } catch (error) {
      const known = networkError(call, error);
      if (typeof status === 'string') status = known.code;
      throw known;
    } finally {
      const { verb, resource } = call;
      options.observe?.({
        verb,
        resource,
        status,
        seconds: (performance.now() - startedAt) / 1000,
      });
    }
  }

  return {
    async request(call) {
      const timeout = AbortSignal.timeout(call.timeoutMs ?? DEFAULT_TIMEOUT_MS);
      const signal = call.signal === undefined ? timeout : AbortSignal.any([call.signal, timeout]);
      for (let tries = 1; ; tries += 1) {
        try {
          return await attempt(call, 'requests', signal, (response) => response.body.text());
        } catch (error) {
          const wait = retryDelayMs(call, error);
          if (wait === undefined || tries >= READ_ATTEMPTS) throw error;
          await delay(wait, undefined, { signal }).catch((cause: unknown) => {
            throw networkError(call, cause);
          });
        }
      }
    },

    stream(call) {
      const signal = call.signal ?? new AbortController().signal;
      return attempt(call, 'watches', signal, async (response) => response.body);
    },

    async [Symbol.asyncDispose]() {
      const open = await session?.catch(() => undefined);
      if (open === undefined) return;
      await Promise.all([open.requests.destroy(), open.watches.destroy()]);
    },
  };
}

function tlsOptions(
  ca: string | undefined,
  certificate: ClientCertificate | undefined,
  servername: string | undefined,
): Record<string, string | number> {
  return {
    timeout: 10_000,
    ...(ca === undefined ? {} : { ca }),
    ...certificate,
    ...(servername === undefined ? {} : { servername }),
  };
}

/** Only reads are repeated here: whether a write took effect is for its caller to find out. */
function retryDelayMs(call: HttpCall, error: unknown): number | undefined {
  if (!isKubeError(error)) return undefined;
  // The server refused before doing anything, so that repeating is safe for every verb.
  if (error.code === 'ERR_KUBE_TOO_MANY_REQUESTS') {
    return Math.min(error.retryAfterMs ?? 1000, MAX_RETRY_AFTER_MS);
  }
  return call.method === 'GET' && error.code === 'ERR_KUBE_NETWORK' ? 100 : undefined;
}

async function refusal(call: HttpCall, response: Dispatcher.ResponseData): Promise<KubeError> {
  const body = await response.body.text();
  const header = response.headers['retry-after'];
  const seconds = typeof header === 'string' ? Number(header) : Number.NaN;
  return errorFromStatus(
    call.name,
    response.statusCode,
    parseStatus(body),
    Number.isFinite(seconds) ? seconds * 1000 : undefined,
    call.quotable,
  );
}

export function parseStatus(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status'
      ? (value as Status)
      : undefined;
  } catch {
    return undefined;
  }
}

/** What undici, TLS and abort signals throw, as one of our codes. */
export function networkError(call: { readonly name: string }, error: unknown): KubeError {
  if (error instanceof KubeError) return error;
  const name = error instanceof Error ? error.name : '';
  if (name === 'TimeoutError') {
    return new KubeError('ERR_KUBE_TIMEOUT', `${call.name}: timed out`, { cause: error });
  }
  if (name === 'AbortError' || name === 'RequestAbortedError') {
    return new KubeError('ERR_KUBE_ABORTED', `${call.name}: aborted`, { cause: error });
  }
  const code = error instanceof Error && 'code' in error ? String(error.code) : name;
  if (code === 'UND_ERR_ABORTED' || code === 'ABORT_ERR') {
    return new KubeError('ERR_KUBE_ABORTED', `${call.name}: aborted`, { cause: error });
  }
  return new KubeError(
    'ERR_KUBE_NETWORK',
    `${call.name}: no connection (${code || 'unknown error'})`,
    {
      cause: error,
    },
  );
}
