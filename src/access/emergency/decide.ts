/**
 * The life of an EmergencyAccess: Pending → Approved → Active → Expired, Revoked or Denied, never
 * back. A pure function of the object, its authentic decisions, the settings, the time and what the
 * cluster holds; it never throws. Whatever is doubtful ends an access or keeps it from beginning:
 * a clock that was set back, a status that others wrote, decisions that do not authenticate.
 */
import { isDuration, parseDuration } from '#api/duration.ts';
import type {
  EmergencyAccess,
  EmergencyAccessStatus,
  EmergencyApproval,
  EmergencyRequester,
  EmergencyState,
} from '#api/emergency-access.ts';
import type { EmergencyAccessReason } from '#api/names.ts';
import { isAccountName, isAnonymous } from '#access/identity.ts';
import { CLOCK_TOLERANCE_MS } from './active.ts';
import { createdBy, isSecondReason } from './decisions.ts';
import type { Decision } from './decisions.ts';
import { emergencyConditions } from './conditions.ts';
import { grantOf } from './grant.ts';
import type { EmergencyGrant } from './grant.ts';
import { reachableCredentials, withReachable, withRotated } from './reachable.ts';
import { approvalsNeeded } from './settings.ts';
import type { EmergencySettings } from './settings.ts';
import { subjectUsername } from './subject.ts';
import type { EmergencyWorld } from './world.ts';

export interface EmergencyFacts {
  readonly access: EmergencyAccess;
  /** The authentic ones, in the order written; undefined while they cannot be checked. */
  readonly decisions: readonly Decision[] | undefined;
  readonly settings: EmergencySettings;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
  readonly world: EmergencyWorld;
}

export interface EmergencyOutcome {
  readonly state: EmergencyState;
  /** All but `uses`, which each replica writes for itself. */
  readonly status: EmergencyAccessStatus;
  /** What should stand for it; undefined: nothing. */
  readonly grant: EmergencyGrant | undefined;
  /** When it changes by time alone, in ms since the epoch. */
  readonly nextAtMs?: number;
}

interface Step {
  readonly state: EmergencyState;
  readonly reason: EmergencyAccessReason;
  readonly message: string;
  readonly endedBy?: string;
  readonly endedAtMs?: number;
}

const FINAL: ReadonlySet<EmergencyState> = new Set(['Expired', 'Revoked', 'Denied']);

export function isFinal(state: EmergencyState | undefined): boolean {
  return state !== undefined && FINAL.has(state);
}

export function decideEmergency(facts: EmergencyFacts): EmergencyOutcome {
  const { access, settings, nowMs, world } = facts;
  const before = access.status ?? {};
  const requestedBy = before.requestedBy ?? createdBy(access);
  const needed = approvalsNeeded(settings, world.environment);
  const approvals = isFinal(before.state)
    ? (before.approvals ?? [])
    : validApprovals(facts, requestedBy);
  const step = isFinal(before.state)
    ? stay(access)
    : before.state === 'Active'
      ? whileActive(facts, isEnough(approvals, needed))
      : whilePending(facts, requestedBy, approvals, needed);
  const { state } = step;
  const isBeginning = state === 'Active' && before.state !== 'Active';
  const times = isBeginning ? timesFrom(access, settings, nowMs) : timesOf(access, settings);
  const wasActive = before.state === 'Active' || state === 'Active';
  const recorded = before.credentials ?? [];
  const credentials = wasActive
    ? withReachable(recorded, reachableCredentials(access, world), world.credentials)
    : withRotated(recorded, world.credentials);
  const review = before.review ?? reviewOf(facts, state, times.activatedAt);
  const grant = state === 'Active' ? grantOf(access, world) : undefined;
  const endedAt = isFinal(state) ? (before.endedAt ?? toTime(step.endedAtMs ?? nowMs)) : undefined;
  const endedBy = isFinal(before.state) ? before.endedBy : step.endedBy;
  const { generation } = access.metadata;
  const status: EmergencyAccessStatus = {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    state,
    ...(requestedBy === undefined ? {} : { requestedBy }),
    approvalsNeeded: isFinal(before.state) ? (before.approvalsNeeded ?? needed) : needed,
    approvals,
    ...times,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(endedBy === undefined ? {} : { endedBy }),
    ...(grant?.serviceAccount === undefined ? {} : { serviceAccount: grant.serviceAccount }),
    ...(credentials.length === 0 ? {} : { credentials }),
    useCount: (before.uses ?? []).reduce((sum, { count }) => sum + count, 0),
    ...(review === undefined ? {} : { review }),
  };
  const conditions = emergencyConditions(access, status, step, world, nowMs);
  const nextAtMs = nextAt(access, settings, state, times.expiresAt);
  return {
    state,
    status: { ...status, conditions },
    grant,
    ...(nextAtMs === undefined ? {} : { nextAtMs }),
  };
}

