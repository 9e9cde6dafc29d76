/** Asks one URL, and where it redirects to; every address on the way is checked anew. */
import type { Dispatcher } from 'undici';
import type { Clock } from '#runtime/clock.ts';
import { withTimeLimit } from '#runtime/time-limit.ts';
import { checkDestination, isAllowedOrigin, parseFeedUrl } from './destination.ts';
import type { DestinationRules } from './destination.ts';
import { FeedError } from './feed-error.ts';
import type { FeedKey } from './feed-key.ts';

export interface Opened {
  readonly status: number;
  header(name: string): string;
  readonly body: AsyncIterable<Uint8Array>;
  /** Closes the connection, whatever is under way on it. */
  close(): void;
}

export interface OpenUrlDeps extends DestinationRules {
  readonly clock: Clock;
  /** Connections to these addresses and no others. */
  readonly connect: (addresses: readonly string[]) => Dispatcher;
  /** For finding the host, connecting, and the answer's head; of each URL on the way. */
  readonly firstByteMs: number;
}

export interface OpenUrlOptions {
  readonly headers: Readonly<Record<string, string>>;
  readonly key?: FeedKey;
  readonly signal: AbortSignal;
}

const REDIRECTS = 3;
const REDIRECT_STATUS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** @throws FeedError */
export async function openUrl(
  first: URL,
  { headers, key, signal }: OpenUrlOptions,
  deps: OpenUrlDeps,
): Promise<Opened> {
  let url = first;
  // What the operator allows is the origin that the author wrote. Whoever answers there, or on the
  // way, is not trusted to name another one.
  let isExempt = isAllowedOrigin(first, deps.allowedOrigins);
  for (let redirects = 0; ; redirects += 1) {
    const sent = key?.origin === url.origin ? { ...headers, 'x-api-key': key.apiKey } : headers;
    const opened = await openOne(url, isExempt, sent, signal, deps);
    if (!REDIRECT_STATUS.has(opened.status)) return opened;
    const location = opened.header('location');
    opened.close();
    if (redirects === REDIRECTS) {
      throw new FeedError('Refused', `redirects more than ${REDIRECTS} times`);
    }
    if (location === '' || !URL.canParse(location, url)) {
      throw new FeedError('Refused', 'redirects to nowhere');
    }
    url = parseFeedUrl(new URL(location, url).href);
    isExempt &&= url.origin === first.origin;
  }
}

async function openOne(
  url: URL,
  isExempt: boolean,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  deps: OpenUrlDeps,
): Promise<Opened> {
  const { clock, firstByteMs } = deps;
  let dispatcher: Dispatcher | undefined;
  const close = (): void => {
    signal.removeEventListener('abort', close);
    // What is under way on it ends with an error that its reader has.
    dispatcher?.destroy().catch(() => undefined);
  };
  try {
    const response = await withTimeLimit(clock, firstByteMs, signal, async (limit) => {
      const addresses = await checkDestination(url, isExempt, deps, limit);
      limit.throwIfAborted();
      dispatcher = deps.connect(addresses);
      return await dispatcher.request({
        origin: url.origin,
        path: url.pathname + url.search,
        method: 'GET',
        headers,
        signal: limit,
      });
    });
    signal.addEventListener('abort', close, { once: true });
    return {
      status: response.statusCode,
      header: (name) => textOf(response.headers[name]),
      body: response.body,
      close,
    };
  } catch (error) {
    close();
    throw signal.aborted ? (signal.reason as Error) : networkFault(error, url, firstByteMs);
  }
}

function networkFault(error: unknown, url: URL, firstByteMs: number): unknown {
  if (error instanceof FeedError) return error;
  if (error instanceof DOMException && error.name === 'TimeoutError') {
    return new FeedError(
      'Unreachable',
      `gave no answer within ${firstByteMs / 1000} s (${url.origin})`,
    );
  }
  return new FeedError('Unreachable', `cannot be reached at ${url.origin} (${codeOf(error)})`);
}

/** Of the network or TLS. Messages are not quoted: they can hold what the other side wrote. */
export function codeOf(error: unknown): string {
  const found = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof found === 'string' ? found : 'no reason given';
}

function textOf(header: string | string[] | undefined): string {
  return (Array.isArray(header) ? header[0] : header) ?? '';
}
