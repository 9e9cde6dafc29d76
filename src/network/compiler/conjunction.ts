/**
 * Label selectors as sets of labels: what two of them select in common, and what one of them does not
 * select. For each key a selector leaves some values, and perhaps that the key is absent.
 */
import type { LabelSelector } from '#kube/objects.ts';

export type Labels = Readonly<Record<string, string>>;

/** What the label of one key may be: `values`, or all but those, and whether it may be absent. */
interface Choice {
  readonly absent: boolean;
  readonly among: boolean;
  readonly values: ReadonlySet<string>;
}

/** All choices must hold; keys without one may be anything. Never one that leaves nothing. */
export type Conjunction = ReadonlyMap<string, Choice>;

export const EVERYTHING: Conjunction = new Map();

/** Undefined for a selector that selects nothing, whatever the labels are. */
export function conjunctionOf(selector: LabelSelector | undefined): Conjunction | undefined {
  let all: Conjunction | undefined = EVERYTHING;
  for (const [key, choice] of choicesOf(selector)) {
    if (all !== undefined) all = both(all, new Map([[key, choice]]));
  }
  return all;
}

function* choicesOf(selector: LabelSelector = {}): Iterable<readonly [string, Choice]> {
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    yield [key, { absent: false, among: true, values: new Set([value]) }];
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    // `NotIn` and `DoesNotExist` hold for what does not have the key.
    const absent = operator === 'NotIn' || operator === 'DoesNotExist';
    const among = operator === 'In' || operator === 'DoesNotExist';
    yield [key, { absent, among, values: new Set(values) }];
  }
}

/** What both select; undefined where that is nothing. */
export function both(one: Conjunction, other: Conjunction): Conjunction | undefined {
  const all = new Map(one);
  for (const [key, choice] of other) {
    const mine = all.get(key);
    const common = mine === undefined ? choice : commonChoice(mine, choice);
    if (!common.absent && common.among && common.values.size === 0) return undefined;
    all.set(key, common);
  }
  return all;
}

/** Selectors that together select all that this one does not. */
export function complementOf(selector: Conjunction): readonly Conjunction[] {
  return [...selector].flatMap(([key, choice]) =>
    otherChoices(choice).map((other) => new Map([[key, other]])),
  );
}

function otherChoices({ absent, among, values }: Choice): readonly Choice[] {
  // Absent or one of some values: no selector says both at once.
  if (!absent && !among && values.size > 0) {
    return [
      { absent: true, among: true, values: new Set() },
      { absent: false, among: true, values },
    ];
  }
  return [{ absent: !absent, among: !among, values }];
}

/** Whether everything that `narrow` selects is selected by `wide`. */
export function implies(narrow: Conjunction, wide: Conjunction): boolean {
  return wide.entries().every(([key, theirs]) => {
    const mine = narrow.get(key);
    if (mine === undefined) return false;
    if (mine.absent && !theirs.absent) return false;
    if (mine.among) return mine.values.values().every((value) => takes(theirs, value));
    return !theirs.among && theirs.values.isSubsetOf(mine.values);
  });
}

export function matches(selector: Conjunction, labels: Labels): boolean {
  return selector.entries().every(([key, choice]) => {
    // Own properties alone: every object has a `constructor`.
    const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
    return value === undefined ? choice.absent : takes(choice, value);
  });
}

/** The same one for the same set: sorted, and without what says nothing. */
export function selectorOf(selector: Conjunction): LabelSelector {
  const matchLabels: [string, string][] = [];
  const matchExpressions: NonNullable<LabelSelector['matchExpressions']>[number][] = [];
  for (const [key, { absent, among, values }] of [...selector].sort(byKey)) {
    const sorted = [...values].sort(byText);
    const [only, ...others] = sorted;
    if (among && only === undefined) matchExpressions.push({ key, operator: 'DoesNotExist' });
    else if (among && only !== undefined && others.length === 0) matchLabels.push([key, only]);
    else if (among) matchExpressions.push({ key, operator: 'In', values: sorted });
    else {
      if (!absent) matchExpressions.push({ key, operator: 'Exists' });
      if (sorted.length > 0) matchExpressions.push({ key, operator: 'NotIn', values: sorted });
    }
  }
  return {
    ...(matchLabels.length > 0 && { matchLabels: Object.fromEntries(matchLabels) }),
    ...(matchExpressions.length > 0 && { matchExpressions }),
  };
}

function commonChoice(one: Choice, other: Choice): Choice {
  const absent = one.absent && other.absent;
  if (one.among) {
    return { absent, among: true, values: new Set([...one.values].filter((v) => takes(other, v))) };
  }
  if (other.among) return commonChoice(other, one);
  return { absent, among: false, values: one.values.union(other.values) };
}

function takes({ among, values }: Choice, value: string): boolean {
  return values.has(value) === among;
}

function byKey(one: readonly [string, unknown], other: readonly [string, unknown]): number {
  return byText(one[0], other[0]);
}

/** By code units: the same in every locale. */
export function byText(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
