import { describe, expect, it } from 'vitest';
import type { ConfigMap } from '#kube/objects.ts';
import type { FeedCopy } from './feed.ts';
import { isWorthSaving } from './store.ts';
import { decodeCopy, encodeCopy, headName } from './stored-copy.ts';

const copy: FeedCopy = {
  url: 'https://lists.example.com/',
  format: 'CrowdSec',
  items: [{ cidr: '1.10.16.0/20' }, { cidr: '5.8.37.7/32', expiresAtMs: 1_800_000_000_000 }],
  counts: { entries: 2, corrected: 1, skipped: 1, skippedSamples: ['line 3 has a zone'] },
  fetchedAtMs: 1_799_999_000_000,
  etag: '"v1"',
  lastModified: 'Tue, 24 Nov 2026 08:00:00 GMT',
  shrunkTo: 0,
};

/** Does not compress well: about a mebibyte. */
function largeCopy(seed = 7): FeedCopy {
  let state = seed;
  const next = (): number => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state >>> 8;
  };
  const items = Array.from({ length: 80_000 }, () => ({
    cidr: `9.${next() & 255}.${next() & 255}.${next() & 255}/32`,
    expiresAtMs: next() * 2 ** 26 + next(),
  }));
  return { ...copy, items };
}

const large = largeCopy();
const storedLarge = encodeCopy('scanners', large, 'strongroom');

const base64Bytes = ({ binaryData }: ConfigMap): number => (binaryData?.['list.gz'] ?? '').length;

describe('a stored copy', () => {
  it('comes back as it was', () => {
    const stored = encodeCopy('scanners', copy, 'strongroom');
    expect(stored.parts).toEqual([]);
    expect(stored.head.metadata).toEqual({
      name: 'strongroom-feed-scanners',
      namespace: 'strongroom',
      labels: {
        'strongroom.dev/component': 'feed',
        'app.kubernetes.io/managed-by': 'strongroom',
        'strongroom.dev/feed': expect.stringMatching(/^[0-9a-f]{16}$/) as string,
      },
    });
    expect(decodeCopy('scanners', stored)).toEqual({ copy });
  });

  it('comes back without items, as an empty one', () => {
    const empty = { ...copy, items: [] };
    expect(decodeCopy('a', encodeCopy('a', empty, 'strongroom'))).toEqual({ copy: empty });
  });

  it('is cut into parts that fit into a ConfigMap', () => {
    expect(storedLarge.parts.length).toBeGreaterThan(1);
    expect(storedLarge.head.binaryData).toBeUndefined();
    const sizes = storedLarge.parts.map(base64Bytes);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.ceil((700 * 1024 * 4) / 3 / 4 + 1) * 4);
    expect(new Set(storedLarge.parts.map(({ metadata }) => metadata.name)).size).toBe(sizes.length);
    const decoded = decodeCopy('scanners', storedLarge);
    // As text: a hundred thousand objects are compared slowly.
    const items = 'copy' in decoded ? JSON.stringify(decoded.copy.items) : decoded.fault;
    expect(items === JSON.stringify(large.items)).toBe(true);
  });

  it('has other parts when its list is another, so that the old ones stay until it is in force', () => {
    const other = encodeCopy('scanners', largeCopy(8), 'strongroom');
    const names = other.parts.map(({ metadata }) => metadata.name);
    expect(storedLarge.parts.filter(({ metadata }) => names.includes(metadata.name))).toEqual([]);
  });

  it('has a name that fits, and that no other feed has', () => {
    const long = 'a'.repeat(253);
    const names = [long, `${long.slice(1)}b`, 'short', 'x'.repeat(200)].map(headName);
    expect(Math.max(...names.map((name) => name.length))).toBeLessThanOrEqual(253);
    expect(new Set(names).size).toBe(names.length);
  });

  const { head } = encodeCopy('scanners', copy, 'strongroom');
  const withJson = (change: (json: string) => string): ConfigMap => ({
    ...head,
    data: { 'copy.json': change(head.data?.['copy.json'] ?? '') },
  });
  it.each<[string, ConfigMap, readonly ConfigMap[], RegExp]>([
    ['nothing in it', { ...head, data: {} }, [], /not readable/],
    ['no JSON', withJson(() => '{'), [], /not readable/],
    ['an unknown format', withJson((json) => json.replace('CrowdSec', 'X')), [], /not readable/],
    ['the copy of another feed', withJson((json) => json.replace('scanners', 'b')), [], /feed b/],
    ['no list', { ...head, binaryData: {} }, [], /part of it is missing/],
    ['a list that is no gzip', { ...head, binaryData: { 'list.gz': 'AAAA' } }, [], /checksum/],
    [
      'another list',
      { ...head, binaryData: storedLarge.parts[0]?.binaryData ?? {} },
      [],
      /checksum/,
    ],
    ['a missing part', storedLarge.head, storedLarge.parts.slice(1), /part of it is missing/],
    ['parts in another order', storedLarge.head, storedLarge.parts.toReversed(), /checksum/],
  ])('with %s counts as none', (_, brokenHead, parts, fault) => {
    expect(decodeCopy('scanners', { head: brokenHead, parts })).toEqual({
      fault: expect.stringMatching(fault) as string,
    });
  });
});

describe('what is worth saving', () => {
  const list: FeedCopy = { ...copy, format: 'Plain', items: [{ cidr: '1.10.16.0/20' }] };
  const minutes = (count: number): number => list.fetchedAtMs + count * 60_000;
  it.each<[string, FeedCopy, Partial<FeedCopy>, boolean]>([
    ['the same a minute later', list, { fetchedAtMs: minutes(1) }, false],
    ['the same an hour later', list, { fetchedAtMs: minutes(60) }, true],
    ['the same, read anew', list, { items: [{ cidr: '1.10.16.0/20' }] }, false],
    ['another list', list, { items: [{ cidr: '1.10.32.0/20' }] }, true],
    ['another validator', list, { etag: '"v2"' }, true],
    ['a list that has shrunk', list, { shrunkTo: 7 }, true],
    ['another URL', list, { url: 'https://mirror.example.com/' }, true],
    ['one from before the clock was set', list, { fetchedAtMs: minutes(-1) }, true],
    ['other decisions a minute later', copy, { items: [], fetchedAtMs: minutes(1) }, false],
    ['other decisions five minutes later', copy, { items: [], fetchedAtMs: minutes(5) }, true],
  ])('%s', (_, stored, change, expected) => {
    expect(isWorthSaving(stored, { ...stored, ...change })).toBe(expected);
  });
});
