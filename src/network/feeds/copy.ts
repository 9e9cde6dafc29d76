import type { AddressSet } from '../cidr/address-set.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { FeedCopy, FeedItem, FeedSource } from './feed.ts';

/** What of a copy is in force at a time. */
export function addressesOf(copy: FeedCopy, nowMs: number): AddressSet {
  return addressSet(itemsInForce(copy, nowMs).map(({ cidr }) => cidr));
}

export function itemsInForce(copy: FeedCopy, nowMs: number): readonly FeedItem[] {
  return copy.items.filter(({ expiresAtMs }) => expiresAtMs === undefined || expiresAtMs > nowMs);
}

/** When the next item ends by itself, in milliseconds since 1970; undefined when none does. */
export function nextExpiryOf(copy: FeedCopy, nowMs: number): number | undefined {
  let next: number | undefined;
  for (const { expiresAtMs } of copy.items) {
    if (expiresAtMs === undefined || expiresAtMs <= nowMs) continue;
    if (next === undefined || expiresAtMs < next) next = expiresAtMs;
  }
  return next;
}

/** Whether a copy was made of this very source, so that it may stand for it. */
export function isCopyOf(copy: FeedCopy, source: FeedSource): boolean {
  return copy.url === source.url && copy.format === source.format;
}

export function sameItems(a: readonly FeedItem[], b: readonly FeedItem[]): boolean {
  if (a === b) return true;
  return (
    a.length === b.length &&
    a.every(({ cidr, expiresAtMs }, index) => {
      const other = b[index];
      return other !== undefined && cidr === other.cidr && expiresAtMs === other.expiresAtMs;
    })
  );
}
