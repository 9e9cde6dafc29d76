/** Fetches feeds: asks, reads within limits, and says what becomes of the copy that is kept. */
import type { Dispatcher } from 'undici';
import type { Clock } from '#runtime/clock.ts';
import { withTimeLimit } from '#runtime/time-limit.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { conclude, confirm } from './conclude.ts';
import { isCopyOf } from './copy.ts';
import { parseFeedUrl } from './destination.ts';
import type { LookUp } from './destination.ts';
import { aboutFeed, FeedError } from './feed-error.ts';
import type { FeedKey, ReadFeedKey } from './feed-key.ts';
import { DEFAULT_MAX_ENTRIES } from './feed.ts';
import type { FeedCopy, FeedOutcome, FeedSource } from './feed.ts';
import { codeOf, openUrl } from './open-url.ts';
import type { Opened } from './open-url.ts';
import { createFeedParser } from './parse/parse-feed.ts';
import type { ParsedFeed } from './parse/parsed-feed.ts';
import { createPinnedDispatcher } from './pinned-connection.ts';
import { readText, tooLarge } from './read-body.ts';

export interface FeedFetcher {
  /**
   * Never rejects, unless `signal` is aborted: with its reason.
   *
   * @param previous the last good copy; for CrowdSec the very object that came of the fetch before,
   *   so that changes alone need be asked for
   */
  fetch(
    source: FeedSource,
    previous: FeedCopy | undefined,
    signal: AbortSignal,
  ): Promise<FeedOutcome>;
}

export interface FeedFetcherDeps {
  readonly clock: Clock;
  readonly lookUp: LookUp;
  readonly readKey: ReadFeedKey;
  /** See {@link DestinationRules}. */
  readonly allowedOrigins: readonly string[];
  /** Pods, Services, nodes, API server, as they are known now. */
  readonly clusterRanges: () => AddressSet;
  /** For tests. */
  readonly connect?: (addresses: readonly string[]) => Dispatcher;
  readonly limits?: Partial<FeedLimits>;
}

export interface FeedLimits {
  readonly firstByteMs: number;
  readonly wholeMs: number;
  /** As it comes, and after decompression. */
  readonly maxBytes: number;
}

const LIMITS: FeedLimits = { firstByteMs: 10_000, wholeMs: 60_000, maxBytes: 64 * 2 ** 20 };
const STREAM_PATH = '/v1/decisions/stream';
/** Changes can be missed, such as when two share a key; so everything is asked for now and then. */
const FULL_EVERY_MS = 3_600_000;

/** What CrowdSec believes that a holder of a key knows: it counts changes from its last question. */
interface StreamState {
  readonly copy: FeedCopy;
  readonly fullAtMs: number;
}

