/**
 * Follows one collection of the API: a list, then a watch from its resourceVersion, for ever. The
 * shape is kube-rs' watcher (a stream of events over an explicit state), the constants are
 * client-go's reflector. Every failure heals: what can resume resumes, what cannot lists again.
 */
import type { KubeClient, Scope } from '#kube/client.ts';
import { KubeError, isKubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import { createBackoff } from './backoff.ts';
import type { Clock } from './clock.ts';
import { describeError } from './describe-error.ts';
import type { Logger } from './log.ts';
import type { RuntimeMetrics } from './metrics.ts';
import type { Random } from './random.ts';

export type ReflectorEvent<T> =
  /** The whole collection as of now; what is not in it is gone. */
  | { readonly type: 'Replace'; readonly objects: readonly T[] }
  | { readonly type: 'Apply'; readonly object: T }
  | { readonly type: 'Delete'; readonly object: T }
  /** Nothing changed, and the connection lives. */
  | { readonly type: 'Alive' };

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: KubeClient;
  readonly resource: Resource<T>;
  readonly scope: Scope;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  /**
   * Called when the server has answered without anything to tell: it accepted a watch, or said that
   * we may not. Starting the process anew would change neither.
   */
  readonly onAnswer?: () => void;
}

const MIN_WATCH_SECONDS = 300;
/**
 * Bookmarks come about once a minute; after three missed ones the watch is opened anew, in case the
 * connection is dead. It need not be: where nothing at all changes, servers send none.
 */
const IDLE_TIMEOUT_MS = 180_000;
/** A watch asked for minutes that ends sooner is a failure: it must not be repeated in a hot loop. */
const SHORTEST_WATCH_MS = 1000;

type State =
  | { readonly at: 'Empty' }
  | { readonly at: 'Watching'; readonly resourceVersion: string };

