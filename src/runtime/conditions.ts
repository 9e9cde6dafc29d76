/** `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/**
 * The list with one condition set, in its old place or at the end. `lastTransitionTime` is `nowMs`
 * (to the second, as the API server writes it) when the status changes, and stays otherwise.
 */
export function setCondition(
  conditions: readonly Condition[],
  next: Omit<Condition, 'lastTransitionTime'>,
  nowMs: number,
): readonly Condition[] {
  const present = conditions.find(({ type }) => type === next.type);
  const lastTransitionTime =
    present?.status === next.status
      ? present.lastTransitionTime
      : new Date(nowMs).toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = { ...next, lastTransitionTime };
  return present === undefined
    ? [...conditions, condition]
    : conditions.map((old) => (old.type === next.type ? condition : old));
}

export function findCondition(
  conditions: readonly Condition[] | undefined,
  type: string,
): Condition | undefined {
  return conditions?.find((condition) => condition.type === type);
}
