import type { FeedCounts } from '../feed.ts';

/** Why an answer is no list at all. */
export type FeedFault =
  | 'Empty'
  | 'Html'
  | 'NoText'
  | 'Truncated'
  | 'Junk'
  | 'TooManyEntries'
  | 'NoAddress';

export interface ParsedItem {
  /** Canonical, with nothing of PRIVATE_RANGES in it. */
  readonly cidr: string;
  /** From now; only CrowdSec tells. */
  readonly durationMs?: number;
}

export type ParsedFeed =
  | {
      readonly ok: true;
      readonly items: readonly ParsedItem[];
      /** CIDRs that a CrowdSec delta takes back. */
      readonly removed: readonly string[];
      readonly counts: FeedCounts;
    }
  | {
      readonly ok: false;
      readonly fault: FeedFault;
      /** Goes behind the name of the feed: "… answers with a web page, not with a list". */
      readonly message: string;
    };

/** Reads a feed as it comes in. */
export interface FeedParser {
  /** False when it is refused already, and nothing more need be read. */
  push(chunk: string): boolean;
  end(): ParsedFeed;
}

/** More than this part of the entries being no addresses, it is no list of addresses. */
const JUNK_LIMIT = 0.2;

export function refused(fault: FeedFault, message: string): ParsedFeed {
  return { ok: false, fault, message };
}

export function tooMany(maxEntries: number): ParsedFeed {
  return refused('TooManyEntries', tooManyMessage(maxEntries));
}

export function tooManyMessage(maxEntries: number): string {
  return `has more than ${maxEntries} entries; raise spec.feed.maxEntries if that is meant`;
}

/** What is wrong with an answer as a whole, by what was found in it; undefined when nothing is. */
export function judgeWhole(
  { entries, skipped, skippedSamples }: FeedCounts,
  junkSeen: number,
): ParsedFeed | undefined {
  const all = entries + skipped;
  if (junkSeen <= all * JUNK_LIMIT) return undefined;
  const sample = skippedSamples[0];
  return refused(
    'Junk',
    `is no list of addresses: ${junkSeen} of ${all} entries are none` +
      (sample === undefined ? '' : ` (${sample}); check spec.feed.format`),
  );
}
