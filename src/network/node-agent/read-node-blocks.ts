/** What a node agent makes of the operator's ConfigMaps: all of one revision, or why not. */
import type { ConfigMap } from '#kube/objects.ts';
import { BAN_KINDS } from './ban.ts';
import type { Ban, BanKind } from './ban.ts';
import { digestOf, NODE_BLOCKS_INDEX, NODE_PODS_PREFIX, scopeKey } from './node-blocks.ts';
import { formatRange, parseRange } from './range-text.ts';

export interface NodeScope {
  readonly key: string;
  readonly namespaces: '*' | readonly string[];
  readonly bans: NodeBans;
  /** Addresses of the pods of the namespaces; of no meaning for `*`. */
  readonly pods: readonly string[];
}

export interface NodeBan extends Ban {
  /** Its range, as {@link formatRange} writes it. */
  readonly text: string;
}

type NodeBans = Readonly<Record<BanKind, readonly NodeBan[]>>;

export interface NodeBlocks {
  readonly revision: string;
  readonly scopes: readonly NodeScope[];
}

export type ReadNodeBlocks =
  | { readonly complete: true; readonly blocks: NodeBlocks }
  | {
      readonly complete: false;
      readonly reason: string;
      /** The operator has not published anything: no block was ever made, or it is new here. */
      readonly isUnpublished?: true;
    };

/** Parts that were read, by digest. */
export type PartCache = Map<string, ReadPart>;

interface ReadPart {
  readonly namespaces: string;
  readonly bans: NodeBans;
}

/**
 * Takes nothing on trust: text of a ConfigMap becomes part of a command to the kernel. Parts are
 * read when they come, before the index names them, and once; the cache is changed for that.
 */
export function readNodeBlocks(
  configMaps: readonly ConfigMap[],
  cache: PartCache = new Map(),
): ReadNodeBlocks {
  readParts(configMaps, cache);
  const byName = new Map(configMaps.map((each) => [each.metadata.name, each.data ?? {}]));
  const index = byName.get(NODE_BLOCKS_INDEX);
  if (index === undefined) {
    const reason = `the ConfigMap ${NODE_BLOCKS_INDEX} is not there; the operator has not published any blocks`;
    return { complete: false, reason, isUnpublished: true };
  }
  const revision = index['revision'] ?? '';
  const parts: ReadPart[] = [];
  for (const line of linesOf(index['parts'])) {
    const [name = '', digest = ''] = line.split(' ');
    if (!byName.has(name)) return incomplete(`the ConfigMap ${name} is not there`);
    const part = cache.get(digest);
    if (part === undefined) {
      return incomplete(
        `the ConfigMap ${name} is not what the operator wrote; delete it, and it is written anew`,
      );
    }
    parts.push(part);
  }

  const scopes: NodeScope[] = [];
  for (const [text, members] of Map.groupBy(parts, ({ namespaces }) => namespaces)) {
    const namespaces = text === '*' ? text : text.split(',');
    const pods: string[] = [];
    for (const namespace of namespaces === '*' ? [] : namespaces) {
      const name = `${NODE_PODS_PREFIX}${namespace}`;
      const data = byName.get(name);
      if (data === undefined) return incomplete(`the ConfigMap ${name} is not there`);
      for (const line of linesOf(data['addresses'])) {
        const address = parseRange(line);
        if (address === undefined || address.first !== address.last) {
          return incomplete(
            `the ConfigMap ${name} holds ${JSON.stringify(line)}, which is no address`,
          );
        }
        pods.push(line);
      }
    }
    const of = (kind: BanKind): readonly NodeBan[] => members.flatMap((part) => part.bans[kind]);
    scopes.push({
      key: scopeKey(namespaces),
      namespaces,
      bans: { both: of('both'), ingress: of('ingress'), egress: of('egress') },
      pods: [...new Set(pods)],
    });
  }
  return { complete: true, blocks: { revision, scopes } };
}

function incomplete(reason: string): ReadNodeBlocks {
  return { complete: false, reason };
}

function readParts(configMaps: readonly ConfigMap[], cache: PartCache): void {
  const present = new Set<string>();
  for (const { metadata, data = {} } of configMaps) {
    if (!metadata.name.startsWith(`${NODE_BLOCKS_INDEX}-`)) continue;
    const digest = digestOf(data);
    const part = cache.get(digest) ?? readPart(data);
    if (part === undefined) continue;
    present.add(digest);
    cache.set(digest, part);
  }
  for (const digest of cache.keys()) if (!present.has(digest)) cache.delete(digest);
}

function readPart(data: Readonly<Record<string, string>>): ReadPart | undefined {
  const read: Record<BanKind, NodeBan[]> = { both: [], ingress: [], egress: [] };
  for (const kind of BAN_KINDS) {
    for (const line of linesOf(data[kind])) {
      const ban = readBan(line);
      if (ban === undefined) return undefined;
      read[kind].push(ban);
    }
  }
  return { namespaces: data['namespaces'] ?? '', bans: read };
}

function readBan(line: string): NodeBan | undefined {
  const [text = '', seconds, ...more] = line.split(' ');
  const range = parseRange(text);
  if (range === undefined || more.length > 0) return undefined;
  const ban = { ...range, text: formatRange(range) };
  if (seconds === undefined) return ban;
  return /^\d{1,12}$/.test(seconds) ? { ...ban, expiresAtMs: Number(seconds) * 1000 } : undefined;
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? '').split('\n').filter((line) => line !== '');
}
