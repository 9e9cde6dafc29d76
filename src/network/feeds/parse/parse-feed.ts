import { DEFAULT_MAX_ENTRIES } from '../feed.ts';
import type { FeedFormat } from '../feed.ts';
import { createCrowdSecParser } from './crowdsec.ts';
import { createListParser } from './list-parser.ts';
import type { FeedParser, ParsedFeed } from './parsed-feed.ts';
import { spamhausDrop } from './spamhaus-drop.ts';
import { netset, plain } from './text-lists.ts';

/** Reads an answer as it comes in; the time is linear in its length. */
export function createFeedParser(
  format: FeedFormat,
  maxEntries: number = DEFAULT_MAX_ENTRIES,
): FeedParser {
  switch (format) {
    case 'Netset':
      return createListParser(netset, maxEntries);
    case 'SpamhausDrop':
      return createListParser(spamhausDrop, maxEntries);
    case 'Plain':
      return createListParser(plain, maxEntries);
    case 'CrowdSec':
      return createCrowdSecParser(maxEntries);
  }
}

export function parseFeed(format: FeedFormat, text: string, maxEntries?: number): ParsedFeed {
  const parser = createFeedParser(format, maxEntries);
  parser.push(text);
  return parser.end();
}
