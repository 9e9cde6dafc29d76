import { setTimeout as delay } from 'node:timers/promises';
import type { Dispatcher } from 'undici';
import type { ClusterConfig } from '#kube/config.ts';
import { createConnections } from '#kube/connections.ts';
import type { MonotonicClock, Session } from '#kube/connections.ts';
import { createDeadline } from '#kube/deadline.ts';
import { KubeError, errorFromStatus, isKubeError } from '#kube/errors.ts';
import type { Status } from '#kube/objects.ts';
import { readWarnings } from '#kube/warnings.ts';

const DEFAULT_TIMEOUT_MS = 30_000;
const ATTEMPTS = 3;
const RECONNECT_DELAY_MS = 100;
/** For a 429 that does not say how long to wait. */
const DEFAULT_RETRY_AFTER_MS = 1000;
/** A server that asks for more is not waited for here: the caller's queue does that better. */
const MAX_RETRY_AFTER_MS = 10_000;

export interface HttpCall {
  /** Named in errors and metrics, for example `get Secret trading/maker`. */
  readonly name: string;
  readonly verb: string;
  readonly resource: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly path: string;
  /** `application/json` unless told. */
  readonly accept?: string;
  readonly contentType?: string;
  readonly body?: string;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
  /** Whether the server's messages may be quoted; not where they can hold values. */
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
  /** Called for every attempt, repeated ones too. */
  readonly observe?: (observation: RequestObservation) => void;
  /** Called for each remark of the API server and its admission, also about what it refuses. */
  readonly onWarning?: (text: string) => void;
  readonly clock?: MonotonicClock;
}

export interface Transport extends AsyncDisposable {
  /** The body of a 2xx answer; anything else is thrown. */
  request(call: HttpCall): Promise<string>;
  /** The chunks of a 2xx answer. Time-outs between them are the caller's affair. */
  stream(call: HttpCall): Promise<AsyncIterable<Uint8Array>>;
}

/**
 * HTTP to one API server over shared connections. Tokens, client certificates and CAs are read anew
 * every minute and after a 401.
 */
export function createTransport(config: ClusterConfig, options: TransportOptions = {}): Transport {
  const { origin, pathname } = new URL(config.server);
  const basePath = pathname === '/' ? '' : pathname;
  const clock = options.clock ?? { monotonicMs: () => performance.now() };
  const connections = createConnections(config, clock);
  /** Ends streams over connections that were replaced since; requests end by their time-out. */
  const disposed = new AbortController();

  async function send(
    call: HttpCall,
    kind: 'requests' | 'watches',
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const first = await abortable(connections.current(), signal);
    const response = await sendOver(first);
    if (response.statusCode !== 401) return response;
    await response.body.dump();
    // A token that has just been rotated: once more, with what is there now.
    return sendOver(await abortable(connections.current(first), signal));

    function sendOver(session: Session): Promise<Dispatcher.ResponseData> {
      return session[kind].request({
        origin,
        path: basePath + call.path,
        method: call.method,
        headers: {
          accept: call.accept ?? 'application/json',
          'user-agent': options.userAgent ?? 'strongroom',
          ...(session.authorization === undefined ? {} : { authorization: session.authorization }),
          ...(call.contentType === undefined ? {} : { 'content-type': call.contentType }),
        },
        body: call.body ?? null,
        signal,
      });
    }
  }

  async function attempt<T>(
    call: HttpCall,
    kind: 'requests' | 'watches',
    signal: AbortSignal,
    use: (response: Dispatcher.ResponseData) => Promise<T>,
  ): Promise<T> {
    const startedAtMs = clock.monotonicMs();
    let status: number | string = 'unknown';
    try {
      const response = await send(call, kind, signal);
      status = response.statusCode;
      warn(call, response);
      if (status < 200 || status > 299) throw await refusal(call, response);
      return await use(response);
    } catch (error) {
      const known = networkError(call, error, signal);
      if (typeof status === 'string') status = known.code;
      throw known;
    } finally {
      const { verb, resource } = call;
      options.observe?.({
        verb,
        resource,
        status,
        seconds: (clock.monotonicMs() - startedAtMs) / 1000,
      });
    }
  }

  function warn({ quotable }: HttpCall, { headers }: Dispatcher.ResponseData): void {
    if (!quotable || options.onWarning === undefined) return;
    for (const text of readWarnings(headers['warning'])) options.onWarning(text);
  }

  return {
    async request(call) {
      using deadline = createDeadline(call.signal, call.timeoutMs ?? DEFAULT_TIMEOUT_MS);
      const { signal } = deadline;
      for (let tries = 1; ; tries += 1) {
        try {
          return await attempt(call, 'requests', signal, (response) => response.body.text());
        } catch (error) {
          const waitMs = retryDelayMs(call, error);
          if (waitMs === undefined || tries >= ATTEMPTS) throw error;
          await delay(waitMs, undefined, { signal }).catch(() => {
            // Out of time: what the server said tells more than that.
            throw call.signal?.aborted === true ? networkError(call, error, signal) : error;
          });
        }
      }
    },

    stream(call) {
      const signal =
        call.signal === undefined
          ? disposed.signal
          : AbortSignal.any([call.signal, disposed.signal]);
      return attempt(call, 'watches', signal, async (response) => response.body);
    },

    [Symbol.asyncDispose]() {
      disposed.abort(new KubeError('ERR_KUBE_ABORTED', 'the client was closed'));
      return connections[Symbol.asyncDispose]();
    },
  };
}

