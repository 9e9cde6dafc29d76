/** How the commands about blocks print. */
import type { IPBlock } from '#api/ip-block.ts';
import { shortForm } from '#cli/block-manifest.ts';
import { age, table, visible } from '#cli/output.ts';
import { expiryOf } from '#network/blocks/expiry.ts';

/** The JSON of one block; a contract of the command line. */
export interface BlockJson {
  readonly name: string;
  /** Absent: it has a feed. */
  readonly cidrs?: readonly string[];
  readonly feed?: { readonly url: string; readonly format: string };
  readonly direction: string;
  /** `*`: all guarded namespaces. */
  readonly namespaces: '*' | readonly string[];
  readonly gateway: boolean;
  readonly mode: string;
  readonly reason: string;
  readonly owner?: string;
  readonly expiresAt?: string;
  readonly isExpired: boolean;
  /** `Unknown` until the operator has seen it as it is now. */
  readonly enforcement: string;
  readonly hits?: number;
  readonly podsInScope?: number;
  readonly podsCut?: number;
  readonly protectedRanges: readonly string[];
  readonly gaps: NonNullable<NonNullable<IPBlock['status']>['gaps']>;
}

export function blockJson(block: IPBlock, nowMs: number): BlockJson {
  const { metadata, spec } = block;
  const expiresAtMs = expiryOf(block);
  const status = isSeen(block) ? block.status : undefined;
  const { scope } = spec;
  const namespaces = scope === undefined ? ['*'] : (scope.namespaces ?? []);
  const isExpired = expiresAtMs !== undefined && expiresAtMs <= nowMs;
  return {
    name: metadata.name,
    ...(spec.cidrs === undefined ? {} : { cidrs: spec.cidrs }),
    ...(spec.feed === undefined ? {} : { feed: { url: spec.feed.url, format: spec.feed.format } }),
    direction: spec.direction ?? 'Both',
    namespaces: namespaces.includes('*') ? '*' : namespaces,
    gateway: scope === undefined || scope.gateway === true,
    mode: spec.mode ?? 'Enforce',
    reason: spec.reason,
    ...(spec.owner === undefined ? {} : { owner: spec.owner }),
    ...(expiresAtMs === undefined ? {} : { expiresAt: new Date(expiresAtMs).toISOString() }),
    isExpired,
    enforcement: isExpired ? 'Expired' : (status?.enforcement ?? 'Unknown'),
    ...(status?.hits === undefined ? {} : { hits: status.hits }),
    ...(status?.podsInScope === undefined ? {} : { podsInScope: status.podsInScope }),
    ...(status?.podsCut === undefined ? {} : { podsCut: status.podsCut }),
    protectedRanges: status?.protectedRanges ?? [],
    gaps: status?.gaps ?? [],
  };
}

/** Whether its status is about what it says now. */
export function isSeen({ metadata, status }: IPBlock): boolean {
  return status !== undefined && (status.observedGeneration ?? 0) >= (metadata.generation ?? 0);
}

export function blockTable(blocks: readonly IPBlock[], nowMs: number): string {
  return table(
    ['NAME', 'ADDRESSES', 'DIRECTION', 'SCOPE', 'ENFORCEMENT', 'ENDS', 'HITS', 'GAPS', 'REASON'],
    blocks.map((block) => {
      const json = blockJson(block, nowMs);
      return [
        json.name,
        listedText(block),
        json.direction,
        scopeText(json),
        json.enforcement,
        endText(json, nowMs),
        String(json.hits ?? '-'),
        String(isSeen(block) ? (block.status?.gapCount ?? json.gaps.length) : '-'),
        json.reason,
      ];
    }),
  );
}

export function describeBlock(block: IPBlock, nowMs: number): string {
  const json = blockJson(block, nowMs);
  const facts: readonly (readonly [string, string])[] = [
    ['Block', json.name],
    ['Addresses', listedText(block)],
    ['Scope', `${scopeText(json)}, ${json.direction}`],
    ['Reason', json.reason],
    ['Owner', json.owner ?? '-'],
    ['Ends', endText(json, nowMs)],
    ['Enforcement', `${json.enforcement}${messageOf(block)}`],
    ...(json.podsInScope === undefined
      ? []
      : ([
          ['Pods', `${json.podsCut ?? 0} of ${json.podsInScope} cut off from all of it`],
        ] as const)),
    ...(json.protectedRanges.length === 0
      ? []
      : ([['Left out', someOf(json.protectedRanges)]] as const)),
  ];
  return sections([
    facts.map(([label, value]) => `${`${label}:`.padEnd(13)} ${visible(value)}`).join('\n'),
    gapTable(json.gaps),
  ]);
}

export function gapTable(
  gaps: readonly {
    readonly type: string;
    readonly namespace?: string;
    readonly networkPolicy?: string;
    readonly message: string;
  }[],
): string {
  if (gaps.length === 0) return '';
  return table(
    ['GAP', 'NAMESPACE', 'POLICY', 'MESSAGE'],
    gaps.map(({ type, namespace, networkPolicy, message }) => [
      type,
      namespace ?? '-',
      networkPolicy ?? '-',
      message,
    ]),
  );
}

export function notesText(notes: readonly string[]): string {
  return notes.map((note) => `note: ${visible(note)}`).join('\n');
}

export function sections(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}

const MAX_SHOWN = 3;

/** `198.51.100.0/24, 203.0.113.7 and 4 more` */
export function someOf(items: readonly string[]): string {
  const shown = items.slice(0, MAX_SHOWN).join(', ');
  return items.length > MAX_SHOWN ? `${shown} and ${items.length - MAX_SHOWN} more` : shown;
}

function listedText({ spec, status }: IPBlock): string {
  if (spec.feed === undefined) return someOf((spec.cidrs ?? []).map(shortForm));
  const entries = status?.feed?.entries;
  return `${spec.feed.format} feed${entries === undefined ? '' : ` of ${entries}`}`;
}

function scopeText({ namespaces, gateway }: BlockJson): string {
  const where = namespaces === '*' ? 'all guarded' : namespaces.join(',');
  if (!gateway || namespaces === '*') return where;
  return where === '' ? 'gateway' : `${where}+gateway`;
}

function endText({ expiresAt, isExpired }: BlockJson, nowMs: number): string {
  if (expiresAt === undefined) return 'when removed';
  return isExpired ? 'over' : `in ${age(Date.parse(expiresAt) - nowMs)}`;
}

function messageOf(block: IPBlock): string {
  const enforced = isSeen(block)
    ? block.status?.conditions?.find(({ type }) => type === 'Enforced')
    : undefined;
  return enforced === undefined ? '' : `: ${enforced.message}`;
}
