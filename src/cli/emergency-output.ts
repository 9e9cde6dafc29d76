/** How the commands about emergency access print. */
import { isActive, isReviewDue } from '#access/emergency/active.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import type { EmergencyAccess, EmergencyAccessStatus } from '#api/emergency-access.ts';
import { age, table, visible } from '#cli/output.ts';

/** The JSON of one; a contract of the command line. */
export interface EmergencyJson {
  readonly namespace: string;
  readonly name: string;
  /** As the API server tells the username. */
  readonly subject: string;
  /** `Pending` until the operator has seen it; `Expired` as soon as its time is over. */
  readonly state: string;
  readonly reason: string;
  readonly ticket?: string;
  readonly permissions: readonly string[];
  readonly credentials: readonly string[];
  readonly pods: readonly string[];
  readonly requestedBy?: string;
  readonly approvals: NonNullable<EmergencyAccessStatus['approvals']>;
  readonly approvalsNeeded?: number;
  readonly activatedAt?: string;
  readonly expiresAt?: string;
  readonly endedAt?: string;
  readonly endedBy?: string;
  readonly serviceAccount?: string;
  readonly uses: number;
  readonly reachable: NonNullable<EmergencyAccessStatus['credentials']>;
  readonly review?: EmergencyAccessStatus['review'];
  readonly reviewDue: boolean;
  /** What it waits for, or why it ended. */
  readonly message?: string;
  /** What is not as it should be, such as a target that does not exist. */
  readonly problems: readonly EmergencyProblem[];
}

export interface EmergencyProblem {
  readonly reason: string;
  readonly message: string;
}

export function emergencyJson(access: EmergencyAccess, nowMs: number): EmergencyJson {
  const { metadata, spec, status = {} } = access;
  const { approvalsNeeded, activatedAt, expiresAt, endedAt, endedBy, serviceAccount } = status;
  const message = status.conditions?.find(({ type }) => type === 'Active')?.message;
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    subject: subjectUsername(access),
    state: stateOf(access, nowMs),
    reason: spec.reason,
    ...(spec.ticket === undefined ? {} : { ticket: spec.ticket }),
    permissions: spec.permissions,
    credentials: spec.target.credentials ?? [],
    pods: spec.target.pods ?? [],
    ...(status.requestedBy === undefined ? {} : { requestedBy: status.requestedBy.username }),
    approvals: status.approvals ?? [],
    ...(approvalsNeeded === undefined ? {} : { approvalsNeeded }),
    ...(activatedAt === undefined ? {} : { activatedAt }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(endedBy === undefined ? {} : { endedBy }),
    ...(serviceAccount === undefined ? {} : { serviceAccount }),
    uses: status.useCount ?? 0,
    reachable: status.credentials ?? [],
    ...(status.review === undefined ? {} : { review: status.review }),
    reviewDue: isReviewDue(access),
    ...(message === undefined ? {} : { message }),
    problems: problemsOf(access),
  };
}

/** Each reason once: a condition that is not as it should be draws others with it. */
export function problemsOf({ status }: EmergencyAccess): readonly EmergencyProblem[] {
  const problems = new Map<string, EmergencyProblem>();
  for (const { type, status: is, reason, message } of status?.conditions ?? []) {
    const isProblem = (type === 'Ready' && is !== 'True') || (type === 'Stalled' && is !== 'False');
    if (isProblem) problems.set(reason, { reason, message });
  }
  return [...problems.values()];
}

/** `TargetMissing: There is no Pod maker-0`, on one line. */
export function problemText({ reason, message }: EmergencyProblem): string {
  return visible(`${reason}: ${message}`);
}

/** Admission goes by the clock too, whether the operator has noticed or not. */
export function stateOf(access: EmergencyAccess, nowMs: number): string {
  const state = access.status?.state ?? 'Pending';
  return state === 'Active' && !isActive(access, nowMs) ? 'Expired' : state;
}

