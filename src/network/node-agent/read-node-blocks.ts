/** What a node agent makes of the operator's ConfigMaps: all of one revision, or why not. */
import type { ConfigMap } from '#kube/objects.ts';
import { BAN_KINDS } from './ban.ts';
import type { Ban, BanKind, Bans } from './ban.ts';
import { digestOf, NODE_BLOCKS_INDEX, NODE_PODS_PREFIX, scopeKey } from './node-blocks.ts';
import { parseRange } from './range-text.ts';

export interface NodeScope {
  readonly key: string;
  readonly namespaces: '*' | readonly string[];
  readonly bans: Bans;
  /** Addresses of the pods of the namespaces; of no meaning for `*`. */
  readonly pods: readonly string[];
}

export interface NodeBlocks {
  readonly revision: string;
  readonly scopes: readonly NodeScope[];
}

export type ReadNodeBlocks =
  | { readonly complete: true; readonly blocks: NodeBlocks }
  | { readonly complete: false; readonly reason: string };

/** Parts that were read before, by digest: a change reads one part again, not all of them. */
export type PartCache = Map<string, ReadPart>;

interface ReadPart {
  readonly namespaces: string;
  readonly bans: Bans;
}

/**
 * Takes nothing on trust: text of a ConfigMap becomes part of a command to the kernel. The cache is
 * changed: what no part of this revision needs is dropped from it.
 */
export function readNodeBlocks(
  configMaps: readonly ConfigMap[],
  cache: PartCache = new Map(),
): ReadNodeBlocks {
  const byName = new Map(configMaps.map((each) => [each.metadata.name, each.data ?? {}]));
  const index = byName.get(NODE_BLOCKS_INDEX);
  if (index === undefined) return incomplete(`the ConfigMap ${NODE_BLOCKS_INDEX} is not there`);
  const revision = index['revision'] ?? '';
  const parts: ReadPart[] = [];
  const used = new Set<string>();
  for (const line of linesOf(index['parts'])) {
    const [name = '', digest = ''] = line.split(' ');
    const data = byName.get(name);
    if (data === undefined) return incomplete(`the ConfigMap ${name} is not there`);
    const part = digestOf(data) === digest ? (cache.get(digest) ?? readPart(data)) : undefined;
    if (part === undefined) {
      return incomplete(
        `the ConfigMap ${name} is not what the operator wrote; delete it, and it is written anew`,
      );
    }
    cache.set(digest, part);
    used.add(digest);
    parts.push(part);
  }
  for (const digest of cache.keys()) if (!used.has(digest)) cache.delete(digest);

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
    const of = (kind: BanKind): readonly Ban[] => members.flatMap((part) => part.bans[kind]);
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

function readPart(data: Readonly<Record<string, string>>): ReadPart | undefined {
  const read: Record<BanKind, Ban[]> = { both: [], ingress: [], egress: [] };
  for (const kind of BAN_KINDS) {
    for (const line of linesOf(data[kind])) {
      const ban = readBan(line);
      if (ban === undefined) return undefined;
      read[kind].push(ban);
    }
  }
  return { namespaces: data['namespaces'] ?? '', bans: read };
}

function readBan(line: string): Ban | undefined {
  const space = line.indexOf(' ');
  if (space === -1) return parseRange(line);
  const range = parseRange(line.slice(0, space));
  const seconds = line.slice(space + 1);
  if (range === undefined || !/^\d{1,12}$/.test(seconds)) return undefined;
  return { ...range, expiresAtMs: Number(seconds) * 1000 };
}

function linesOf(text: string | undefined): readonly string[] {
  return (text ?? '').split('\n').filter((line) => line !== '');
}
