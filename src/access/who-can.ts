/** Who may do something: every subject that any policy names, asked one by one. */
import type { Subject } from '#api/access-policy.ts';
import type { CompiledPolicy } from './compile.ts';
import { concerns, concernsLevel, decide, namespaceOf } from './decide.ts';
import { describeSubject, serviceAccountIdentity } from './identity.ts';
import type { Identity } from './identity.ts';
import { needsOf } from './needs.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { AccessRequest, DecidingRule } from './request.ts';

export interface Answer {
  readonly subject: Subject;
  readonly allowed: boolean;
  readonly rules: readonly DecidingRule[];
  /** The constraints, in words, under which alone it is allowed, or would be. */
  readonly conditional?: string;
}

/** Sorted by subject. Of a Group it says what each member may do by being in it. */
export function whoCan(
  index: PolicyIndex,
  request: Omit<AccessRequest, 'identity'>,
): readonly Answer[] {
  const subjects = new Map<string, Subject>();
  for (const policy of index.policies) {
    for (const subject of policy.subjects) subjects.set(describeSubject(subject), subject);
  }
  return [...subjects.entries()]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, subject]) => answerFor(index, subject, { ...request, identity: identityOf(subject) }));
}

/** What is known of a subject by its name alone. */
export function identityOf({ kind, name, namespace = '' }: Subject): Identity {
  if (kind === 'ServiceAccount') return serviceAccountIdentity(namespace, name);
  const groups = ['system:authenticated'];
  return kind === 'Group'
    ? { username: '', groups: [name, ...groups] }
    : { username: name, groups };
}

function answerFor(index: PolicyIndex, subject: Subject, request: AccessRequest): Answer {
  const { allowed, reason, rules } = decide(index, request);
  const conditions = reason === 'Denied' ? [] : conditionsOf(index, request);
  const isUnconditional = conditions.includes('');
  return {
    subject,
    allowed,
    rules,
    ...(conditions.length > 0 && !isUnconditional ? { conditional: conditions.join('; or ') } : {}),
  };
}

/** Of each Allow that gives it, but for its constraints; an empty one: without any. */
function conditionsOf(index: PolicyIndex, request: AccessRequest): readonly string[] {
  const { target, identity } = request;
  if (target.kind === 'Unknown') return [];
  const needs = needsOf(request);
  const found: CompiledPolicy[] = [];
  let left = needs.permissions;
  index.forEach(identity, namespaceOf(target), ({ policy }) => {
    if (!concernsLevel(policy, needs.rank) || !concerns(policy, target)) return;
    if (policy.effect === 'Allow') found.push(policy);
    else if (policy.constraint(request) !== 'NotMet') left &= ~policy.permissions;
  });
  const giving = found.filter(({ permissions }) => (permissions & left) !== 0);
  return [...new Set(giving.map(({ condition }) => condition))].sort();
}
