import { itemsInForce } from './copy.ts';
import type { FeedCopy, FeedItem } from './feed.ts';
import type { ParsedItem } from './parse/parsed-feed.ts';

/**
 * Durations are counted from when the server answers, so that the same end comes out a little
 * different each time. Ends that differ by less than this are the same.
 */
const SAME_END_MS = 5_000;

/**
 * What is in force after an answer of CrowdSec: what it takes back goes first, since a decision that
 * ran out and a new one on the same address come together. Of several on one address the last to
 * end stands.
 *
 * @param isDelta the answer is about changes of `known`; else it is everything
 */
export function mergeDecisions(
  known: FeedCopy | undefined,
  answer: { readonly items: readonly ParsedItem[]; readonly removed: readonly string[] },
  isDelta: boolean,
  nowMs: number,
): readonly FeedItem[] {
  const knownEnds = endsOf(known?.items ?? []);
  const ends =
    isDelta && known !== undefined ? endsOf(itemsInForce(known, nowMs)) : new Map<string, number>();
  if (isDelta) for (const cidr of answer.removed) ends.delete(cidr);
  for (const { cidr, durationMs = 0 } of answer.items) {
    const endMs = Math.max(nowMs + durationMs, ends.get(cidr) ?? 0);
    const knownEnd = knownEnds.get(cidr);
    const isSame = knownEnd !== undefined && Math.abs(knownEnd - endMs) < SAME_END_MS;
    ends.set(cidr, isSame ? knownEnd : endMs);
  }
  return [...ends]
    .map(([cidr, expiresAtMs]) => ({ cidr, expiresAtMs }))
    .toSorted((a, b) => (a.cidr < b.cidr ? -1 : 1));
}

function endsOf(items: readonly FeedItem[]): Map<string, number> {
  return new Map(items.map(({ cidr, expiresAtMs }) => [cidr, expiresAtMs ?? Infinity]));
}
