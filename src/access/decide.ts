/** The one evaluator: everything that ever asks who may do what asks here. */
import { ACCESS_LEVELS } from '#api/roles.ts';
import type { Permission } from '#api/roles.ts';
import type { CompiledPolicy } from './compile.ts';
import { SYSTEM_MASTERS } from './identity.ts';
import { atLeast, rankOf } from './levels.ts';
import type { IndexedPolicy, PolicyIndex } from './policy-index.ts';
import type { AccessRequest, DecidingRule, Decision, Target } from './request.ts';

/**
 * Deny by default, and a Deny that applies wins over every Allow. Needs no input but its arguments;
 * the order of policies and groups does not matter.
 */
export function decide(index: PolicyIndex, request: AccessRequest): Decision {
  const { identity, action, target } = request;
  const level = levelOf(request);
  const needs = { anyOf: action.anyOf, level };
  if (identity.groups.includes(SYSTEM_MASTERS)) {
    return { allowed: true, reason: 'SystemMasters', rules: [], needs };
  }
  if (target.kind === 'Unknown') {
    return { allowed: false, reason: 'UnknownCredential', rules: [], needs };
  }
  const allows: IndexedPolicy[] = [];
  const denies: IndexedPolicy[] = [];
  index.forEach(identity, namespaceOf(target), (entry) => {
    const { policy } = entry;
    if (!concerns(policy, target)) return;
    const verdict = policy.constraint(request);
    if (policy.effect === 'Deny') {
      // What is not known may be just what the Deny is about.
      if (verdict !== 'NotMet') denies.push(entry);
    } else if (verdict === 'Met') {
      allows.push(entry);
    }
  });
  const rank = rankOf(level);
  const granting: DecidingRule[] = [];
  const denying: DecidingRule[] = [];
  let isAllowed = false;
  for (const permission of action.anyOf) {
    const against = denies.filter(({ policy }) => takes(policy, permission, rank));
    const given = allows.filter(({ policy }) => policy.rank(permission) >= rank && rank >= 0);
    if (against.length > 0) {
      denying.push(...against.map((entry) => ruleOf(entry, permission)));
    } else if (given.length > 0) {
      isAllowed = true;
      granting.push(...given.map((entry) => ruleOf(entry, permission)));
    }
  }
  if (isAllowed) return { allowed: true, reason: 'Allowed', rules: distinct(granting), needs };
  return denying.length > 0
    ? { allowed: false, reason: 'Denied', rules: distinct(denying), needs }
    : { allowed: false, reason: 'NotGranted', rules: [], needs };
}

/** The level that a request needs: the action's, raised where the credential asks for more. */
export function levelOf({
  action,
  target,
}: Pick<AccessRequest, 'action' | 'target'>): Decision['needs']['level'] {
  if (action.raisedByCredential !== true || target.kind !== 'Credential') return action.level;
  return atLeast(action.level, target.credential.minimumAccessLevel);
}

export function takes(policy: CompiledPolicy, permission: Permission, rank: number): boolean {
  const from = policy.rank(permission);
  return from !== -1 && rank >= from;
}

/** An Allow must be about all of the target, a Deny about some of it. */
export function concerns(policy: CompiledPolicy, target: Target): boolean {
  switch (target.kind) {
    case 'Credential':
      return policy.matches(target.credential);
    case 'Scope':
      return policy.effect === 'Deny'
        ? policy.overlaps(target.namespace, target.environment)
        : policy.covers(target.namespace, target.environment);
    case 'Unknown':
      return false;
  }
}

export function namespaceOf(target: Target): string {
  return target.kind === 'Credential' ? target.credential.namespace : target.namespace;
}

export function ruleOf({ policy, subject }: IndexedPolicy, permission: Permission): DecidingRule {
  return {
    policy: policy.name,
    effect: policy.effect,
    subject,
    permission,
    grantedBy: policy.grantedBy(permission),
    level: ACCESS_LEVELS[policy.rank(permission)] ?? 'Read',
  };
}

/** One a policy: several subjects and permissions of it may fit, the first is told. */
function distinct(rules: readonly DecidingRule[]): readonly DecidingRule[] {
  const byPolicy = new Map<string, DecidingRule>();
  for (const rule of rules) if (!byPolicy.has(rule.policy)) byPolicy.set(rule.policy, rule);
  return [...byPolicy.values()].sort((a, b) => (a.policy < b.policy ? -1 : 1));
}
