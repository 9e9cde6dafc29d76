import type { NetworkGap } from '../network-gap.ts';

/** What is wrong with one pod. */
export interface PodGap extends Omit<NetworkGap, 'pods' | 'podCount' | 'message'> {
  readonly pod: string;
  /** Made once for all pods that the same is wrong with. */
  readonly message: () => string;
}

const MAX_PODS = 10;

/** One gap for all pods of a namespace that the same is wrong with, in a settled order. */
export function mergedGaps(gaps: Iterable<PodGap>): readonly NetworkGap[] {
  const merged = new Map<string, { gap: NetworkGap; pods: Set<string> }>();
  for (const { pod, message, ...gap } of gaps) {
    const { type, namespace, direction, networkPolicy } = gap;
    const key = JSON.stringify([type, namespace, networkPolicy, direction]);
    let same = merged.get(key);
    if (same === undefined) {
      same = { gap: { ...gap, message: message() }, pods: new Set() };
      merged.set(key, same);
    }
    same.pods.add(pod);
  }
  return [...merged]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([, { gap, pods }]) => ({
      ...gap,
      pods: [...pods].toSorted().slice(0, MAX_PODS),
      podCount: pods.size,
    }));
}
