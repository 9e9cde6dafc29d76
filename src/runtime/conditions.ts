/** `metav1.Condition`. */
export interface Condition {
  readonly type: string;
  readonly status: 'True' | 'False' | 'Unknown';
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
  readonly lastTransitionTime: string;
}

/** Sets one condition; `lastTransitionTime` moves only when the status does. */
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
