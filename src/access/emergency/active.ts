/** Which EmergencyAccesses let somebody in right now. For admission, which asks with every review. */
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { subjectUsername } from './subject.ts';

/** As much as the clocks of operator and replicas may differ; further back, the clock was set back. */
export const CLOCK_TOLERANCE_MS: number = 5 * 60_000;

/** Whether an EmergencyAccess is in force; also its end, by the clock, while its status still says Active. */
export function isActive({ metadata, status }: EmergencyAccess, nowMs: number): boolean {
  if (status?.state !== 'Active' || metadata.deletionTimestamp !== undefined) return false;
  const startMs = Date.parse(status.activatedAt ?? '');
  const endMs = Date.parse(status.expiresAt ?? '');
  // A comparison with NaN is false: without either time nothing is in force.
  return nowMs >= startMs - CLOCK_TOLERANCE_MS && nowMs < endMs;
}

/** Milliseconds until its end; 0 where it is not in force. */
export function remainingMs(access: EmergencyAccess, nowMs: number): number {
  return isActive(access, nowMs) ? Date.parse(access.status?.expiresAt ?? '') - nowMs : 0;
}

/** Those in force whose subject has this username, in the order given. */
export function activeFor(
  accesses: readonly EmergencyAccess[],
  username: string,
  nowMs: number,
): readonly EmergencyAccess[] {
  return accesses.filter(
    (access) => subjectUsername(access) === username && isActive(access, nowMs),
  );
}

/** Whether it was active once, has ended, and nobody has closed its review. */
export function isReviewDue({ status }: EmergencyAccess): boolean {
  if (status?.activatedAt === undefined || status.review !== undefined) return false;
  return status.state === 'Expired' || status.state === 'Revoked';
}

/**
 * Whether rights of its subject may stand in RBAC, which names no pods and knows no end: from its
 * approval until its review is closed and what stood for it is known to be gone.
 */
export function mayStillStand({ status }: EmergencyAccess): boolean {
  if (status === undefined) return false;
  const { state, activatedAt, review, conditions = [] } = status;
  if (state === 'Approved' || state === 'Active') return true;
  if (activatedAt === undefined) return false;
  return (
    review === undefined ||
    conditions.some(({ type, status: holds }) => type === 'Ready' && holds !== 'True')
  );
}
