/** Why a decision fell as it did. Looks at every policy: for people, not for every request. */
import type { Effect } from '#api/access-policy.ts';
import type { CompiledPolicy } from './compile.ts';
import { concerns, decide, takes } from './decide.ts';
import { describeSubject, serviceAccountUsername } from './identity.ts';
import type { Identity } from './identity.ts';
import { rankOf } from './levels.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { AccessRequest, Decision, Target } from './request.ts';
import { ACCESS_LEVELS, ENVIRONMENTS } from '#api/roles.ts';

export interface Miss {
  readonly part: 'Subject' | 'Permission' | 'Level' | 'Environment' | 'Credential' | 'Constraint';
  /** What the policy says, and what was asked. */
  readonly text: string;
}

export interface ConsideredPolicy {
  readonly policy: string;
  readonly effect: Effect;
  readonly applies: boolean;
  /** Empty where it applies, but for a Deny whose constraint is not known to be met or not. */
  readonly misses: readonly Miss[];
}

export interface Explanation {
  readonly decision: Decision;
  /** Every policy, those that apply or come nearest first. */
  readonly considered: readonly ConsideredPolicy[];
  /** Names of the Allows that miss the least; empty where a Deny decided, or nothing is denied. */
  readonly wouldAllow: readonly string[];
}

/** More than this is no help. */
const MAX_NEAREST = 5;

export function explain(index: PolicyIndex, request: AccessRequest): Explanation {
  const decision = decide(index, request);
  const considered = index.policies
    .map((policy) => consider(policy, request, decision))
    .sort((a, b) => a.misses.length - b.misses.length || (a.policy < b.policy ? -1 : 1));
  const allows = considered.filter(({ effect }) => effect === 'Allow');
  const least = allows[0]?.misses.length ?? 0;
  const wouldAllow =
    decision.reason === 'NotGranted'
      ? allows.filter(({ misses }) => misses.length === least).slice(0, MAX_NEAREST)
      : [];
  return { decision, considered, wouldAllow: wouldAllow.map(({ policy }) => policy) };
}

function consider(
  policy: CompiledPolicy,
  request: AccessRequest,
  { needs }: Decision,
): ConsideredPolicy {
  const { target, identity } = request;
  const verdict = policy.constraint(request);
  const misses = [
    ...subjectMiss(policy, identity),
    ...permissionMiss(policy, needs),
    ...targetMiss(policy, target),
    ...(verdict === 'Met'
      ? []
      : [{ part: 'Constraint' as const, text: constraintText(policy, verdict) }]),
  ];
  const isSure = misses.every(
    ({ part }) => part === 'Constraint' && policy.effect === 'Deny' && verdict === 'Unknown',
  );
  return { policy: policy.name, effect: policy.effect, applies: isSure, misses };
}

function subjectMiss({ subjects }: CompiledPolicy, identity: Identity): readonly Miss[] {
  const isMeant = subjects.some(({ kind, name, namespace = '' }) => {
    if (kind === 'Group') return identity.groups.includes(name);
    return identity.username === (kind === 'User' ? name : serviceAccountUsername(namespace, name));
  });
  if (isMeant) return [];
  return [{ part: 'Subject', text: `it is about ${listSome(subjects.map(describeSubject))}` }];
}

function permissionMiss(policy: CompiledPolicy, needs: Decision['needs']): readonly Miss[] {
  const rank = rankOf(needs.level);
  const verb = policy.effect === 'Deny' ? 'denies' : 'gives';
  const held = needs.anyOf.filter((permission) => policy.rank(permission) !== -1);
  if (held.length === 0) {
    return [{ part: 'Permission', text: `it ${verb} none of ${listSome(needs.anyOf)}` }];
  }
  const fits = held.some((permission) =>
    policy.effect === 'Deny' ? takes(policy, permission, rank) : policy.rank(permission) >= rank,
  );
  if (fits) return [];
  const [permission = 'AccessSecrets'] = held;
  const level = ACCESS_LEVELS[policy.rank(permission)] ?? 'none';
  const bound = policy.effect === 'Deny' ? `from ${level} on` : `up to ${level}`;
  return [{ part: 'Level', text: `it ${verb} ${permission} ${bound}; this needs ${needs.level}` }];
}

function targetMiss(policy: CompiledPolicy, target: Target): readonly Miss[] {
  if (concerns(policy, target)) return [];
  if (target.kind === 'Unknown') {
    return [{ part: 'Credential', text: `${target.namespace}/${target.name} is not known` }];
  }
  const environment =
    target.kind === 'Credential' ? target.credential.environment : target.environment;
  const hasEnvironment =
    environment === '*'
      ? policy.environments.length === ENVIRONMENTS.length
      : policy.environments.includes(environment);
  const misses: Miss[] = [];
  if (!hasEnvironment) {
    misses.push({
      part: 'Environment',
      text: `it is about ${policy.environments.join(', ')}, not ${environment === '*' ? 'all environments' : environment}`,
    });
  }
  // Asked again as if it were in one of the policy's own environments.
  const [own] = policy.environments;
  const elsewhere = hasEnvironment || own === undefined ? target : inEnvironment(target, own);
  if (hasEnvironment || !concerns(policy, elsewhere)) {
    const whole = target.kind === 'Scope' ? ' (all of it is asked about)' : '';
    misses.push({ part: 'Credential', text: `it selects ${policy.selection}${whole}` });
  }
  return misses;
}

function inEnvironment(target: Target, environment: string): Target {
  const known = environment as 'Production';
  if (target.kind === 'Credential') {
    return { ...target, credential: { ...target.credential, environment: known } };
  }
  return target.kind === 'Scope' ? { ...target, environment: known } : target;
}

function constraintText({ condition, faults }: CompiledPolicy, verdict: string): string {
  if (faults.length > 0) return faults.join('; ');
  return verdict === 'Unknown' ? `only ${condition}, which is not known here` : `only ${condition}`;
}

function listSome(names: readonly string[]): string {
  return names.length > 4
    ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
    : names.join(', ');
}