/** Until it is active, everything that speaks against it ends it, in whatever order it came. */
function whilePending(
  facts: EmergencyFacts,
  requestedBy: EmergencyRequester | undefined,
  approvals: readonly EmergencyApproval[],
  needed: number,
): Step {
  const { access, decisions = [], settings, nowMs, world } = facts;
  const { spec } = access;
  const durationMs = durationOf(access, settings);
  if (durationMs === undefined || durationMs > settings.maxDurationMs) {
    return {
      state: 'Denied',
      reason: 'TooLong',
      message: `spec.duration is ${spec.duration}, and this installation allows ${settings.maxDurationMs / 60_000} minutes at most; ask for less`,
    };
  }
  const against = decisions.find(({ act }) => act === 'deny' || act === 'end');
  if (against !== undefined) return endedBy(against, against.act === 'deny' ? 'Denied' : 'Revoked');
  if (nowMs >= deadlineMs(access, settings)) {
    return {
      state: 'Expired',
      reason: 'Expired',
      message: `It did not begin within ${settings.approvalTimeoutMs / 60_000} minutes of the request; ask anew`,
    };
  }
  const pending = (reason: EmergencyAccessReason, message: string): Step => ({
    state: 'Pending',
    reason,
    message,
  });
  const isApproved = isEnough(approvals, needed);
  const approved = (reason: EmergencyAccessReason, message: string): Step => ({
    state: 'Approved',
    reason,
    message,
  });
  const wasApproved = access.status?.state === 'Approved';
  const isApprovedNoMore =
    requestedBy === undefined || (facts.decisions !== undefined && !isApproved);
  if (wasApproved && isApprovedNoMore) return withdrawn();
  if (requestedBy === undefined) {
    return pending(
      'AdmissionAbsent',
      'Who created it is not known, since admission did not see it being created; end it and ask anew',
    );
  }
  if (facts.decisions === undefined) {
    // The state of before stays, since it cannot be checked.
    const message = 'The decisions about it cannot be checked yet; it is tried again';
    return wasApproved ? approved('Approved', message) : pending('AwaitingApproval', message);
  }
  if (!isApproved) {
    const given = `${approvals.length} of ${needed} approvals were given`;
    return world.admissionGuards === false
      ? pending(
          'AdmissionAbsent',
          `${given}, and admission does not guard the cluster: what somebody decides now may not be recorded, and then counts for nothing; see "strongroom doctor", and decide again once it guards`,
        )
      : pending('AwaitingApproval', given);
  }
  if (!world.isGuarded) {
    return approved(
      'NamespaceNotGuarded',
      'It is approved, and its namespace does not carry the label strongroom.dev/guarded: "true"',
    );
  }
  if (world.admissionGuards !== true) {
    return approved(
      'AdmissionAbsent',
      'It is approved, and admission does not guard the cluster (yet), so that nothing can be granted for a time; see "strongroom doctor"',
    );
  }
  return { state: 'Active', reason: 'Active', message: activeMessage(access) };
}

function whileActive(facts: EmergencyFacts, hasEnough: boolean): Step {
  const { access, decisions, settings, nowMs, world } = facts;
  const startMs = Date.parse(access.status?.activatedAt ?? '');
  const endMs = Date.parse(timesOf(access, settings).expiresAt ?? '');
  if (!(nowMs < endMs)) {
    return {
      state: 'Expired',
      reason: 'Expired',
      message: 'Its time is over',
      endedAtMs: Number.isNaN(endMs) ? nowMs : endMs,
    };
  }
  if (!(nowMs >= startMs - CLOCK_TOLERANCE_MS)) {
    return {
      state: 'Expired',
      reason: 'Expired',
      message: 'The clock was set back, so that its end cannot be told any more',
    };
  }
  const end = decisions?.find(({ act }) => act === 'end' || act === 'deny');
  if (end !== undefined) return endedBy(end, 'Revoked');
  if (!world.isGuarded) {
    return {
      state: 'Revoked',
      reason: 'NamespaceNotGuarded',
      message: 'Its namespace is not guarded any more',
    };
  }
  if (decisions !== undefined && !hasEnough) return withdrawn();
  return { state: 'Active', reason: 'Active', message: activeMessage(access) };
}

function withdrawn(): Step {
  return {
    state: 'Revoked',
    reason: 'Revoked',
    message:
      'The approvals that it needs now are not there: more are asked for than before, or its status was written by somebody else',
  };
}

function stay({ status }: EmergencyAccess): Step {
  const condition = status?.conditions?.find(({ type }) => type === 'Active');
  return {
    state: status?.state ?? 'Denied',
    // It was written here, by this function, and is not looked at any more.
    reason: (condition?.reason ?? 'Expired') as EmergencyAccessReason,
    message: condition?.message ?? 'It has ended',
  };
}

