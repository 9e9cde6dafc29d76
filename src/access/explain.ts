/** Why a decision fell as it did. Looks at every policy: for people, not for every request. */
import type { Effect } from '#api/access-policy.ts';
import type { CompiledPolicy } from './compile.ts';
import { concerns, concernsLevel, decide } from './decide.ts';
import { describeSubject } from './identity.ts';
import type { Identity } from './identity.ts';
import { needsOf } from './needs.ts';
import type { Needs } from './needs.ts';
import { permissionsIn } from './permission-set.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { AccessRequest, Decision, Target } from './request.ts';
import { ACCESS_LEVELS } from '#api/roles.ts';

export interface Miss {
  readonly part: 'Subject' | 'Permission' | 'Level' | 'Environment' | 'Credential' | 'Constraint';
  /** What the policy says, and what was asked. */
  readonly text: string;
}

export interface ConsideredPolicy {
  readonly policy: string;
  readonly effect: Effect;
  readonly applies: boolean;
  /** Empty where it applies. */
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
  const needs = needsOf(request);
  const considered = index.policies
    .map((policy) => consider(policy, request, needs))
    .sort((a, b) => distance(a) - distance(b) || (a.policy < b.policy ? -1 : 1));
  const allows = considered.filter(({ effect }) => effect === 'Allow');
  const least = allows[0] === undefined ? 0 : distance(allows[0]);
  const wouldAllow =
    decision.reason === 'NotGranted'
      ? allows.filter((policy) => distance(policy) === least).slice(0, MAX_NEAREST)
      : [];
  return { decision, considered, wouldAllow: wouldAllow.map(({ policy }) => policy) };
}

/** Several constraints that are not met are one thing to mend: being elsewhere, at another time. */
function distance({ misses }: ConsideredPolicy): number {
  return new Set(misses.map(({ part }) => part)).size;
}

function consider(policy: CompiledPolicy, request: AccessRequest, needs: Needs): ConsideredPolicy {
  const { target, identity } = request;
  const misses = [
    ...subjectMiss(policy, identity),
    ...permissionMiss(policy, needs),
    ...targetMiss(policy, target),
    ...constraintMisses(policy, request),
  ];
  return {
    policy: policy.name,
    effect: policy.effect,
    applies: misses.length === 0,
    misses,
  };
}

function subjectMiss({ entries, subjects }: CompiledPolicy, identity: Identity): readonly Miss[] {
  const isMeant = entries.some(({ by, name }) => {
    if (by === 'Anyone') return true;
    return by === 'Group' ? identity.groups.includes(name) : identity.username === name;
  });
  if (isMeant) return [];
  return [{ part: 'Subject', text: `it is about ${listSome(subjects.map(describeSubject))}` }];
}

function permissionMiss(policy: CompiledPolicy, needs: Needs): readonly Miss[] {
  const verb = policy.effect === 'Deny' ? 'denies' : 'gives';
  const held = permissionsIn(policy.permissions & needs.permissions);
  if (held.length === 0) {
    return [{ part: 'Permission', text: `it ${verb} none of ${listSome(needs.told.anyOf)}` }];
  }
  if (concernsLevel(policy, needs.rank)) return [];
  const level = ACCESS_LEVELS[policy.level] ?? 'no level';
  const bound = policy.effect === 'Deny' ? `from ${level} on` : `up to ${level}`;
  const text = `it ${verb} ${listSome(held)} ${bound}; this needs ${needs.told.level}`;
  return [{ part: 'Level', text }];
}

function targetMiss(policy: CompiledPolicy, target: Target): readonly Miss[] {
  if (concerns(policy, target)) return [];
  if (target.kind === 'Unknown') {
    return [{ part: 'Credential', text: `${target.namespace}/${target.name} is not known` }];
  }
  const environment =
    target.kind === 'Credential' ? target.credential.environment : target.environment;
  const hasEnvironment = policy.isIn(environment);
  const misses: Miss[] = [];
  if (!hasEnvironment) {
    misses.push({
      part: 'Environment',
      text: `it is about ${listSome(policy.environments)}, not ${environment === '*' ? 'all environments' : environment}`,
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

function constraintMisses(policy: CompiledPolicy, request: AccessRequest): readonly Miss[] {
  return policy.constraints.flatMap(({ text, verdict }): readonly Miss[] => {
    const found = verdict(request);
    if (found === 'Met' || (found === 'Unknown' && policy.effect === 'Deny')) return [];
    const reason = found === 'Unknown' ? ', which is not known here' : '';
    return [{ part: 'Constraint', text: `only ${text}${reason}` }];
  });
}

function listSome(names: readonly string[]): string {
  if (names.length === 0) return 'none that is known';
  return names.length > 4
    ? `${names.slice(0, 3).join(', ')} and ${names.length - 3} more`
    : names.join(', ');
}
