/** What the status of a policy says. A pure function of what was found. */
import type { AccessPolicy, AccessPolicyStatus, Condition, Finding } from '#api/access-policy.ts';
import { setCondition } from '#runtime/conditions.ts';
import type { CompiledPolicy } from './compile.ts';
import { describeSubject } from './identity.ts';
import type { PolicyNetwork } from './network-status.ts';
import type { WantedAccess } from './rbac/grants.ts';

/** As many as an object should carry; `findingCount` says how many there are. */
const MAX_FINDINGS = 100;
const MAX_GAPS = 100;
const MAX_NAME = 1024;
const MAX_MESSAGE = 4096;
const MAX_LISTED = 10;
const SEVERITIES = ['Critical', 'Warning', 'Info'];

export interface PolicyOutcome {
  readonly policy: AccessPolicy;
  readonly compiled: CompiledPolicy;
  readonly wanted: WantedAccess;
  /** How many credentials and namespaces the policy selects, guarded or not. */
  readonly credentials: number;
  readonly namespaces: number;
  readonly rbacObjects: number;
  /** Guarded namespaces in which the operator has no rights yet. */
  readonly unready: readonly string[];
  /** About the policy itself. */
  readonly faults: readonly Finding[];
  /** About the RBAC of others. */
  readonly weaknesses: readonly Finding[];
  /** What became of its network; absent: nobody has looked at it yet. */
  readonly network?: PolicyNetwork;
  /** What failed, in words without any value. */
  readonly failure?: string;
}

export function policyStatus(outcome: PolicyOutcome, nowMs: number): AccessPolicyStatus {
  const { policy, compiled, wanted } = outcome;
  const findings = [...outcome.faults, ...withheldFindings(wanted), ...outcome.weaknesses].sort(
    (a, b) => SEVERITIES.indexOf(a.severity) - SEVERITIES.indexOf(b.severity),
  );
  const { generation } = policy.metadata;
  let conditions: readonly Condition[] = policy.status?.conditions ?? [];
  const verdicts = [
    ...readiness(outcome),
    granted(outcome),
    undermined(outcome),
    ...networked(outcome),
  ];
  for (const next of verdicts) {
    conditions = setCondition(
      conditions,
      { ...next, ...(generation === undefined ? {} : { observedGeneration: generation }) },
      nowMs,
    );
  }
  return {
    ...(generation === undefined ? {} : { observedGeneration: generation }),
    conditions,
    subjects: compiled.subjects.length,
    credentials: outcome.credentials,
    namespaces: outcome.namespaces,
    rbacObjects: outcome.rbacObjects,
    findingCount: findings.length,
    findings: findings.slice(0, MAX_FINDINGS).map(shortened),
    ...(policy.spec.network !== undefined && networkStatus(outcome.network)),
  };
}

function networkStatus(network: PolicyNetwork | undefined): Partial<AccessPolicyStatus> {
  if (network === undefined) return {};
  const { pods, policies, gaps } = network;
  return {
    network: { pods, policies },
    gapCount: gaps.length,
    gaps: gaps.slice(0, MAX_GAPS).map(({ isInformation: _isInformation, ...gap }) => ({
      ...gap,
      message: gap.message.slice(0, MAX_MESSAGE),
    })),
  };
}

type Verdict = Omit<Condition, 'lastTransitionTime'>;

function readiness({ unready, failure }: PolicyOutcome): readonly Verdict[] {
  if (failure !== undefined) {
    const message = `${failure}; it is tried again`;
    return [
      verdict('Ready', false, 'ReconcileFailed', message),
      verdict('Reconciling', true, 'ReconcileFailed', message),
      verdict('Stalled', false, 'ReconcileFailed', message),
    ];
  }
  if (unready.length > 0) {
    const message = `The operator has no rights yet in ${listSome(unready)}; it is tried again`;
    return [
      verdict('Ready', false, 'NamespaceNotReady', message),
      verdict('Reconciling', true, 'NamespaceNotReady', message),
      verdict('Stalled', false, 'NamespaceNotReady', message),
    ];
  }
  return [
    verdict('Ready', true, 'UpToDate', 'The RBAC of the cluster says what the policy says'),
    verdict('Reconciling', false, 'UpToDate', 'Nothing is left to do'),
    verdict('Stalled', false, 'UpToDate', 'Nothing is in the way'),
  ];
}

