/** Selectors of the pods that none of some other selectors select. */
import {
  both,
  byText,
  complementOf,
  EVERYTHING,
  implies,
  matches,
  selectorOf,
} from './conjunction.ts';
import type { Conjunction, Labels } from './conjunction.ts';
import { isPassing } from './passing-labels.ts';

/** So many are put up with; each one is a NetworkPolicy, or a whole set of them. */
const MOST = 16;

export interface Beside {
  /** No label sets exist that one of these and one of the others select. In a stable order. */
  readonly selectors: readonly Conjunction[];
  /** Labels of those given that should be selected and are not. */
  readonly missed: readonly Labels[];
}

/**
 * Not selected by any of several is selected by none: an "and" of "or"s, of which each of the latter
 * has one part a key. Multiplied out it selects every pod that there may ever be beside the others.
 * Where that takes too many selectors, those are chosen that select the pods that there are; others
 * follow when such pods come. Either way a pod that one of the others selects is never selected, now
 * or later.
 */
export function besideAll(others: readonly Conjunction[], pods: readonly Labels[]): Beside {
  const distinct = widest(others);
  const all = everythingBeside(distinct);
  if (all !== undefined) return { selectors: inOrder(all), missed: [] };
  return besideSome(distinct, pods);
}

function everythingBeside(others: readonly Conjunction[]): readonly Conjunction[] | undefined {
  let beside: readonly Conjunction[] = [EVERYTHING];
  for (const other of others) {
    beside = widest(
      beside.flatMap((one) =>
        complementOf(other).flatMap((part) => {
          const common = both(one, part);
          return common === undefined ? [] : [common];
        }),
      ),
    );
    if (beside.length > MOST) return undefined;
  }
  return beside;
}

function besideSome(others: readonly Conjunction[], pods: readonly Labels[]): Beside {
  const selectors: Conjunction[] = [];
  const missed: Labels[] = [];
  for (const labels of pods.toSorted(byLastingLabels)) {
    if (selectors.some((selector) => matches(selector, labels))) continue;
    const selector = selectorBeside(others, labels);
    if (selector === undefined) continue;
    if (selectors.length < MOST) selectors.push(selector);
    else missed.push(labels);
  }
  return { selectors: inOrder(widest(selectors)), missed };
}

/** One that selects these labels. Keys that it goes by already are taken first: it stays short. */
function selectorBeside(others: readonly Conjunction[], labels: Labels): Conjunction | undefined {
  let selector = EVERYTHING;
  for (const other of others) {
    const parts = complementOf(other).filter((part) => matches(part, labels));
    const part =
      parts.find((one) => one.keys().every((key) => selector.has(key))) ??
      parts.find((one) => !one.keys().some(isPassing)) ??
      parts[0];
    const narrower = part === undefined ? undefined : both(selector, part);
    if (narrower === undefined) return undefined;
    selector = narrower;
  }
  return selector;
}

/** Without those that another one of them covers; the same ones whatever the order is. */
function widest(selectors: readonly Conjunction[]): readonly Conjunction[] {
  const kept: Conjunction[] = [];
  for (const selector of inOrder(selectors)) {
    if (kept.some((wide) => implies(selector, wide))) continue;
    const narrow = kept.filter((one) => !implies(one, selector));
    kept.splice(0, kept.length, ...narrow, selector);
  }
  return kept;
}

function inOrder(selectors: readonly Conjunction[]): readonly Conjunction[] {
  return selectors
    .map((selector) => ({ selector, text: JSON.stringify(selectorOf(selector)) }))
    .sort((one, other) => byText(one.text, other.text))
    .map(({ selector }) => selector);
}

/** What a roll-out changes comes last, so that it rarely changes what is chosen. */
function byLastingLabels(one: Labels, other: Labels): number {
  return byText(orderOf(one), orderOf(other));
}

function orderOf(labels: Labels): string {
  const sorted = Object.entries(labels).sort(([one], [other]) => byText(one, other));
  const passing = sorted.filter(([key]) => isPassing(key));
  return JSON.stringify([sorted.filter(([key]) => !isPassing(key)), passing]);
}
