/** What a feed is, what is kept of it, and what came of asking it: the vocabulary of this folder. */

export type FeedFormat = 'Netset' | 'SpamhausDrop' | 'Plain' | 'CrowdSec';

/** A feed as an IPBlock names it. */
export interface FeedSource {
  /** Of the IPBlock; for messages and the name of what is stored. */
  readonly name: string;
  /** For CrowdSec the base of the Local API, with or without `/v1/decisions/stream`. */
  readonly url: string;
  readonly format: FeedFormat;
  /** An answer with more is refused; {@link DEFAULT_MAX_ENTRIES} unless told. */
  readonly maxEntries?: number;
  /** Name of a Secret in the operator's namespace that holds `url` and `apiKey`. */
  readonly apiKeySecret?: string;
}

export const DEFAULT_MAX_ENTRIES = 50_000;

export interface FeedItem {
  /** Canonical, public, and no wider than /8 (IPv4) or /19 (IPv6). */
  readonly cidr: string;
  /** Milliseconds since 1970; absent: as long as the feed lists it. Only CrowdSec tells. */
  readonly expiresAtMs?: number;
}

/** What was left out of an answer, and what was put right. */
export interface FeedCounts {
  /** Entries that were taken, before neighbours and duplicates were joined. */
  readonly entries: number;
  /** Of those: not canonical (host bits, upper case, an IPv4 address in IPv6) and put right. */
  readonly corrected: number;
  /** Private, reserved, zoned, far too wide, or no address at all. */
  readonly skipped: number;
  /** The first few of what was skipped: `line 12: 10.0.0.0/8 is private or reserved`. */
  readonly skippedSamples: readonly string[];
}

/** The last good copy of a feed. */
export interface FeedCopy {
  /** Where it came from: a copy of another URL or format is not used. */
  readonly url: string;
  readonly format: FeedFormat;
  readonly items: readonly FeedItem[];
  readonly counts: FeedCounts;
  /** When the source last gave or confirmed it, in milliseconds since 1970. */
  readonly fetchedAtMs: number;
  readonly etag?: string;
  /** As the server wrote it. */
  readonly lastModified?: string;
  /**
   * The answer after it had shrunk below a tenth: so many entries. It is taken when the next answer
   * is as short.
   */
  readonly shrunkTo?: number;
}

export type FeedOutcome =
  /** A list was read, or the source confirmed the one that is kept (`isNew` false). Save the copy. */
  | { readonly kind: 'Fetched'; readonly copy: FeedCopy; readonly isNew: boolean }
  /** The list has shrunk below a tenth, for the first time: the old one stays. Save the copy. */
  | { readonly kind: 'Held'; readonly copy: FeedCopy; readonly message: string }
  /** The URL may not be asked, or what it answered is no usable list. The last copy stays. */
  | { readonly kind: 'Refused'; readonly message: string }
  /** No answer, or one that says try later. The last copy stays. */
  | { readonly kind: 'Unreachable'; readonly message: string };
