/**
 * What the operator tells the node agents, as ConfigMaps in its own namespace.
 *
 * | Name | Holds |
 * |---|---|
 * | `strongroom-node-blocks` | the index: a revision, and the name and digest of each part |
 * | `strongroom-node-blocks-<scope>-<part>-<digest>` | bans of one scope within one prefix |
 * | `strongroom-node-pods-<namespace>` | addresses of the pods of a namespace that a scope names |
 *
 * Parts are named by what is in them, so that a new set is complete beside the old one before the
 * index points at it, and a change writes one part and the index. Addresses of pods are apart: pods
 * come and go, and that must not rewrite the bans.
 */
import { createHash } from 'node:crypto';
import { LABELS } from '#api/names.ts';
import type { ConfigMap } from '#kube/objects.ts';
import type { Direction, NetworkPod } from '../cluster-facts.ts';
import { BAN_KINDS, byKind } from './ban.ts';
import type { Ban, BanKind, Bans } from './ban.ts';
import { formatRange } from './range-text.ts';

export const NODE_BLOCKS_COMPONENT = 'node-blocks';
export const NODE_BLOCKS_INDEX = 'strongroom-node-blocks';
export const NODE_PODS_PREFIX = 'strongroom-node-pods-';

/** Of the text of a part. A ConfigMap takes 1 MiB; smaller ones are written and sent faster. */
const PART_BYTES = 256 * 1024;

/** Bans of one scope and direction, disjoint and in order. */
export interface NodeBlockGroup {
  /** `*`: all that passes through a node. Else only packets from and to pods of these. */
  readonly namespaces: '*' | readonly string[];
  readonly direction: Direction;
  readonly intervals: readonly Ban[];
}

export interface NodeBlocksInput {
  readonly groups: readonly NodeBlockGroup[];
  /** Of the namespaces that the groups name; others are left out. */
  readonly pods: readonly NetworkPod[];
  /** The operator's. */
  readonly namespace: string;
  readonly partBytes?: number;
}

/**
 * The ConfigMaps, in the order in which they must be written: the index last. What carries the label
 * `strongroom.dev/component: node-blocks` and is not among them is to be deleted afterwards.
 */
export function nodeBlockConfigMaps(input: NodeBlocksInput): readonly ConfigMap[] {
  const { groups, pods, namespace, partBytes = PART_BYTES } = input;
  const scopes = scopesOf(groups);
  const parts = scopes.flatMap((scope) => partsOf(scope, partBytes));
  const index = parts.map(({ name, digest }) => `${name} ${digest}\n`).join('');
  const named = new Set(
    scopes.flatMap((scope) => (scope.namespaces === '*' ? [] : scope.namespaces)),
  );
  return [
    ...[...named].sort().map((each) => ({
      name: `${NODE_PODS_PREFIX}${each}`,
      data: { namespace: each, addresses: addressesOf(pods, each) },
    })),
    ...parts,
    { name: NODE_BLOCKS_INDEX, data: { revision: sha256(index).slice(0, 16), parts: index } },
  ].map(({ name, data }) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name,
      namespace,
      labels: { [LABELS.component]: NODE_BLOCKS_COMPONENT, [LABELS.managedBy]: 'strongroom' },
    },
    data,
  }));
}

/** The revision that the agents are to report; undefined without an index among them. */
export function revisionOf(configMaps: readonly ConfigMap[]): string | undefined {
  return configMaps.find(({ metadata }) => metadata.name === NODE_BLOCKS_INDEX)?.data?.['revision'];
}

/** Of the text of a part; stands in the index, and the agent takes nothing that differs. */
export function digestOf(data: Readonly<Record<string, string>>): string {
  return sha256(['namespaces', ...BAN_KINDS].map((key) => `${key}\n${data[key] ?? ''}`).join('\n'));
}

interface Scope {
  readonly key: string;
  readonly namespaces: '*' | readonly string[];
  readonly bans: Bans;
}

interface Part {
  readonly name: string;
  readonly digest: string;
  readonly data: Readonly<Record<string, string>>;
}

function scopesOf(groups: readonly NodeBlockGroup[]): readonly Scope[] {
  const byScope = new Map<string, NodeBlockGroup[]>();
  for (const group of groups) {
    const key = group.namespaces === '*' ? '*' : [...new Set(group.namespaces)].sort().join(',');
    const others = byScope.get(key);
    if (others === undefined) byScope.set(key, [group]);
    else others.push(group);
  }
  return [...byScope]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .flatMap(([key, members]) => {
      const of = (direction: Direction): readonly Ban[] =>
        onlyOne(members.filter((group) => group.direction === direction))?.intervals ?? [];
      const bans = byKind(of('Ingress'), of('Egress'));
      const namespaces = key === '*' ? key : key.split(',').filter((name) => name !== '');
      return [{ key: scopeKey(namespaces), namespaces, bans }];
    });
}

