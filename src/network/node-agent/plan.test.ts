import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planChange, reloadScript } from './plan.ts';
import type { Table } from './table.ts';

const NOW = 1_900_000_000_000;
const STRUCTURE = 'table inet strongroom {\n\tset a {\n\t}\n\n\tset b {\n\t}\n}\n';
type Contents = Readonly<Record<string, ReadonlyMap<string, number>>>;

function table(contents: Contents): Table {
  return { structure: STRUCTURE, sets: new Map(Object.entries(contents)) };
}

/**
 * A set as the kernel keeps it: what has ended is gone, what is not there cannot be deleted, and
 * nothing can lie over something else. Ranges are `first-last` of small numbers here.
 */
function createKernel() {
  const sets = new Map<string, Map<string, number>>();
  const drop = (nowMs: number): void => {
    for (const set of sets.values()) {
      for (const [range, until] of set) if (until <= nowMs) set.delete(range);
    }
  };
  function run(script: string, nowMs: number): void {
    drop(nowMs);
    for (const [, act, name = '', list = ''] of script.matchAll(
      /^(add|delete) element inet strongroom (\w+) \{ (.*) \}$/gm,
    )) {
      for (const text of list.split(', ')) edit(act === 'add', name, text, nowMs);
    }
    for (const [, name = '', list = ''] of script.matchAll(
      /^\tset (\w+) \{\n(?:\t\telements = \{ (.*) \}\n)?/gm,
    )) {
      sets.set(name, new Map());
      if (list !== '') for (const text of list.split(', ')) edit(true, name, text, nowMs);
    }
  }
  function edit(isAdd: boolean, name: string, text: string, nowMs: number): void {
    const set = sets.get(name) ?? new Map<string, number>();
    sets.set(name, set);
    const [range = '', , timeout] = text.split(' ');
    if (!isAdd) {
      if (!set.delete(range)) throw new Error(`${range} does not exist`);
      return;
    }
    const [first = 0, last = 0] = range.split('-').map(Number);
    for (const other of set.keys()) {
      const [start = 0, end = 0] = other.split('-').map(Number);
      if (first <= end && start <= last) throw new Error(`${range} lies over ${other}`);
    }
    set.set(range, timeout === undefined ? Infinity : nowMs + milliseconds(timeout));
  }
  const contents = (nowMs: number): Contents => {
    drop(nowMs);
    return Object.fromEntries(sets);
  };
  return { run, contents };
}

const UNITS: Readonly<Record<string, number>> = { d: 86_400_000, s: 1000, ms: 1 };

function milliseconds(text: string): number {
  const parts = [...text.matchAll(/(\d+)(d|ms|s)/g)];
  expect(parts.map(([part]) => part).join('')).toBe(text);
  for (const [, digits = ''] of parts) expect(digits.length).toBeLessThanOrEqual(8);
  return parts.reduce((sum, [, count, unit = '']) => sum + Number(count) * (UNITS[unit] ?? 0), 0);
}

const contents: fc.Arbitrary<Contents> = fc
  .record({ a: fc.array(draft(), { maxLength: 6 }), b: fc.array(draft(), { maxLength: 3 }) })
  .map(({ a, b }) => ({ a: disjoint(a), b: disjoint(b) }));

interface Draft {
  readonly gap: number;
  readonly size: number;
  readonly endsInMs: number;
}

function draft(): fc.Arbitrary<Draft> {
  return fc.record({
    gap: fc.nat(2),
    size: fc.nat(3),
    // Soon, later, far beyond what the test looks at, never; and not within the last second of its
    // time at any step, in which it is left to itself.
    endsInMs: fc.constantFrom(5_500, 41_500, 86_400_000 * 1000, Infinity),
  });
}

function disjoint(drafts: readonly Draft[]): ReadonlyMap<string, number> {
  let from = 0;
  return new Map(
    drafts.map(({ gap, size, endsInMs }) => {
      const first = from + gap;
      from = first + size + 1;
      return [`${first}-${from - 1}`, NOW + endsInMs];
    }),
  );
}

const alive = (of: Contents, nowMs: number): Contents =>
  Object.fromEntries(
    Object.entries(of).map(([name, set]) => [
      name,
      new Map([...set].filter(([, until]) => until > nowMs)),
    ]),
  );

describe('planChange', () => {
  it('leads to what is wanted, with the right times, by deltas and by loading everything', () => {
    fc.assert(
      fc.property(
        fc.array(fc.record({ wanted: contents, waitMs: fc.constantFrom(0, 2_000, 20_000) }), {
          minLength: 2,
          maxLength: 6,
        }),
        (steps) => {
          const kernel = createKernel();
          let standing: Table | undefined;
          let nowMs = NOW;
          const kinds: string[] = [];
          for (const { wanted, waitMs } of steps) {
            nowMs += waitMs;
            const plan = planChange(standing, table(wanted), nowMs);
            kinds.push(plan.kind);
            if (plan.kind !== 'nothing') kernel.run(plan.script, nowMs);
            standing = table(wanted);
            const fresh = createKernel();
            fresh.run(reloadScript(table(wanted), nowMs), nowMs);
            expect(fresh.contents(nowMs)).toEqual(alive(wanted, nowMs));
            expect(kernel.contents(nowMs)).toEqual(alive(wanted, nowMs));
          }
          expect(kinds.slice(1)).not.toContain('reload');
        },
      ),
      { numRuns: 500 },
    );
  });

  const one = (until: number): Contents => ({ a: new Map([['1-4', until]]), b: new Map() });

  it('does nothing for what stands as it should, or has ended', () => {
    expect(planChange(table(one(NOW + 9)), table(one(NOW + 9)), NOW).kind).toBe('nothing');
    expect(planChange(table(one(NOW + 9)), table(one(NOW + 9)), NOW + 9).kind).toBe('nothing');
    expect(planChange(table(one(NOW - 1)), table({ a: new Map(), b: new Map() }), NOW).kind).toBe(
      'nothing',
    );
  });

  it('takes times within the tolerance for the same, and others not', () => {
    const plan = (a: number, b: number) =>
      planChange(table(one(a)), table(one(b)), NOW, 2_000).kind;
    expect(plan(NOW + 60_000, NOW + 62_000)).toBe('nothing');
    expect(plan(NOW + 60_000, NOW + 62_001)).toBe('delta');
    expect(plan(NOW + 60_000, Infinity)).toBe('delta');
    expect(plan(Infinity, Infinity)).toBe('nothing');
  });

  it('lets go by itself what ends within the second', () => {
    const none = { a: new Map<string, number>(), b: new Map<string, number>() };
    expect(planChange(table(one(NOW + 900)), table(none), NOW).kind).toBe('nothing');
    expect(planChange(table(one(NOW + 1_100)), table(none), NOW).kind).toBe('delta');
  });

  it('loads everything anew without a table, with another one, and for very many changes', () => {
    const many = new Map(
      Array.from({ length: 5_001 }, (_, index) => [`${index}-${index}`, Infinity]),
    );
    const wanted = table({ a: many, b: new Map() });
    const empty = table({ a: new Map(), b: new Map() });
    expect(planChange(undefined, wanted, NOW).kind).toBe('reload');
    expect(planChange({ ...empty, structure: 'other' }, empty, NOW).kind).toBe('reload');
    expect(planChange(empty, wanted, NOW).kind).toBe('reload');
  });
});