export function createFeedFetcher(deps: FeedFetcherDeps): FeedFetcher {
  const { clock, readKey } = deps;
  const limits = { ...LIMITS, ...deps.limits };
  const open = { ...deps, ...limits, connect: deps.connect ?? createPinnedDispatcher };
  const streams = new Map<string, StreamState>();

  async function keyOf(
    { apiKeySecret, url }: FeedSource,
    signal: AbortSignal,
  ): Promise<FeedKey | undefined> {
    if (apiKeySecret === undefined) return undefined;
    const key = await readKey(apiKeySecret, signal);
    if (key.origin !== parseFeedUrl(url).origin) {
      throw new FeedError(
        'Refused',
        `cannot be asked: the key in Secret ${apiKeySecret} is for another origin than its URL; ` +
          'the key `url` of the Secret says which',
      );
    }
    return key;
  }

  async function fetchList(
    source: FeedSource,
    previous: FeedCopy | undefined,
    signal: AbortSignal,
  ): Promise<FeedOutcome> {
    const known = previous !== undefined && isReusable(previous, source) ? previous : undefined;
    const key = await keyOf(source, signal);
    const opened = await openUrl(
      parseFeedUrl(source.url),
      {
        headers: { ...HEADERS, ...conditionsOf(known) },
        ...(key === undefined ? {} : { key }),
        signal,
      },
      open,
    );
    try {
      if (opened.status === 304 && known !== undefined) return confirm(known, clock.now());
      const parsed = await readFeed(opened, source, limits.maxBytes);
      const etag = opened.header('etag');
      const lastModified = opened.header('last-modified');
      return conclude(
        source,
        previous,
        {
          parsed,
          isDelta: false,
          ...(isShort(etag) ? { etag } : {}),
          ...(isShort(lastModified) ? { lastModified } : {}),
        },
        clock.now(),
      );
    } finally {
      opened.close();
    }
  }

  async function fetchDecisions(
    source: FeedSource,
    previous: FeedCopy | undefined,
    signal: AbortSignal,
  ): Promise<FeedOutcome> {
    const url = parseFeedUrl(source.url);
    if (!url.pathname.endsWith(STREAM_PATH)) {
      url.pathname = url.pathname.replace(/\/$/, '') + STREAM_PATH;
    }
    const stream = `${source.apiKeySecret ?? ''} ${url.href}`;
    const state = streams.get(stream);
    // Until it has come through, nobody knows what the other side believes.
    streams.delete(stream);
    const isDelta =
      state !== undefined &&
      state.copy === previous &&
      isCopyOf(previous, source) &&
      clock.now() - state.fullAtMs < FULL_EVERY_MS;
    url.searchParams.set('startup', String(!isDelta));
    const key = await keyOf(source, signal);
    const opened = await openUrl(
      url,
      { headers: HEADERS, ...(key === undefined ? {} : { key }), signal },
      open,
    );
    try {
      const parsed = await readFeed(opened, source, limits.maxBytes);
      const now = clock.now();
      const outcome = conclude(source, previous, { parsed, isDelta }, now);
      if (outcome.kind === 'Fetched') {
        streams.set(stream, { copy: outcome.copy, fullAtMs: isDelta ? state.fullAtMs : now });
      }
      return outcome;
    } finally {
      opened.close();
    }
  }

  return {
    async fetch(source, previous, signal) {
      const fetchIt = source.format === 'CrowdSec' ? fetchDecisions : fetchList;
      try {
        return await withTimeLimit(clock, limits.wholeMs, signal, (limit) =>
          fetchIt(source, previous, limit),
        );
      } catch (error) {
        signal.throwIfAborted();
        return failure(source, error, limits.wholeMs);
      }
    },
  };
}

const HEADERS = {
  accept: 'text/plain, application/json;q=0.9, */*;q=0.5',
  'accept-encoding': 'gzip',
  // CrowdSec wants a kind and a version.
  'user-agent': 'strongroom/feeds',
} as const;

/** What is not echoed back is not kept: validators are stored with the copy. */
const LONGEST_VALIDATOR = 512;

function isShort(validator: string): boolean {
  return validator !== '' && validator.length <= LONGEST_VALIDATOR;
}

/** A copy that is too large by now must be looked at anew. */
function isReusable(copy: FeedCopy, source: FeedSource): boolean {
  return (
    isCopyOf(copy, source) && copy.counts.entries <= (source.maxEntries ?? DEFAULT_MAX_ENTRIES)
  );
}

function conditionsOf(known: FeedCopy | undefined): Readonly<Record<string, string>> {
  return {
    ...(known?.etag === undefined ? {} : { 'if-none-match': known.etag }),
    ...(known?.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified }),
  };
}

async function readFeed(
  opened: Opened,
  { format, maxEntries }: FeedSource,
  maxBytes: number,
): Promise<ParsedFeed> {
  const { status } = opened;
  if (status !== 200) {
    const isPassing = status === 408 || status === 425 || status === 429 || status >= 500;
    const why = status === 401 || status === 403 ? ': it refuses access' : '';
    throw new FeedError(isPassing ? 'Unreachable' : 'Refused', `answers HTTP ${status}${why}`);
  }
  if (Number(opened.header('content-length')) > maxBytes) throw tooLarge(maxBytes);
  const parser = createFeedParser(format, maxEntries);
  await readText(opened.body, opened.header('content-encoding'), maxBytes, (text) =>
    parser.push(text),
  );
  return parser.end();
}

function failure(source: FeedSource, error: unknown, wholeMs: number): FeedOutcome {
  if (error instanceof FeedError) {
    return { kind: error.kind, message: aboutFeed(source, error.message) };
  }
  const why =
    error instanceof DOMException && error.name === 'TimeoutError'
      ? `was not read within ${wholeMs / 1000} s`
      : `broke off (${codeOf(error)})`;
  return { kind: 'Unreachable', message: aboutFeed(source, why) };
}