function onlyOne<T>(of: readonly T[]): T | undefined {
  if (of.length > 1) throw new RangeError('two groups of one scope and direction');
  return of[0];
}

/** Names sets on the nodes and parts in the API. */
export function scopeKey(namespaces: '*' | readonly string[]): string {
  return namespaces === '*' ? 'node' : sha256(namespaces.join(',')).slice(0, 8);
}

interface Line extends Ban {
  readonly kind: BanKind;
  /** With its line break. */
  readonly text: string;
}

function lineOf(kind: BanKind, ban: Ban): Line {
  return { ...ban, kind, text: `${formatBan(ban)}\n` };
}

function partsOf(scope: Scope, partBytes: number): readonly Part[] {
  const lines = BAN_KINDS.flatMap((kind) => scope.bans[kind].map((ban) => lineOf(kind, ban)));
  if (lines.length === 0) return [];
  return [...split(lines, partBytes)].map(({ prefix, data }) => {
    const whole = {
      namespaces: scope.namespaces === '*' ? '*' : scope.namespaces.join(','),
      ...data,
    };
    const digest = digestOf(whole);
    const name = `${NODE_BLOCKS_INDEX}-${scope.key}-${prefix}-${digest.slice(0, 10)}`;
    return { name, digest, data: whole };
  });
}

interface Piece {
  readonly prefix: string;
  readonly data: Partial<Record<BanKind, string>>;
}

/**
 * Cut along prefixes, so that a changed ban changes the part that it is in and no other: by family,
 * then in halves, until each fits.
 */
function* split(lines: readonly Line[], partBytes: number): Generator<Piece> {
  if (sizeOf(lines) <= partBytes) {
    yield pieceOf('all', lines);
    return;
  }
  for (const [family, bits] of [
    ['IPv4', 32],
    ['IPv6', 128],
  ] as const) {
    const own = lines.filter((line) => line.family === family);
    if (own.length > 0) yield* halves(family, bits, 0n, 0, own, partBytes);
  }
}

function* halves(
  family: Ban['family'],
  bits: number,
  base: bigint,
  length: number,
  lines: readonly Line[],
  partBytes: number,
): Generator<Piece> {
  if (sizeOf(lines) <= partBytes || length === bits) {
    yield pieceOf(prefixName(family, bits, base, length), lines);
    return;
  }
  const middle = base | (1n << BigInt(bits - length - 1));
  const low: Line[] = [];
  const high: Line[] = [];
  for (const line of lines) {
    if (line.last < middle) low.push(line);
    else if (line.first >= middle) high.push(line);
    else {
      low.push(lineOf(line.kind, { ...line, last: middle - 1n }));
      high.push(lineOf(line.kind, { ...line, first: middle }));
    }
  }
  if (low.length > 0) yield* halves(family, bits, base, length + 1, low, partBytes);
  if (high.length > 0) yield* halves(family, bits, middle, length + 1, high, partBytes);
}

function pieceOf(prefix: string, lines: readonly Line[]): Piece {
  const data: Partial<Record<BanKind, string>> = {};
  for (const kind of BAN_KINDS) {
    const own = lines.filter((line) => line.kind === kind);
    if (own.length > 0) data[kind] = own.map(({ text }) => text).join('');
  }
  return { prefix, data };
}

function sizeOf(lines: readonly Line[]): number {
  let size = 0;
  for (const { text } of lines) size += text.length;
  return size;
}

/** Such as `v4-c0-3` for 192.0.0.0/3: hexadecimal digits, without those that are all behind it. */
function prefixName(family: Ban['family'], bits: number, base: bigint, length: number): string {
  const digits = base
    .toString(16)
    .padStart(bits / 4, '0')
    .slice(0, Math.max(2, Math.ceil(length / 4)));
  return `${family === 'IPv4' ? 'v4' : 'v6'}-${digits}-${length}`;
}

/** `192.0.2.0/24 1764151200`: until a time in whole seconds, rounded up; without one for ever. */
function formatBan(ban: Ban): string {
  const range = formatRange(ban);
  return ban.expiresAtMs === undefined ? range : `${range} ${Math.ceil(ban.expiresAtMs / 1000)}`;
}

/** Pods with the address of their node are left out: what they do is the node's traffic. */
function addressesOf(pods: readonly NetworkPod[], namespace: string): string {
  const addresses = pods.flatMap((pod) =>
    pod.namespace === namespace && !pod.hostNetwork ? pod.addresses : [],
  );
  return [...new Set(addresses)]
    .sort()
    .map((address) => `${address}\n`)
    .join('');
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
