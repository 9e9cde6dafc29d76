/** By which labels exactly the pods of one ServiceAccount can be selected. */
import { LABELS } from '#api/names.ts';
import type { NetworkPod } from '../cluster-facts.ts';
import { byText } from './conjunction.ts';
import type { Labels } from './conjunction.ts';
import { isPassing } from './passing-labels.ts';

export type AccountPods =
  | { readonly selectable: true; readonly labels: Labels; readonly pods: readonly NetworkPod[] }
  | { readonly selectable: false; readonly pods: readonly NetworkPod[] };

/** As the API server has it for the value of a label. */
const LONGEST_VALUE = 63;
/** Subsets of more labels are not tried out one by one. */
const LARGEST_SUBSET = 3;
/** Those whose purpose is to tell programs apart; they outlast what others say. */
const PREFERRED = [
  'app.kubernetes.io/name',
  'app.kubernetes.io/instance',
  'app.kubernetes.io/component',
  'app',
  'k8s-app',
  'component',
  'name',
];

/**
 * By the label that admission stamps, where all pods of the account have it and nobody else has; else
 * by the fewest of their own labels that they share and no other pod has all of. Without pods the
 * stamped label will do for those to come. Pods with hostNetwork need not be selected, since no
 * NetworkPolicy covers them, but must not be when they run under another account.
 */
export function podsOfAccount(account: string, pods: readonly NetworkPod[]): AccountPods {
  const own = pods.filter((pod) => pod.serviceAccount === account && !pod.hostNetwork);
  const others = pods.filter((pod) => pod.serviceAccount !== account).map(({ labels }) => labels);
  const stamped = { [LABELS.serviceAccount]: account };
  const canBeStamped = account.length <= LONGEST_VALUE;
  const areStamped = own.every(({ labels }) => has(labels, LABELS.serviceAccount, account));
  const isForeign = others.some((labels) => has(labels, LABELS.serviceAccount, account));
  if (canBeStamped && areStamped && !isForeign)
    return { selectable: true, labels: stamped, pods: own };
  const labels = fewestLabels(sharedBy(own), others);
  return labels === undefined
    ? { selectable: false, pods: own }
    : { selectable: true, labels, pods: own };
}

type Label = readonly [key: string, value: string];

function sharedBy(pods: readonly NetworkPod[]): readonly Label[] {
  const [first, ...rest] = pods;
  if (first === undefined) return [];
  return Object.entries(first.labels)
    .filter(([key]) => !isPassing(key) && key !== LABELS.serviceAccount)
    .filter(([key, value]) => rest.every(({ labels }) => has(labels, key, value)))
    .sort(([one], [other]) => rankOf(one) - rankOf(other) || byText(one, other));
}

function fewestLabels(shared: readonly Label[], others: readonly Labels[]): Labels | undefined {
  const isOwn = (labels: readonly Label[]): boolean =>
    labels.length > 0 &&
    !others.some((theirs) => labels.every(([key, value]) => has(theirs, key, value)));
  if (!isOwn(shared)) return undefined;
  for (let size = 1; size <= Math.min(LARGEST_SUBSET, shared.length); size += 1) {
    const found = subsetsOf(shared, size).find(isOwn);
    if (found !== undefined) return Object.fromEntries(found);
  }
  // Those least preferred go first, as long as the rest will do.
  let rest = shared;
  for (const label of shared.toReversed()) {
    const fewer = rest.filter((one) => one !== label);
    if (isOwn(fewer)) rest = fewer;
  }
  return Object.fromEntries(rest);
}

/** In the order of the labels. */
function* subsetsOf<T>(all: readonly T[], size: number): Generator<readonly T[]> {
  if (size === 0) yield [];
  else {
    for (const [at, first] of all.entries()) {
      for (const rest of subsetsOf(all.slice(at + 1), size - 1)) yield [first, ...rest];
    }
  }
}

function rankOf(key: string): number {
  const rank = PREFERRED.indexOf(key);
  return rank < 0 ? PREFERRED.length : rank;
}

function has(labels: Labels, key: string, value: string): boolean {
  return Object.hasOwn(labels, key) && labels[key] === value;
}
