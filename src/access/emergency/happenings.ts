/** What came about between two states of an EmergencyAccess: for audit, Events and notices. */
import type { EmergencyAccess, EmergencyAccessStatus } from '#api/emergency-access.ts';
import type { EmergencyAct } from './acts.ts';
import { isReviewDue } from './active.ts';
import { isFinal } from './decide.ts';
import { subjectUsername } from './subject.ts';

export interface Happening {
  readonly act: EmergencyAct;
  /** A Warning is what somebody should look at. */
  readonly type: 'Normal' | 'Warning';
  /** Who did it, as the API server verified it; absent: the operator, or the time. */
  readonly by?: string;
  /** Why, in the words of whoever did it. */
  readonly reason?: string;
  /** A sentence for people. */
  readonly note: string;
}

const ENDS = {
  Denied: 'EmergencyDenied',
  Expired: 'EmergencyExpired',
  Revoked: 'EmergencyRevoked',
} as const;

export function happenings(
  access: EmergencyAccess,
  after: EmergencyAccessStatus,
): readonly Happening[] {
  const before = access.status ?? {};
  const subject = subjectUsername(access);
  const { spec } = access;
  const found: Happening[] = [];
  if (before.state === undefined) {
    const by = after.requestedBy?.username;
    found.push({
      act: 'EmergencyRequested',
      type: 'Normal',
      ...(by === undefined ? {} : { by }),
      reason: spec.reason,
      note: `${by ?? 'Somebody'} asks for emergency access for ${subject} (${spec.permissions.join(', ')}): ${spec.reason}`,
    });
  }
  const known = new Set(before.approvals?.map(({ username }) => username));
  for (const { username, reason, self } of after.approvals ?? []) {
    if (known.has(username)) continue;
    found.push({
      act: self ? 'EmergencySelfApproved' : 'EmergencyApproved',
      type: self ? 'Warning' : 'Normal',
      by: username,
      reason,
      note: self
        ? `${username} approved their own emergency access, alone: ${reason}`
        : `${username} approved it: ${reason}`,
    });
  }
  if (after.state === 'Active' && before.state !== 'Active') {
    found.push({
      act: 'EmergencyActivated',
      type: 'Warning',
      note: `${subject} has emergency access until ${after.expiresAt ?? 'now'}: ${spec.reason}`,
    });
  }
  const uses = (after.useCount ?? 0) - (before.useCount ?? 0);
  if (uses > 0) {
    found.push({
      act: 'EmergencyUsed',
      type: 'Warning',
      by: subject,
      note: `${subject} used it ${after.useCount === 1 ? 'once' : `${after.useCount} times`} so far`,
    });
  }
  const { state } = after;
  if (isFinal(state) && !isFinal(before.state)) {
    const { message } = after.conditions?.find(({ type }) => type === 'Active') ?? {};
    found.push({
      act: ENDS[state as keyof typeof ENDS],
      type: 'Normal',
      ...(after.endedBy === undefined ? {} : { by: after.endedBy }),
      note: message ?? 'It has ended',
    });
    if (isReviewDue({ ...access, status: after })) {
      const count = after.credentials?.filter(({ rotated }) => !rotated).length ?? 0;
      found.push({
        act: 'EmergencyReviewDue',
        type: 'Warning',
        note: `Its review must be closed, and ${count} ${count === 1 ? 'credential' : 'credentials'} should be rotated`,
      });
    }
  }
  if (after.review !== undefined && before.review === undefined) {
    const { by, finding } = after.review;
    found.push({
      act: 'EmergencyReviewed',
      type: 'Normal',
      by,
      reason: finding,
      note: `${by} closed the review: ${finding}`,
    });
  }
  return found;
}

/** Whether the act lets somebody do more than before, so that it waits for its record. */
export function isPrivileged(act: EmergencyAct): boolean {
  return act === 'EmergencyActivated' || act === 'EmergencyReviewed';
}
