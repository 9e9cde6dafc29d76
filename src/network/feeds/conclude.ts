/** What becomes of the copy that is kept, now that the feed has answered. */
import { isCopyOf, itemsInForce, sameItems } from './copy.ts';
import { aboutFeed } from './feed-error.ts';
import { DEFAULT_MAX_ENTRIES } from './feed.ts';
import type { FeedCopy, FeedOutcome, FeedSource } from './feed.ts';
import { mergeDecisions } from './merge-decisions.ts';
import { tooManyMessage } from './parse/parsed-feed.ts';
import type { ParsedFeed } from './parse/parsed-feed.ts';

export interface Answer {
  readonly parsed: ParsedFeed;
  /** Of CrowdSec: changes since the previous answer, not everything. */
  readonly isDelta: boolean;
  readonly etag?: string;
  readonly lastModified?: string;
}

/** A list that is shorter than this part of the one before is believed the second time only. */
const SHRINK_LIMIT = 0.1;

export function conclude(
  source: FeedSource,
  previous: FeedCopy | undefined,
  answer: Answer,
  nowMs: number,
): FeedOutcome {
  const known = previous !== undefined && isCopyOf(previous, source) ? previous : undefined;
  const { parsed, isDelta, etag, lastModified } = answer;
  if (!parsed.ok) return refusal(source, parsed.message);
  const isStream = source.format === 'CrowdSec';
  const items = isStream
    ? mergeDecisions(known, parsed, isDelta, nowMs)
    : parsed.items.map(({ cidr }) => ({ cidr }));
  const entries = isStream ? items.length : parsed.counts.entries;
  const maxEntries = source.maxEntries ?? DEFAULT_MAX_ENTRIES;
  if (entries > maxEntries) {
    return refusal(source, tooManyMessage(maxEntries));
  }
  const before = known === undefined ? 0 : entriesInForce(known, nowMs);
  if (known !== undefined && entries < before * SHRINK_LIMIT && known.shrunkTo === undefined) {
    return {
      kind: 'Held',
      copy: { ...known, shrunkTo: entries },
      message:
        `the feed ${source.name} has shrunk from ${before} to ${entries} entries; the old list ` +
        'stays until the next answer is as short',
    };
  }
  const copy: FeedCopy = {
    url: source.url,
    format: source.format,
    items,
    counts:
      isDelta && known !== undefined ? { ...known.counts, entries } : { ...parsed.counts, entries },
    fetchedAtMs: nowMs,
    ...(etag === undefined ? {} : { etag }),
    ...(lastModified === undefined ? {} : { lastModified }),
  };
  return { kind: 'Fetched', copy, isNew: known === undefined || !sameItems(known.items, items) };
}

/** The source says that nothing has changed. */
export function confirm(copy: FeedCopy, nowMs: number): FeedOutcome {
  const { shrunkTo: _shrunkTo, ...rest } = copy;
  return { kind: 'Fetched', copy: { ...rest, fetchedAtMs: nowMs }, isNew: false };
}

function refusal(source: FeedSource, message: string): FeedOutcome {
  return { kind: 'Refused', message: aboutFeed(source, message) };
}

function entriesInForce(copy: FeedCopy, nowMs: number): number {
  return copy.format === 'CrowdSec' ? itemsInForce(copy, nowMs).length : copy.counts.entries;
}
