/** A decision for people: also what would decide at other times and from other places. */
import type { Subject } from '#api/access-policy.ts';
import type { Permission } from '#api/roles.ts';
import { ACCESS_LEVELS } from '#api/roles.ts';
import type { Action } from './actions.ts';
import type { CompiledPolicy } from './compile.ts';
import { concerns, decide, takes } from './decide.ts';
import { describeSubject, serviceAccountUsername } from './identity.ts';
import type { Identity } from './identity.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { AccessRequest, DecidingRule, Decision } from './request.ts';

export interface Judgement {
  readonly decision: Decision;
  /** What decided; for a no that hangs on a condition, what would allow it. */
  readonly rules: readonly DecidingRule[];
  /** `from 10.0.0.0/8` or `not from 10.0.0.0/8`: what a yes hangs on. Absent: it always holds. */
  readonly condition?: string;
}

export type Judge = (request: Omit<AccessRequest, 'identity'>) => Judgement;

export function judgeOf(index: PolicyIndex, identity: Identity): Judge {
  const about = index.policies.flatMap((policy) => {
    const subject = policy.subjects.find((one) => isAmong(one, identity));
    return subject === undefined ? [] : [{ policy, subject }];
  });
  return (request) => {
    const decision = decide(index, { ...request, identity });
    const { reason, needs, allowed, rules } = decision;
    const { target } = request;
    if (reason === 'SystemMasters' || target.kind === 'Unknown') return { decision, rules };
    const rank = ACCESS_LEVELS.indexOf(needs.level);
    const concerned = about.filter(({ policy }) => concerns(policy, target));
    const conditions = new Set<string>();
    const granting = new Map<string, DecidingRule>();
    // Where several permissions will do, each is decided by itself.
    for (const permission of needs.anyOf) {
      const allows = concerned.filter(
        ({ policy }) => policy.effect === 'Allow' && policy.rank(permission) >= rank,
      );
      const denies = concerned.filter(
        ({ policy }) => policy.effect === 'Deny' && takes(policy, permission, rank),
      );
      if (allows.length === 0 || denies.some(({ policy }) => !policy.constrained)) continue;
      const isSure = allows.some(({ policy }) => !policy.constrained);
      if (isSure && denies.length === 0) return { decision, rules };
      conditions.add(
        [
          ...(isSure ? [] : [unique(allows.map(({ policy }) => policy.condition)).join('; or ')]),
          ...unique(denies.map(({ policy }) => `not ${policy.condition}`)),
        ].join(', but '),
      );
      for (const { policy, subject } of allows) {
        if (granting.has(policy.name)) continue;
        granting.set(policy.name, ruleOf(policy, subject, permission));
      }
    }
    if (conditions.size === 0) return { decision, rules };
    return {
      decision,
      rules: allowed ? rules : [...granting.values()],
      condition: [...conditions].join('; or '),
    };
  };
}

/** Every subject that a policy names, once, sorted. */
export function subjectsOf(index: PolicyIndex): readonly Subject[] {
  const subjects = new Map(
    index.policies.flatMap((policy) =>
      policy.subjects.map((subject) => [describeSubject(subject), subject] as const),
    ),
  );
  return [...subjects].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, subject]) => subject);
}

/** Somebody who may do something in a part of what is asked about, if no Deny says otherwise. */
export interface PartialHolder {
  readonly subject: Subject;
  readonly policy: string;
  readonly environments: readonly string[];
  /** What the policy selects, in words. */
  readonly selection: string;
}

/** Sorted by policy; whoever may do it in all of the scope is not among them. */
export function partialHolders(
  { policies }: PolicyIndex,
  action: Action,
  namespace: string,
  environment: string,
): readonly PartialHolder[] {
  const rank = ACCESS_LEVELS.indexOf(action.level);
  return policies
    .filter(
      (policy) =>
        policy.effect === 'Allow' &&
        action.anyOf.some((permission) => policy.rank(permission) >= rank) &&
        policy.overlaps(namespace, environment) &&
        !policy.covers(namespace, environment),
    )
    .flatMap(({ name, subjects, environments, selection }) =>
      subjects.map((subject) => ({ subject, policy: name, environments, selection })),
    );
}

/** `no`, `yes`, or under which constraints. */
export function answerText({ decision, condition }: Judgement): string {
  if (condition === undefined) return decision.allowed ? 'yes' : 'no';
  return isException(condition) ? `yes, but ${condition}` : `only ${condition}`;
}

/** `only from 10.0.0.0/8` or `but not from 10.0.0.0/8` */
export function conditionText(condition: string): string {
  return `${isException(condition) ? 'but' : 'only'} ${condition}`;
}

function isException(condition: string): boolean {
  return condition.startsWith('not ');
}

export function isAbout({ subjects }: CompiledPolicy, identity: Identity): boolean {
  return subjects.some((subject) => isAmong(subject, identity));
}

function isAmong({ kind, name, namespace = '' }: Subject, identity: Identity): boolean {
  if (kind === 'Group') return identity.groups.includes(name);
  return identity.username === (kind === 'User' ? name : serviceAccountUsername(namespace, name));
}

function ruleOf(policy: CompiledPolicy, subject: Subject, permission: Permission): DecidingRule {
  return {
    policy: policy.name,
    effect: policy.effect,
    subject,
    permission,
    grantedBy: policy.grantedBy(permission),
    level: ACCESS_LEVELS[policy.rank(permission)] ?? 'Read',
  };
}

function unique(texts: readonly string[]): readonly string[] {
  return [...new Set(texts)];
}