function endedBy({ username, reason }: Decision, state: 'Denied' | 'Revoked'): Step {
  return {
    state,
    reason: state,
    message: `${state === 'Denied' ? 'Turned down' : 'Ended'} by ${username}: ${reason}`,
    endedBy: username,
  };
}

function activeMessage(access: EmergencyAccess): string {
  return `${subjectUsername(access)} may do what it names`;
}

/** Different people, no ServiceAccounts, neither its creator nor its subject; or the subject alone, where that is allowed. */
function validApprovals(
  { access, decisions, settings }: EmergencyFacts,
  requestedBy: EmergencyRequester | undefined,
): readonly EmergencyApproval[] {
  if (decisions === undefined) return access.status?.approvals ?? [];
  if (requestedBy === undefined) return [];
  const subject = subjectUsername(access);
  const endMs = deadlineMs(access, settings);
  const valid = new Map<string, EmergencyApproval>();
  for (const decision of decisions) {
    const { act, username, uid, groups = [], reason, at } = decision;
    const self = act === 'self-approve';
    if (act !== 'approve' && !self) continue;
    if (isAnonymous({ username, groups }) || !(Date.parse(at) < endMs)) continue;
    // Whoever may run pods as one would approve: breaking the glass is the act of a person.
    if (isAccountName(username)) continue;
    if (self) {
      if (!settings.selfApproval || username !== subject) continue;
      if (!isSecondReason(reason, access)) continue;
    } else {
      const isCreator = username === requestedBy.username || (uid ?? '') === requestedBy.uid;
      if (isCreator || username === subject) continue;
    }
    if (valid.has(username)) continue;
    valid.set(username, { username, ...(uid === undefined ? {} : { uid }), at, reason, self });
  }
  return [...valid.values()].slice(0, MAX_APPROVALS);
}

/** As many as the status holds. */
const MAX_APPROVALS = 32;

function isEnough(approvals: readonly EmergencyApproval[], needed: number): boolean {
  const others = approvals.filter(({ self }) => !self).length;
  return others >= needed || approvals.some(({ self }) => self);
}

/** One, after the end of what was active, by a person who is not the subject. */
function reviewOf(
  { access, decisions = [] }: EmergencyFacts,
  state: EmergencyState,
  activatedAt: string | undefined,
): EmergencyAccessStatus['review'] {
  if (!isFinal(state) || activatedAt === undefined) return undefined;
  const subject = subjectUsername(access);
  const review = decisions.find(
    ({ act, username }) => act === 'review' && username !== subject && !isAccountName(username),
  );
  return (
    review && {
      by: review.username,
      at: review.at,
      finding: review.reason,
    }
  );
}

type Times = Pick<EmergencyAccessStatus, 'activatedAt' | 'expiresAt'>;

function timesFrom(access: EmergencyAccess, settings: EmergencySettings, nowMs: number): Times {
  const startMs = Math.floor(nowMs / 1000) * 1000;
  const durationMs = durationOf(access, settings) ?? 0;
  return { activatedAt: toTime(startMs), expiresAt: toTime(startMs + durationMs) };
}

/** As recorded; but never longer from its beginning than asked for and allowed, whoever wrote it. */
function timesOf(access: EmergencyAccess, settings: EmergencySettings): Times {
  const { state, activatedAt, expiresAt } = access.status ?? {};
  if (activatedAt === undefined) return {};
  if (expiresAt === undefined || state !== 'Active') {
    return { activatedAt, ...(expiresAt === undefined ? {} : { expiresAt }) };
  }
  const longestMs = Math.min(durationOf(access, settings) ?? 0, settings.maxDurationMs);
  const latestMs = Date.parse(activatedAt) + longestMs;
  return {
    activatedAt,
    expiresAt: Date.parse(expiresAt) <= latestMs ? expiresAt : toTime(latestMs),
  };
}

/** Undefined for what is no duration. */
function durationOf({ spec }: EmergencyAccess, settings: EmergencySettings): number | undefined {
  if (spec.duration === undefined) return settings.maxDurationMs;
  return isDuration(spec.duration) ? parseDuration(spec.duration) : undefined;
}

/** Until then it must have begun. */
function deadlineMs({ metadata }: EmergencyAccess, settings: EmergencySettings): number {
  // Without a time of creation the deadline is NaN, and what is compared with it is not in time.
  return Date.parse(metadata.creationTimestamp ?? '') + settings.approvalTimeoutMs;
}

function nextAt(
  access: EmergencyAccess,
  settings: EmergencySettings,
  state: EmergencyState,
  expiresAt: string | undefined,
): number | undefined {
  switch (state) {
    case 'Pending':
    case 'Approved':
      return deadlineMs(access, settings);
    case 'Active':
      return Date.parse(expiresAt ?? '');
    case 'Expired':
    case 'Revoked':
    case 'Denied':
      return undefined;
  }
}

function toTime(ms: number): string {
  // What is no time becomes the first one that there is: over.
  return new Date(Number.isNaN(ms) ? 0 : ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
