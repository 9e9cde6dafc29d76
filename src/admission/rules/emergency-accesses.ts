/** Who may ask for an EmergencyAccess, approve it, turn it down, end it and review it. */
import { parseDuration, isDuration } from '#api/duration.ts';
import type { Action } from '#access/actions.ts';
import { ACTIONS } from '#access/actions.ts';
import { isReviewDue } from '#access/emergency/active.ts';
import { createdBy, isSecondReason } from '#access/emergency/decisions.ts';
import type { DecisionAct } from '#access/emergency/decisions.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import { decide } from '#access/decide.ts';
import { identityOf as identityOfSubject, isAccountName, isAnonymous } from '#access/identity.ts';
import { oddityOf } from '#access/look-alikes.ts';
import type { Target } from '#access/request.ts';
import type { EmergencyState } from '#api/emergency-access.ts';
import { SHORTEST_REASON } from '#api/emergency-access-rules.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { ask, describeObject, policiesOf, refusalOf } from '../ask.ts';
import { ACT_ANNOTATIONS, askedActs, decidedBy, faultOfDecisions } from '../emergency-decisions.ts';
import type { AskedAct } from '../emergency-decisions.ts';
import { isClusterDeletion, isCollectorUpdate } from '../exemptions.ts';
import { checkStamps } from '../identity-stamp.ts';
import type { AdmissionRequest } from '../request.ts';
import { identityOf, isMaster, isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { warn } from '../warn.ts';
import {
  changedAnnotations,
  changedKeys,
  changedMetadata,
  isUnchanged,
} from './metadata-changes.ts';
import { readEmergency } from './read-own.ts';
import type { Emergency } from './read-own.ts';

export const emergencyAccessRule: Rule = (request, context) => {
  if (isOperator(request.userInfo, context.settings)) return ALLOWED;
  switch (request.operation) {
    case 'CREATE':
      return create(request, context);
    case 'UPDATE':
      return update(request, context);
    case 'DELETE':
      return remove(request, context);
    case 'CONNECT':
      return refuse('NotUnderstood', 'EmergencyAccesses cannot be connected to');
  }
};

function create(request: AdmissionRequest, context: RuleContext): Verdict {
  const access = readEmergency(request.object);
  if (access === undefined) return unreadable(request);
  const what = describeObject(request);
  const fault = checkStamps(request);
  if (fault !== undefined) return fault;
  const decided = [...ACT_ANNOTATIONS, ANNOTATIONS.decisions].find(
    (name) => access.metadata.annotations?.[name] !== undefined,
  );
  if (decided !== undefined) {
    return refuse(
      'ApprovalRefused',
      `${what}: annotation ${decided} decides on it, which nobody can while it is created; create it without, then others decide`,
    );
  }
  if ((access.metadata.ownerReferences ?? []).length > 0) return owned(what);
  const invalid = checkSpec(access, context);
  if (invalid !== undefined) return refuse('Invalid', `${what}: ${invalid}`, { code: 422 });
  const outstanding = outstandingReview(access, context);
  if (outstanding !== undefined) return refuse('ReviewOutstanding', `${what}: ${outstanding}`);
  if (!isSubjectThere(request, context)) {
    return refuse(
      'NotGranted',
      `${what}: to ask for it needs an AccessPolicy (Allow) that reaches namespace ${request.namespace ?? ''} and names ${request.userInfo.username} or a group of theirs; there is none. Whoever holds ManageUsers there can write one`,
    );
  }
  const warnings = [
    ...warningsOf(access, request, context),
    ...targetWarnings(access, request, context),
    ...accountWarnings(access),
    ...denyWarnings(access, request, context),
  ];
  return warnings.length === 0 ? ALLOWED : { allowed: true, warnings };
}

function update(request: AdmissionRequest, context: RuleContext): Verdict {
  const { object, oldObject } = request;
  const what = describeObject(request);
  const stamps = checkStamps(request);
  if (stamps !== undefined) return stamps;
  const decisions = faultOfDecisions(request);
  if (decisions !== undefined) {
    return refuse('Immutable', `${what}: annotation ${ANNOTATIONS.decisions} ${decisions}`);
  }
  if (isUnchanged(oldObject, object) || isCollectorUpdate(request)) return ALLOWED;
  const [before, after] = [readEmergency(oldObject), readEmergency(object)];
  if (after === undefined || before === undefined || oldObject === undefined) {
    return unreadable(request);
  }
  if (changedKeys({ spec: before.spec }, { spec: after.spec }).length > 0) {
    return refuse(
      'Immutable',
      `${what}: spec cannot be changed, since others approve what stands in it; create another EmergencyAccess`,
    );
  }
  const changed = changedMetadata(before.metadata, after.metadata);
  if (changed.includes('ownerReferences')) return owned(what);
  const acts = askedActs(request);
  const [asked, another] = acts;
  if (another !== undefined) {
    return refuse(
      'ApprovalRefused',
      `${what}: annotations ${acts.map(({ annotation }) => annotation).join(' and ')} are set at once; set one at a time`,
    );
  }
  if (asked !== undefined) {
    const verdict = decideAct(request, context, before, asked);
    if (!verdict.allowed) return verdict;
    const others = changedAnnotations(before.metadata, after.metadata).filter(
      (name) => name !== asked.annotation && name !== ANNOTATIONS.decisions,
    );
    if (changed.length === 0 && others.length === 0) return verdict;
  }
  // What else can change decides nothing: labels, and annotations of others.
  if (isInvolved(request, before)) return ALLOWED;
  return needOverride(request, context, `${what}: to change its labels or annotations`);
}

function remove(request: AdmissionRequest, context: RuleContext): Verdict {
  if (isClusterDeletion(request)) return ALLOWED;
  const what = describeObject(request);
  const access = readEmergency(request.oldObject);
  const state = access?.status?.state ?? 'Pending';
  if (access !== undefined) {
    if (isReviewDue(access)) {
      return refuse(
        'ReviewOutstanding',
        `${what}: it was active, and its review is not closed; let somebody else than its subject close it, then delete it`,
      );
    }
    if (state === 'Active' || state === 'Approved') {
      return refuse(
        'ReviewOutstanding',
        `${what}: it is ${state}; end it first (annotation ${ANNOTATIONS.end}), then let its review be closed`,
      );
    }
    if (isInvolved(request, access)) return ALLOWED;
  }
  return needOverride(request, context, `${what}: to delete it`);
}

/** What lets somebody in, or says that all was well; to turn down and to end only takes away. */
const GIVES: ReadonlySet<DecisionAct> = new Set(['approve', 'self-approve', 'review']);

/** What an access can begin by. */
const BEGINS: ReadonlySet<DecisionAct> = new Set(['approve', 'self-approve']);

const OVER: ReadonlySet<EmergencyState> = new Set(['Expired', 'Revoked', 'Denied']);
const MAX_REASON = 1024;

/** Whether who asks may do that now; pure but for the evaluator. */
function decideAct(
  request: AdmissionRequest,
  context: RuleContext,
  access: Emergency,
  { act, annotation, reason }: AskedAct,
): Verdict {
  const what = `${describeObject(request)}: annotation ${annotation}`;
  const refused = (why: string): Verdict => refuse('ApprovalRefused', `${what}: ${why}`);
  const length = reason.trim().length;
  if (length === 0) return refused('its value is why, and it is empty; say why');
  if (reason.length > MAX_REASON) {
    return refused(`its value has ${reason.length} characters, and ${MAX_REASON} are the most`);
  }
  const unfit = stateFault(act, access);
  if (unfit !== undefined) return refused(unfit);
  // It may have been asked for before the other one ended, and kept for later.
  const outstanding = BEGINS.has(act) ? outstandingReview(access, context) : undefined;
  if (outstanding !== undefined) return refuse('ReviewOutstanding', `${what}: ${outstanding}`);
  const { username } = request.userInfo;
  const [subject, creator] = [subjectUsername(access), creatorOf(access)];
  const isSubject = username === subject;
  if (GIVES.has(act) && isAccountName(username)) {
    return refused(
      `${username} is a ServiceAccount, and whoever may run pods as it could do this; breaking the glass is the act of a person: let one ${act === 'review' ? 'review' : 'approve'} it as themselves`,
    );
  }
  if (creator === undefined && (BEGINS.has(act) || act === 'deny')) {
    const { namespace = '', name } = request;
    return refused(
      `nobody knows who asked for it, since admission was away when it was created, so it can never begin; end it and ask anew: strongroom emergency end ${name} -n ${namespace} --reason …`,
    );
  }
  if (act !== 'approve' && decidedBy(access, act).includes(username)) {
    return refused(`${username} has said so already; the operator acts on it`);
  }
  switch (act) {
    case 'approve':
    case 'deny':
      if (isSubject || username === creator) {
        return refused(
          `${username} is ${isSubject ? 'its subject' : 'who asked for it'}; ${act === 'approve' ? 'somebody else has to approve it' : 'somebody else turns it down, or you end it'}`,
        );
      }
      if (act === 'approve' && approversOf(access).includes(username)) {
        return refused(`${username} has approved it already; another person is needed`);
      }
      return {
        ...needOverride(request, context, `${what}: to ${act} it`),
        ...(act === 'approve' && {
          warnings: [
            ...targetWarnings(access, request, context),
            ...accountWarnings(access),
            ...denyWarnings(access, request, context),
          ],
        }),
      };
    case 'self-approve':
      if (!context.settings.emergency.selfApproval) {
        return refused(
          'this installation does not let a subject approve alone; let others approve',
        );
      }
      if (!isSubject) return refused(`only its subject (${subject}) can; approve it instead`);
      if (!isSecondReason(reason, access)) {
        return refused(
          `it needs a second reason, of at least ${SHORTEST_REASON} characters and not the one of spec.reason: say why nobody else can approve`,
        );
      }
      return needOverride(request, context, `${what}: to approve it alone`);
    case 'end': {
      const mayEnd =
        isSubject ||
        username === creator ||
        approversOf(access).includes(username) ||
        isSecurityAdmin(request, context);
      if (mayEnd) return ALLOWED;
      return refuse(
        'NotGranted',
        `${what}: to end it takes its subject (${subject}), who asked for it, who approved it, or a SecurityAdmin of namespace ${request.namespace ?? ''}; ${username} is none of them`,
      );
    }
    case 'review': {
      if (isSubject) return refused(`${username} is its subject; somebody else has to review it`);
      const decision = ask(request, context, REVIEW, scopeOf(request, context));
      if (decision.allowed) return { allowed: true, policies: policiesOf([decision]) };
      return needOverride(request, context, `${what}: to close its review without ViewAuditLogs`);
    }
  }
}

const REVIEW: Action = ACTIONS['view-audit-logs'];

/** Why it is too early or too late for that; undefined when it is not. */
function stateFault(act: DecisionAct, { status, metadata }: Emergency): string | undefined {
  const state = status?.state ?? 'Pending';
  switch (act) {
    case 'approve':
    case 'self-approve':
      return state === 'Pending'
        ? undefined
        : `it is ${state}; only what is Pending can be approved`;
    case 'deny':
      return state === 'Pending' || state === 'Approved'
        ? undefined
        : `it is ${state}; ${state === 'Active' ? `end it (annotation ${ANNOTATIONS.end})` : 'it is over'}`;
    case 'end':
      return OVER.has(state) ? `it is ${state} already` : undefined;
    case 'review':
      if (!OVER.has(state)) return `it is ${state}; it can be reviewed once it has ended`;
      if (status?.activatedAt === undefined)
        return 'it was never active; there is nothing to review';
      return status.review === undefined &&
        decidedBy({ ...EMPTY, metadata }, 'review').every(isAccountName)
        ? undefined
        : 'its review is closed already';
  }
}

const EMPTY = { apiVersion: '', kind: '' };

/** As admission stamped it; of one from before that, as the operator found it. */
function creatorOf(access: Emergency): string | undefined {
  return createdBy(access)?.username ?? access.status?.requestedBy?.username;
}

function approversOf(access: Emergency): readonly string[] {
  const told = access.status?.approvals?.map(({ username }) => username) ?? [];
  return [...told, ...decidedBy(access, 'approve'), ...decidedBy(access, 'self-approve')];
}

function isInvolved(request: AdmissionRequest, access: Emergency): boolean {
  const { username } = request.userInfo;
  return username === subjectUsername(access) || username === creatorOf(access);
}

function scopeOf(
  { namespace = '' }: AdmissionRequest,
  { world }: Pick<RuleContext, 'world'>,
): Target {
  const environment = world.namespace(namespace)?.environment ?? '*';
  return { kind: 'Scope', namespace, environment };
}

function needOverride(request: AdmissionRequest, context: RuleContext, what: string): Verdict {
  const target = scopeOf(request, context);
  const decision = ask(request, context, ACTIONS.override, target);
  if (!decision.allowed) return refusalOf(request, what, decision, target);
  return { allowed: true, policies: policiesOf([decision]) };
}

/** The least that only this role and few others give; which role it was, the policies say. */
const OVERSEE: Action = {
  name: 'end-emergency',
  anyOf: ['EmergencyOverride'],
  level: 'Read',
  description: 'end emergency access',
};

function isSecurityAdmin(request: AdmissionRequest, context: RuleContext): boolean {
  if (isMaster(request.userInfo)) return true;
  const { allowed, rules } = ask(request, context, OVERSEE, scopeOf(request, context));
  return (
    allowed &&
    rules.some(({ policy }) => {
      const roles: unknown = context.world.policy(policy)?.spec.roles;
      return Array.isArray(roles) && roles.includes('SecurityAdmin');
    })
  );
}

/** Whether some policy lets them do anything in that namespace. */
function isSubjectThere(
  { userInfo, namespace = '' }: AdmissionRequest,
  { world }: RuleContext,
): boolean {
  const identity = identityOf(userInfo);
  if (isMaster(userInfo)) return true;
  if (isAnonymous(identity)) return false;
  return world
    .policyIndex()
    .about(identity, namespace)
    .some((list) => list.some(({ isDeny, permissions }) => !isDeny && permissions !== 0));
}

function checkSpec({ spec }: Emergency, { settings }: RuleContext): string | undefined {
  const { subject, duration } = spec;
  if (subject.kind === 'User' && subject.name.startsWith('system:serviceaccount:')) {
    return 'spec.subject names a ServiceAccount as User; write kind: ServiceAccount and its name alone, which is one of this namespace';
  }
  if (duration === undefined) return undefined;
  if (!isDuration(duration)) return `spec.duration is ${JSON.stringify(duration)}; write it as 30m`;
  const { maxDurationMs } = settings.emergency;
  if (parseDuration(duration) <= maxDurationMs) return undefined;
  return `spec.duration is ${duration}, and this installation allows ${maxDurationMs / 60_000}m at most`;
}

/** Why the next one of the same subject has to wait; undefined where it has not. */
function outstandingReview(access: Emergency, { world }: RuleContext): string | undefined {
  const subject = subjectUsername(access);
  const due = world.emergencyAccessesOf(subject).find(isReviewDue);
  if (due === undefined) return undefined;
  const { namespace = '', name } = due.metadata;
  return `EmergencyAccess ${namespace}/${name} of the same subject (${subject}) has ended and nobody has closed its review; let somebody else do that first: strongroom emergency review ${name} -n ${namespace}`;
}

function warningsOf(
  { spec }: Emergency,
  { namespace = '' }: AdmissionRequest,
  { world }: RuleContext,
): readonly string[] {
  const oddity = oddityOf(spec.subject.name);
  const isGuarded = world.namespace(namespace)?.isGuarded === true;
  return [
    ...(isGuarded ? [] : [`Namespace ${namespace} is not guarded: nothing will come of it.`]),
    ...(oddity === undefined ? [] : [`spec.subject.name ${oddity}.`]),
  ].map(warn);
}

function targetWarnings(
  { spec }: Emergency,
  { namespace = '' }: AdmissionRequest,
  { world }: RuleContext,
): readonly string[] {
  const missing = (spec.target.credentials ?? []).filter(
    (name) => world.credential(namespace, name) === undefined,
  );
  return missing.length === 0
    ? []
    : [warn(`spec.target.credentials names what does not exist: ${missing.join(', ')}.`)];
}

/** Acting as an account is judged by policies alone: what it has for an hour, others have with it. */
function accountWarnings({ spec }: Emergency): readonly string[] {
  const { kind, name } = spec.subject;
  if (kind !== 'ServiceAccount') return [];
  return [
    warn(
      `whoever may run pods as ServiceAccount ${name}, or has a token of it, would get in as well; name the person instead`,
    ),
  ];
}

/** Break-glass goes past policies, also past those that deny: whoever asks or approves is told. */
function denyWarnings(
  access: Emergency,
  request: AdmissionRequest,
  { world, nowMs }: RuleContext,
): readonly string[] {
  const { kind, name } = access.spec.subject;
  const identity = identityOfSubject({ kind, name, namespace: request.namespace ?? '' });
  const target = scopeOf(request, { world });
  return access.spec.permissions.flatMap((permission) => {
    const action = permission === 'AccessSecrets' ? SECRETS : ACTIONS.override;
    const { reason, rules } = decide(world.policyIndex(), {
      identity,
      action,
      target,
      atMs: nowMs,
    });
    if (reason !== 'Denied') return [];
    const policies = rules.map(({ policy }) => policy).join(', ');
    return [
      warn(
        `AccessPolicy ${policies} denies ${permission} to ${name} there; this would go past it.`,
      ),
    ];
  });
}

/** At the level that a Deny of whatever level takes. */
const SECRETS: Action = { ...ACTIONS.retrieve, level: 'Emergency' };

function owned(what: string): Verdict {
  return refuse(
    'Immutable',
    `${what}: metadata.ownerReferences would let it be deleted unreviewed, with its owner; leave them away`,
  );
}

function unreadable(request: AdmissionRequest): Verdict {
  return refuse(
    'Invalid',
    `${describeObject(request)}: spec must say subject, reason, target and permissions`,
    { code: 422 },
  );
}