/** Logins by a plug-in can take for ever, and know nothing of our signal. */
async function abortable<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  if (signal.aborted) onAbort();
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([aborted, promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

/** How long to wait before the same call is sent again; undefined where it must not be. */
function retryDelayMs(call: HttpCall, error: unknown): number | undefined {
  if (isKubeError(error, 'ERR_KUBE_TOO_MANY_REQUESTS')) {
    // The server refused before doing anything, so that repeating is safe for every verb.
    const waitMs = error.retryAfterMs ?? DEFAULT_RETRY_AFTER_MS;
    return waitMs > MAX_RETRY_AFTER_MS ? undefined : waitMs;
  }
  // Whether a write whose connection broke took effect is for its caller to find out.
  return call.method === 'GET' && isKubeError(error, 'ERR_KUBE_NETWORK')
    ? RECONNECT_DELAY_MS
    : undefined;
}

async function refusal(call: HttpCall, response: Dispatcher.ResponseData): Promise<KubeError> {
  const body = await response.body.text();
  const header = response.headers['retry-after'];
  const seconds = typeof header === 'string' ? Number(header) : Number.NaN;
  return errorFromStatus(
    call.name,
    response.statusCode,
    parseStatus(body),
    Number.isFinite(seconds) && seconds >= 0 ? seconds * 1000 : undefined,
    call.quotable,
  );
}

function parseStatus(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null && 'kind' in value && value.kind === 'Status'
      ? (value as Status)
      : undefined;
  } catch {
    return undefined;
  }
}

/**
 * What undici, TLS and abort signals throw, as one of our codes. Once the call's `signal` is aborted
 * that is what happened, whatever reason its owner chose; a reason that is a KubeError is kept.
 */
export function networkError(
  call: { readonly name: string },
  thrown: unknown,
  signal?: AbortSignal,
): KubeError {
  const aborted = signal?.aborted === true;
  const cause: unknown = aborted ? signal.reason : thrown;
  if (cause instanceof KubeError) return cause;
  const name = cause instanceof Error ? cause.name : '';
  if (name === 'TimeoutError') {
    return new KubeError('ERR_KUBE_TIMEOUT', `${call.name}: timed out`, { cause });
  }
  if (aborted) return new KubeError('ERR_KUBE_ABORTED', `${call.name}: aborted`, { cause });
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : name;
  return new KubeError(
    'ERR_KUBE_NETWORK',
    `${call.name}: the connection failed (${code || 'unknown error'})`,
    { cause },
  );
}