function granted({ policy, compiled, wanted, credentials, rbacObjects }: PolicyOutcome): Verdict {
  const type = 'AccessGranted';
  if (compiled.effect === 'Deny') {
    return verdict(
      type,
      false,
      'DenyOnly',
      'A Deny grants nothing; it takes from what other policies grant',
    );
  }
  if (compiled.constrained) {
    return verdict(
      type,
      false,
      'Constrained',
      'A policy with constraints becomes no standing RBAC, which knows neither times nor addresses; it gives what admission and the gateway decide',
    );
  }
  if (wanted.withheld.length > 0) {
    const names = [...new Set(wanted.withheld.flatMap(({ denies }) => denies))].sort();
    return verdict(
      type,
      false,
      'Withheld',
      `Some standing rights are withheld because of ${listSome(names)}; see findings`,
    );
  }
  if (wanted.grants.length > 0) {
    const namespaces = new Set(wanted.grants.map(({ namespace }) => namespace)).size;
    return verdict(
      type,
      true,
      'Granted',
      `${rbacObjects} Roles and RoleBindings in ${namespaces} ${namespaces === 1 ? 'namespace' : 'namespaces'}`,
    );
  }
  if (isAboutNetworkAlone(policy)) {
    return verdict(
      type,
      false,
      'NetworkOnly',
      'The policy names neither roles nor permissions: it gives no rights, and is about the network alone',
    );
  }
  return credentials === 0
    ? verdict(type, false, 'SelectsNothing', 'The policy selects no credential that exists')
    : verdict(
        type,
        false,
        'NothingGranted',
        'No rights stand: its subjects do not exist, its namespaces are not guarded, or RBAC cannot say what it gives; the findings say which',
      );
}

function isAboutNetworkAlone({ spec }: AccessPolicy): boolean {
  const { network, roles = [], permissions = [] } = spec;
  return network !== undefined && roles.length + permissions.length === 0;
}

function undermined({ weaknesses }: PolicyOutcome): Verdict {
  return weaknesses.length === 0
    ? verdict('Undermined', false, 'NoWeakness', 'No RBAC of others lets anyone round this policy')
    : verdict(
        'Undermined',
        true,
        'WeaknessesFound',
        `RBAC of others lets somebody round this policy in ${weaknesses.length} ${weaknesses.length === 1 ? 'way' : 'ways'}; see findings`,
      );
}

/** Of a policy that never had a network nothing is told. */
function networked({ policy, network }: PolicyOutcome): readonly Verdict[] {
  const type = 'NetworkApplied';
  if (policy.spec.network === undefined) {
    const hadOne = policy.status?.conditions?.some((condition) => condition.type === type);
    return hadOne === true
      ? [verdict(type, true, 'NoNetwork', 'The policy has no network any more')]
      : [];
  }
  if (network?.isApplied !== true) {
    const [first] = network?.gaps ?? [];
    const why = first?.message ?? 'NetworkPolicies are not written yet';
    return [verdict(type, false, 'NetworkPending', why)];
  }
  const { pods, policies, gaps } = network;
  const [first] = gaps.filter(({ isInformation }) => isInformation !== true);
  return first === undefined
    ? [
        verdict(
          type,
          true,
          'NetworkApplied',
          `${policies} NetworkPolicies stand for it; ${pods} ${pods === 1 ? 'pod runs' : 'pods run'} under its ServiceAccounts`,
        ),
      ]
    : [
        verdict(
          type,
          false,
          'NetworkPartlyApplied',
          gaps.length > 1 ? `${first.message}; see gaps` : first.message,
        ),
      ];
}

/** One a subject and the denies at work, with all namespaces concerned. */
function withheldFindings({ withheld }: WantedAccess): readonly Finding[] {
  const namespaces = new Map<string, { first: (typeof withheld)[number]; all: string[] }>();
  for (const one of withheld) {
    const key = `${describeSubject(one.subject)}|${one.denies.join(',')}`;
    const entry = namespaces.get(key) ?? { first: one, all: [] };
    entry.all.push(one.namespace);
    namespaces.set(key, entry);
  }
  return [...namespaces.values()].map(({ first, all }) => ({
    type: 'WithheldByDeny',
    severity: 'Info' as const,
    ...(all.length === 1 && { namespace: first.namespace }),
    subject: describeSubject(first.subject),
    message: `RBAC knows no deny and not who is in a group, so in ${listSome(all)} standing rights that ${listSome(first.denies)} may deny to the same person are withheld from all of ${describeSubject(first.subject)}`,
  }));
}

/** Within what the schema of the status takes. */
function shortened(finding: Finding): Finding {
  const { subject, via, message } = finding;
  return {
    ...finding,
    ...(subject !== undefined && { subject: subject.slice(0, MAX_NAME) }),
    ...(via !== undefined && { via: via.slice(0, MAX_NAME) }),
    message: message.slice(0, MAX_MESSAGE),
  };
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).join(', ');
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown;
}

function verdict(type: string, holds: boolean, reason: string, message: string): Verdict {
  return { type, status: holds ? 'True' : 'False', reason, message };
}