/** Ends only when `signal` is aborted. */
export async function* reflect<T extends KubeObject>(
  options: ReflectorOptions<T>,
  signal: AbortSignal,
): AsyncGenerator<ReflectorEvent<T>, void, void> {
  const { client, resource, scope, clock, random, log, metrics } = options;
  const selectors = {
    ...(options.labelSelector === undefined ? {} : { labelSelector: options.labelSelector }),
    ...(options.fieldSelector === undefined ? {} : { fieldSelector: options.fieldSelector }),
  };
  const backoff = createBackoff(clock, random);
  let state: State = { at: 'Empty' };
  let streamsLists = true;
  let isOpen = false;

  while (!signal.aborted) {
    isOpen = false;
    try {
      if (state.at === 'Empty') {
        metrics?.listed(resource.plural);
        if (streamsLists) {
          state = yield* streamInitialList();
        } else {
          const list = await client.list(resource, scope, { ...selectors, signal });
          state = { at: 'Watching', resourceVersion: list.metadata.resourceVersion };
          yield { type: 'Replace', objects: list.items };
        }
      } else {
        state = yield* follow(state.resourceVersion);
      }
    } catch (error) {
      if (signal.aborted) return;
      const code = isKubeError(error) ? error.code : 'unknown';
      metrics?.watchEnded(resource.plural, code);
      if (code === 'ERR_KUBE_FORBIDDEN') options.onAnswer?.();
      if (state.at === 'Empty' && streamsLists && code === 'ERR_KUBE_INVALID') {
        // A server without streaming lists answers 400 or 422: page instead.
        streamsLists = false;
        continue;
      }
      if (isBeyondResuming(error)) state = { at: 'Empty' };
      // A lost resourceVersion waits too: a server that keeps losing it must not be asked in a hot
      // loop, and all watches lose it at the same moment.
      const waitMs = Math.max(backoff.nextMs(), isKubeError(error) ? (error.retryAfterMs ?? 0) : 0);
      const about = { resource: resource.plural, reason: describeError(error), waitMs };
      if (isOpen && code === 'ERR_KUBE_TIMEOUT')
        log.debug(about, 'Watch was silent, opening it anew');
      else log.warn(about, 'Watch failed, waiting to go on');
      await clock.sleep(waitMs, signal).catch(() => undefined);
    }
  }

  function watch(extra: {
    readonly resourceVersion?: string;
    readonly sendInitialEvents?: boolean;
  }) {
    return client.watch(resource, scope, {
      ...selectors,
      ...extra,
      timeoutSeconds: Math.round(MIN_WATCH_SECONDS * (1 + random())),
      idleTimeoutMs: IDLE_TIMEOUT_MS,
      onOpen() {
        isOpen = true;
        options.onAnswer?.();
      },
      signal,
    });
  }

  /** A streaming list (WatchList): objects are collected aside and published as one. */
  async function* streamInitialList(): AsyncGenerator<ReflectorEvent<T>, State, void> {
    const collected = new Map<string, T>();
    let complete = false;
    let resourceVersion = '';
    for await (const event of watch({ sendInitialEvents: true })) {
      switch (event.type) {
        case 'ADDED':
        case 'MODIFIED':
        case 'DELETED': {
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
          metrics?.watchEvent(resource.plural, event.type);
          if (complete) {
            yield { type: event.type === 'DELETED' ? 'Delete' : 'Apply', object: event.object };
          } else if (event.type === 'DELETED') {
            collected.delete(identity(event.object));
          } else {
            collected.set(identity(event.object), event.object);
          }
          break;
        }
        case 'BOOKMARK':
          resourceVersion = event.resourceVersion;
          if (!complete && event.initialEventsEnd) {
            complete = true;
            yield { type: 'Replace', objects: [...collected.values()] };
            // From here on a failure resumes instead of listing again.
            state = { at: 'Watching', resourceVersion };
          } else {
            yield { type: 'Alive' };
          }
          break;
        case 'ERROR':
          throw event.error;
      }
      if (complete) state = { at: 'Watching', resourceVersion };
    }
    if (!complete) {
      throw new KubeError(
        'ERR_KUBE_UNAVAILABLE',
        `list ${resource.kind}: ended before it was complete`,
      );
    }
    metrics?.watchEnded(resource.plural, 'server');
    return { at: 'Watching', resourceVersion };
  }

  async function* follow(from: string): AsyncGenerator<ReflectorEvent<T>, State, void> {
    let resourceVersion = from;
    const startedMs = clock.monotonicMs();
    for await (const event of watch({ resourceVersion: from })) {
      switch (event.type) {
        case 'ADDED':
        case 'MODIFIED':
        case 'DELETED':
          metrics?.watchEvent(resource.plural, event.type);
          resourceVersion = event.object.metadata.resourceVersion ?? resourceVersion;
          yield { type: event.type === 'DELETED' ? 'Delete' : 'Apply', object: event.object };
          break;
        case 'BOOKMARK':
          resourceVersion = event.resourceVersion;
          yield { type: 'Alive' };
          break;
        case 'ERROR':
          throw event.error;
      }
      state = { at: 'Watching', resourceVersion };
    }
    if (clock.monotonicMs() - startedMs < SHORTEST_WATCH_MS) {
      throw new KubeError('ERR_KUBE_UNAVAILABLE', `watch ${resource.kind}: ended at once`);
    }
    metrics?.watchEnded(resource.plural, 'server');
    return { at: 'Watching', resourceVersion };
  }
}

/**
 * Whether a watch from the same resourceVersion would fail again: it is too old, not understood, or
 * newer than what the server has (etcd was restored from a backup).
 */
function isBeyondResuming(error: unknown): boolean {
  return (
    isKubeError(error, 'ERR_KUBE_GONE') ||
    isKubeError(error, 'ERR_KUBE_INVALID') ||
    (isKubeError(error) && error.causes.some(({ reason }) => reason === 'ResourceVersionTooLarge'))
  );
}

function identity(object: KubeObject): string {
  return `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
}
