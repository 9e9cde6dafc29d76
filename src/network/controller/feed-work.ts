/** Fetches the feeds of IPBlocks when they are due, and keeps the last good copy of each. */
import type { IPBlock } from '#api/ip-block.ts';
import { parseDuration } from '#api/duration.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { describeError } from '#runtime/describe-error.ts';
import { isCopyOf } from '../feeds/copy.ts';
import type { FeedCopy, FeedOutcome, FeedSource } from '../feeds/feed.ts';
import type { FeedFetcher } from '../feeds/fetcher.ts';
import { feedDueAt } from '../feeds/schedule.ts';
import type { FeedStore } from '../feeds/store.ts';
import type { FeedOutcomeOfBlock } from './block-status.ts';

export interface FeedWorkDeps {
  readonly blocks: { get(name: string): IPBlock | undefined };
  readonly fetcher: FeedFetcher;
  readonly store: FeedStore;
  readonly now: () => number;
  readonly random: () => number;
  /** Another copy is in force, or how the feed is has changed. */
  readonly onChange: (name: string) => void;
  /** Awaited before the outcome takes effect: without a record it does not. */
  readonly onFetched: (
    block: IPBlock,
    outcome: FeedOutcome,
    context: ReconcileContext,
  ) => Promise<void>;
}

export interface FeedWork {
  reconcile(name: string, context: ReconcileContext): Promise<Result>;
  /** Removes stored copies of feeds that no block names any more; once, after a start. */
  clearUp(): Promise<void>;
  copyOf(name: string): FeedCopy | undefined;
  /** Whether the store was asked, with whatever outcome. */
  isLoaded(name: string): boolean;
  statusOf(block: IPBlock): FeedOutcomeOfBlock | undefined;
}

interface Kept {
  readonly copy?: FeedCopy;
  readonly changedAtMs?: number;
  readonly attemptAtMs?: number;
  readonly failures: number;
  readonly error?: string;
  readonly isRefused?: boolean;
  /** Of this answer to be the next one. */
  readonly jitter: number;
}

/** Clocks are set, schedules are edited: never sleep through that. */
const MAX_SLEEP_MS = 600_000;

export function createFeedWork(deps: FeedWorkDeps): FeedWork {
  const kept = new Map<string, Kept>();
  const asked = new Set<string>();

  function sourceOf({ metadata, spec }: IPBlock): FeedSource | undefined {
    const { feed } = spec;
    if (feed === undefined) return undefined;
    const { url, format, maxEntries, apiKeySecret } = feed;
    return {
      name: metadata.name,
      url,
      format,
      ...(maxEntries === undefined ? {} : { maxEntries }),
      ...(apiKeySecret === undefined ? {} : { apiKeySecret: apiKeySecret.name }),
    };
  }

  async function forget(name: string): Promise<Result> {
    if (!kept.has(name)) return { kind: 'done' };
    await deps.store.remove(name);
    kept.delete(name);
    return { kind: 'done' };
  }

  async function load(name: string): Promise<FeedCopy | undefined> {
    try {
      return await deps.store.load(name);
    } finally {
      asked.add(name);
    }
  }

  /** What is kept of the source: from before, from the store, or nothing. */
  async function begin(name: string, source: FeedSource): Promise<Kept> {
    const present = kept.get(name);
    if (present !== undefined && (present.copy === undefined || isCopyOf(present.copy, source))) {
      return present;
    }
    // Another list is named now, or the process is new; the copy of another list stands for nothing.
    const stored = present === undefined ? await load(name) : undefined;
    const made: Kept = {
      ...(stored !== undefined && isCopyOf(stored, source) && { copy: stored }),
      failures: 0,
      jitter: deps.random(),
    };
    kept.set(name, made);
    if (made.copy !== present?.copy) deps.onChange(name);
    return made;
  }

  return {
    async reconcile(name, context) {
      const block = deps.blocks.get(name);
      const source = block && sourceOf(block);
      if (block === undefined || source === undefined) return forget(name);
      const everyMs = parseDuration(block.spec.feed?.every ?? '1h');
      const now = await begin(name, source);
      const dueAtMs = feedDueAt({ everyMs, ...now });
      const atMs = deps.now();
      if (dueAtMs > atMs) return { kind: 'after', ms: Math.min(dueAtMs - atMs, MAX_SLEEP_MS) };
      const next = await attempt(block, source, now, context);
      kept.set(name, next);
      deps.onChange(name);
      const waitMs = Math.max(1_000, feedDueAt({ everyMs, ...next }) - deps.now());
      return { kind: 'after', ms: Math.min(waitMs, MAX_SLEEP_MS) };
    },
    async clearUp() {
      for (const name of await deps.store.list()) {
        if (deps.blocks.get(name)?.spec.feed === undefined) await deps.store.remove(name);
      }
    },
    copyOf: (name) => kept.get(name)?.copy,
    isLoaded: (name) => asked.has(name),
    statusOf({ metadata, spec }) {
      if (spec.feed === undefined) return undefined;
      const { copy, changedAtMs, error, isRefused } = kept.get(metadata.name) ?? {};
      const maxAgeMs =
        spec.feed.maxAge === undefined
          ? 3 * parseDuration(spec.feed.every)
          : parseDuration(spec.feed.maxAge);
      return {
        ...(copy && { copy }),
        ...(changedAtMs === undefined ? {} : { changedAtMs }),
        ...(error === undefined ? {} : { error }),
        ...(isRefused === undefined ? {} : { isRefused }),
        isStale: copy !== undefined && deps.now() - copy.fetchedAtMs > maxAgeMs,
      };
    },
  };

  async function attempt(
    block: IPBlock,
    source: FeedSource,
    before: Kept,
    context: ReconcileContext,
  ): Promise<Kept> {
    const outcome = await deps.fetcher.fetch(source, before.copy, context.signal);
    await deps.onFetched(block, outcome, context);
    const tried = { attemptAtMs: deps.now(), jitter: deps.random() };
    switch (outcome.kind) {
      case 'Fetched':
      case 'Held': {
        const { copy } = outcome;
        let error = outcome.kind === 'Held' ? outcome.message : undefined;
        try {
          await deps.store.save(source.name, copy);
        } catch (failure) {
          // In force all the same: only a restart would lose it.
          error = `the copy could not be stored: ${describeError(failure)}`;
        }
        const changedAtMs =
          outcome.kind === 'Fetched' && outcome.isNew ? copy.fetchedAtMs : before.changedAtMs;
        return {
          ...tried,
          copy,
          failures: 0,
          ...(changedAtMs === undefined ? {} : { changedAtMs }),
          ...(error === undefined ? {} : { error }),
        };
      }
      case 'Refused':
      case 'Unreachable':
        return {
          ...before,
          ...tried,
          failures: before.failures + 1,
          error: outcome.message,
          isRefused: outcome.kind === 'Refused',
        };
    }
  }
}