export function emergencyTable(
  accesses: readonly EmergencyAccess[],
  nowMs: number,
  withNamespace: boolean,
): string {
  const all = accesses.map((access) => emergencyJson(access, nowMs));
  const header = ['NAME', 'SUBJECT', 'STATE', 'ENDS', 'APPROVALS', 'USES', 'REVIEW', 'REASON'];
  const problems = all.flatMap((json) =>
    json.problems.map(({ reason, message }) => [nameIn(json, withNamespace), reason, message]),
  );
  const found = table(
    withNamespace ? ['NAMESPACE', ...header] : header,
    all.map((json) => {
      const row = [
        json.name,
        json.subject,
        json.state,
        json.state === 'Active' ? endText(json, nowMs) : '-',
        approvalsText(json),
        String(json.uses),
        reviewText(json),
        json.reason,
      ];
      return withNamespace ? [json.namespace, ...row] : row;
    }),
  );
  return problems.length === 0
    ? found
    : `${found}\n\n${table(['NAME', 'PROBLEM', 'FOUND'], problems)}`;
}

function nameIn({ namespace, name }: EmergencyJson, withNamespace: boolean): string {
  return withNamespace ? `${namespace}/${name}` : name;
}

export function describeEmergency(access: EmergencyAccess, nowMs: number): string {
  const json = emergencyJson(access, nowMs);
  const facts: readonly (readonly [string, string])[] = [
    ['Emergency', `${json.namespace}/${json.name}`],
    ['Subject', json.subject],
    ['State', json.message === undefined ? json.state : `${json.state}: ${json.message}`],
    ...json.problems.map((problem) => ['Problem', problemText(problem)] as const),
    ['Reason', json.reason],
    ...optional('Ticket', json.ticket),
    ['For', targetText(json)],
    ...optional('Asked by', json.requestedBy),
    ['Approvals', approvalsText(json)],
    ...json.approvals.map(
      ({ username, at, reason, self }) =>
        ['', `${username}${self ? ' (alone, of their own)' : ''} at ${at}: ${reason}`] as const,
    ),
    ...(json.state === 'Active' ? ([['Ends', endText(json, nowMs)]] as const) : []),
    ...optional('Ended', json.endedAt),
    ['Uses', String(json.uses)],
    ...optional('Account', json.serviceAccount),
    ['Review', reviewText(json)],
    ...optional('Finding', json.review?.finding),
  ];
  const lines = facts.map(([label, value]) =>
    `${(label === '' ? '' : `${label}:`).padEnd(11)} ${visible(value)}`.trimEnd(),
  );
  const reachable =
    json.reachable.length === 0
      ? ''
      : `\n\n${table(
          ['REACHABLE', 'VERSION', 'ROTATED SINCE'],
          json.reachable.map(({ name, version, rotated }) => [
            name,
            String(version ?? '-'),
            rotated ? 'yes' : 'no',
          ]),
        )}`;
  return `${lines.join('\n')}${reachable}`;
}

/** What somebody should do next; undefined: nothing. */
export function nextStep(access: EmergencyAccess, nowMs: number): string | undefined {
  const { namespace, name, state, permissions, reviewDue } = emergencyJson(access, nowMs);
  const at = `${name} -n ${namespace}`;
  if (state === 'Pending') {
    return `others approve it with: strongroom emergency approve ${at} --reason "…"`;
  }
  if (state === 'Active' && permissions.includes('AccessSecrets')) {
    return `read the Secrets with: strongroom emergency token ${at} --format kubeconfig`;
  }
  if (reviewDue) {
    return `somebody else closes the review with: strongroom emergency review ${at} --finding "…"`;
  }
  return undefined;
}

function optional(
  label: string,
  value: string | undefined,
): readonly (readonly [string, string])[] {
  return value === undefined ? [] : [[label, value]];
}

function targetText({ permissions, credentials, pods }: EmergencyJson): string {
  return permissions
    .map((permission) =>
      permission === 'AccessSecrets'
        ? `${permission} of ${credentials.join(', ')}`
        : `${permission} of ${pods.includes('*') ? 'every pod' : `pods ${pods.join(', ')}`}`,
    )
    .join('; ');
}

function approvalsText({ approvals, approvalsNeeded }: EmergencyJson): string {
  if (approvals.some(({ self }) => self)) return 'self';
  // How many are needed the operator says, which may not have seen it yet.
  return approvalsNeeded === undefined
    ? String(approvals.length)
    : `${approvals.length} of ${approvalsNeeded}`;
}

function endText({ expiresAt }: EmergencyJson, nowMs: number): string {
  return expiresAt === undefined ? '-' : `in ${age(Date.parse(expiresAt) - nowMs)}`;
}

function reviewText({ reviewDue, review }: EmergencyJson): string {
  if (review !== undefined) return `by ${review.by}`;
  return reviewDue ? 'due' : '-';
}
