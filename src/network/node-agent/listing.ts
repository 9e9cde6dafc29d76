/** What nft lists, read. */
import { formatRange, parseRange } from './range-text.ts';
import { COUNTERS, TABLE } from './table.ts';

export interface Listing {
  /** Without elements and counters; undefined: there is no table. */
  readonly structure: string | undefined;
  readonly refused: { readonly fromBanned: number; readonly toBanned: number };
}

/** Of `nft -t list ruleset inet`, which unlike a list of one table does not read the elements. */
export function parseListing(text: string): Listing {
  const lines = text.split('\n');
  const start = lines.indexOf(`table ${TABLE} {`);
  if (start === -1) return { structure: undefined, refused: { fromBanned: 0, toBanned: 0 } };
  const table = lines.slice(start, lines.indexOf('}', start) + 1);
  const packets = (counter: string): number => {
    const at = table.indexOf(`\tcounter ${counter} {`);
    return at === -1 ? 0 : Number(/^\t\tpackets (\d+) /.exec(table[at + 1] ?? '')?.[1] ?? 0);
  };
  return {
    structure: `${table.filter((line) => !/^\t\tpackets \d+ bytes \d+$/.test(line)).join('\n')}\n`,
    refused: {
      fromBanned: packets(COUNTERS.fromBanned),
      toBanned: packets(COUNTERS.toBanned),
    },
  };
}

export interface ListedElement {
  /** As {@link formatRange} writes it. */
  readonly range: string;
  /** Whole seconds, rounded down; undefined: for ever. */
  readonly expiresInSeconds?: number;
  readonly packets?: number;
}

/**
 * The elements by set of `nft -j list table …` or `nft -j list set …`.
 * @throws Error where the text is not what nft writes
 */
export function parseElements(json: string): ReadonlyMap<string, readonly ListedElement[]> {
  const root: unknown = JSON.parse(json);
  const entries = memberOf(root, 'nftables');
  if (!Array.isArray(entries)) throw new Error('nft wrote JSON without the member "nftables"');
  const sets = new Map<string, readonly ListedElement[]>();
  for (const entry of entries) {
    const set = memberOf(entry, 'set');
    const name = memberOf(set, 'name');
    if (typeof name !== 'string') continue;
    const elements = memberOf(set, 'elem');
    sets.set(name, Array.isArray(elements) ? elements.map(readElement) : []);
  }
  return sets;
}

function readElement(value: unknown): ListedElement {
  const inner = memberOf(value, 'elem');
  if (inner === undefined) return { range: rangeOf(value) };
  const expires = memberOf(inner, 'expires');
  const packets = memberOf(memberOf(inner, 'counter'), 'packets');
  return {
    range: rangeOf(memberOf(inner, 'val')),
    ...(typeof expires === 'number' ? { expiresInSeconds: expires } : {}),
    ...(typeof packets === 'number' ? { packets } : {}),
  };
}

function rangeOf(value: unknown): string {
  const prefix = memberOf(value, 'prefix');
  const ends = memberOf(value, 'range');
  const text = Array.isArray(ends)
    ? ends.map(String).join('-')
    : prefix === undefined
      ? String(value)
      : `${String(memberOf(prefix, 'addr'))}/${String(memberOf(prefix, 'len'))}`;
  const range = parseRange(text);
  if (range === undefined) throw new Error(`nft lists ${JSON.stringify(value)}, which is no range`);
  return formatRange(range);
}

function memberOf(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null
    ? (value as Readonly<Record<string, unknown>>)[key]
    : undefined;
}
