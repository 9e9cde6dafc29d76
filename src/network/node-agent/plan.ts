/** From what stands in the kernel to what is wanted: the commands for nft, or none. */
import type { SetElements, Table } from './table.ts';
import { TABLE } from './table.ts';

/** What stands in the kernel, as far as is known. */
export type Standing = Table;

export type Plan =
  | { readonly kind: 'nothing' }
  /** Both are one transaction of the kernel. */
  | { readonly kind: 'delta' | 'reload'; readonly script: string };

/** From so many changed elements on everything is loaded anew; that takes as long, and is simpler. */
const MAX_DELTA = 5_000;
/** Who is to be taken away so late goes by itself, and may have gone when the command arrives. */
const MARGIN_MS = 1_000;

/**
 * Times that differ by no more than the tolerance are the same: nft lists whole seconds.
 */
export function planChange(
  standing: Standing | undefined,
  wanted: Table,
  nowMs: number,
  toleranceMs = 0,
): Plan {
  if (standing === undefined || standing.structure !== wanted.structure) {
    return { kind: 'reload', script: reloadScript(wanted, nowMs) };
  }
  const lines: string[] = [];
  let changes = 0;
  for (const [name, elements] of wanted.sets) {
    const before: SetElements = standing.sets.get(name) ?? new Map();
    const gone: string[] = [];
    const come: string[] = [];
    for (const [range, until] of before) {
      if (until <= nowMs) continue;
      const next = elements.get(range);
      const isWanted = next !== undefined && next > nowMs;
      if (isWanted ? !isSame(until, next, toleranceMs) : until > nowMs + MARGIN_MS)
        gone.push(range);
    }
    for (const [range, until] of elements) {
      if (until <= nowMs) continue;
      const had = before.get(range);
      if (had === undefined || had <= nowMs || !isSame(had, until, toleranceMs)) {
        come.push(element(range, until, nowMs));
      }
    }
    changes += gone.length + come.length;
    if (changes > MAX_DELTA) return { kind: 'reload', script: reloadScript(wanted, nowMs) };
    // First what goes: what comes may lie over it.
    if (gone.length > 0) lines.push(`delete element ${TABLE} ${name} { ${gone.join(', ')} }`);
    if (come.length > 0) lines.push(`add element ${TABLE} ${name} { ${come.join(', ')} }`);
  }
  if (lines.length === 0) return { kind: 'nothing' };
  return { kind: 'delta', script: `${lines.join('\n')}\n` };
}

function isSame(a: number, b: number, toleranceMs: number): boolean {
  return a === b || Math.abs(a - b) <= toleranceMs;
}

/** The whole table in one transaction: at no moment is a ban missing that stands before and after. */
export function reloadScript(wanted: Table, nowMs: number): string {
  const lines = wanted.structure.split('\n').flatMap((line) => {
    const name = /^\tset (\S+) \{$/.exec(line)?.[1];
    const elements = name === undefined ? undefined : wanted.sets.get(name);
    if (elements === undefined) return [line];
    const texts = [...elements].flatMap(([range, until]) =>
      until <= nowMs ? [] : [element(range, until, nowMs)],
    );
    return texts.length === 0 ? [line] : [line, `\t\telements = { ${texts.join(', ')} }`];
  });
  // A table must be there to be deleted.
  return `add table ${TABLE}\n${REMOVE_SCRIPT}${lines.join('\n')}`;
}

export const REMOVE_SCRIPT: string = `delete table ${TABLE}\n`;

function element(range: string, until: number, nowMs: number): string {
  return until === Infinity ? range : `${range} timeout ${timeout(until - nowMs)}`;
}

const DAY_MS = 86_400_000;

/** nft takes up to eight digits of each unit. */
function timeout(ms: number): string {
  const left = Math.ceil(ms);
  const days = Math.floor(left / DAY_MS);
  const seconds = Math.floor((left % DAY_MS) / 1000);
  const parts = [
    [days, 'd'],
    [seconds, 's'],
    [left % 1000, 'ms'],
  ] as const;
  return parts.flatMap(([count, unit]) => (count === 0 ? [] : [`${count}${unit}`])).join('');
}
