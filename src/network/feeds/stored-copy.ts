/**
 * The last good copy of a feed as ConfigMaps. The list is compressed and cut into parts; a head names
 * the parts by their digest. A new list goes into new parts first and is in force with the head, so
 * that a crash in between leaves the old copy whole.
 */
import { createHash } from 'node:crypto';
import { gunzipSync, gzipSync } from 'node:zlib';
import { LABELS } from '#api/names.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { parseCidr } from '../cidr/parse-cidr.ts';
import type { FeedCopy, FeedFormat, FeedItem } from './feed.ts';

/** The label `strongroom.dev/component` of everything that is kept of feeds. */
export const FEED_COMPONENT = 'feed';
/** Below the 1 MiB of a ConfigMap also in base64, and below etcd's 1.5 MiB with room to spare. */
const MAX_PART_BYTES = 700 * 1024;
/** The name of a ConfigMap is a DNS name of 253 characters; ours has a digest behind it. */
const MAX_NAME = 200;
/** A million entries are 40 MB at the very most. */
const MAX_TEXT_BYTES = 128 * 2 ** 20;
const PART_KEY = 'list.gz';
const HEAD_KEY = 'copy.json';

/** What the head holds beside the list. */
interface Head {
  readonly feed: string;
  readonly copy: Omit<FeedCopy, 'items'>;
  /** SHA-256, in hex, of the list before compression. */
  readonly sha256: string;
  /** Names of the ConfigMaps with the parts, in order; none: it is in the head itself. */
  readonly parts: readonly string[];
}

export interface StoredCopy {
  readonly head: ConfigMap;
  readonly parts: readonly ConfigMap[];
}

/** The name of the head. Names of blocks that are too long for it are told apart by a digest. */
export function headName(feed: string): string {
  return feed.length > MAX_NAME
    ? `strongroom-feedname-${digest(feed).slice(0, 32)}`
    : `strongroom-feed-${feed}`;
}

/** The value of the label `strongroom.dev/feed` on head and parts. */
export function feedLabel(feed: string): string {
  return digest(feed).slice(0, 16);
}

export function encodeCopy(feed: string, copy: FeedCopy, namespace: string): StoredCopy {
  const { items, ...rest } = copy;
  const text = items.map(lineOf).join('\n');
  const sha256 = digest(text);
  const compressed = gzipSync(text);
  const cut = Array.from({ length: Math.ceil(compressed.length / MAX_PART_BYTES) }, (_, index) =>
    compressed.subarray(index * MAX_PART_BYTES, (index + 1) * MAX_PART_BYTES),
  );
  const isWhole = cut.length === 1;
  const parts = isWhole
    ? []
    : cut.map((bytes, index) =>
        configMap(
          `strongroom-feedpart-${feedLabel(feed)}-${sha256.slice(0, 16)}-${index}`,
          feed,
          namespace,
          {
            binaryData: { [PART_KEY]: bytes.toString('base64') },
          },
        ),
      );
  const head: Head = {
    feed,
    copy: rest,
    sha256,
    parts: parts.map(({ metadata }) => metadata.name),
  };
  return {
    head: configMap(headName(feed), feed, namespace, {
      data: { [HEAD_KEY]: JSON.stringify(head) },
      ...(isWhole ? { binaryData: { [PART_KEY]: compressed.toString('base64') } } : {}),
    }),
    parts,
  };
}

/** Names of the ConfigMaps that a head needs; none for one that cannot be read. */
export function partNames(head: ConfigMap): readonly string[] {
  return readHead(head)?.parts ?? [];
}

/** The feed that a ConfigMap is the head of; undefined for parts, and for what cannot be read. */
export function feedOf(configMap: ConfigMap): string | undefined {
  return readHead(configMap)?.feed;
}

/** The copy, or what is wrong with what is stored. */
export function decodeCopy(
  feed: string,
  { head, parts }: StoredCopy,
): { readonly copy: FeedCopy } | { readonly fault: string } {
  const read = readHead(head);
  if (read === undefined) return { fault: `its key ${HEAD_KEY} is not readable` };
  if (read.feed !== feed) return { fault: `it is the copy of the feed ${read.feed}` };
  const pieces = (read.parts.length === 0 ? [head] : parts).map(
    ({ binaryData }) => binaryData?.[PART_KEY],
  );
  if (pieces.length !== Math.max(1, read.parts.length) || pieces.includes(undefined)) {
    return { fault: 'a part of it is missing' };
  }
  const text = decompress(pieces.map((piece) => Buffer.from(piece ?? '', 'base64')));
  if (text === undefined || digest(text) !== read.sha256) {
    return { fault: 'its list does not fit its checksum' };
  }
  const items = text === '' ? [] : text.split('\n').map(itemOf);
  if (!items.every((item) => item !== undefined)) return { fault: 'its list has broken lines' };
  return { copy: { ...read.copy, items } };
}

function configMap(
  name: string,
  feed: string,
  namespace: string,
  content: Pick<ConfigMap, 'data' | 'binaryData'>,
): ConfigMap {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: {
        [LABELS.component]: FEED_COMPONENT,
        [LABELS.managedBy]: 'strongroom',
        [LABELS.feed]: feedLabel(feed),
      },
    },
    ...content,
  };
}

function lineOf({ cidr, expiresAtMs }: FeedItem): string {
  return expiresAtMs === undefined ? cidr : `${cidr} ${expiresAtMs}`;
}

function itemOf(line: string): FeedItem | undefined {
  const [cidr = '', end] = line.split(' ');
  if (!parseCidr(cidr).ok) return undefined;
  if (end === undefined) return { cidr };
  return /^[0-9]{1,16}$/.test(end) ? { cidr, expiresAtMs: Number(end) } : undefined;
}

function decompress(pieces: readonly Uint8Array[]): string | undefined {
  try {
    return gunzipSync(Buffer.concat(pieces), { maxOutputLength: MAX_TEXT_BYTES }).toString('utf8');
  } catch {
    return undefined;
  }
}

const FORMATS: readonly FeedFormat[] = ['Netset', 'SpamhausDrop', 'Plain', 'CrowdSec'];

function readHead(head: ConfigMap): Head | undefined {
  try {
    const read = JSON.parse(head.data?.[HEAD_KEY] ?? '') as Head;
    const { url, format, fetchedAtMs, counts } = read.copy;
    const isWhole =
      typeof read.feed === 'string' &&
      typeof read.sha256 === 'string' &&
      read.parts.every((name) => typeof name === 'string') &&
      typeof url === 'string' &&
      FORMATS.includes(format) &&
      Number.isFinite(fetchedAtMs) &&
      Number.isInteger(counts.entries) &&
      Array.isArray(counts.skippedSamples);
    return isWhole ? read : undefined;
  } catch {
    return undefined;
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
