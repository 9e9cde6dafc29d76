/** Nobody, by mistake or on purpose, leaves a cluster without anybody who may write its policies. */
import { ACTIONS } from '#access/actions.ts';
import { concerns, takes } from '#access/decide.ts';
import { compilePolicy } from '#access/compile.ts';
import type { CompiledPolicy } from '#access/compile.ts';
import { identityOf, isAnonymous } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import { rankOf } from '#access/levels.ts';
import { mayBeSamePerson } from '#access/rbac/same-person.ts';
import type { Target } from '#access/request.ts';
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import type { PolicyChange } from './granting.ts';

const EVERYWHERE: Target = { kind: 'Scope', namespace: '*', environment: '*' };
const ADMIN = rankOf(ACTIONS['manage-users'].level);

/**
 * Whether somebody administers everything at all times before a change, and nobody is sure to after
 * it. `requester`, whose groups are known, counts where they are one of them.
 */
export function losesLastAdministrator(
  policies: readonly AccessPolicy[],
  { before, after }: PolicyChange,
  requester: Identity,
): boolean {
  const canLose =
    (before !== undefined && isAdministrators(compilePolicy(before))) ||
    (after !== undefined && canDenyAdministrators(compilePolicy(after)));
  if (!canLose) return false;
  const name = (before ?? after)?.metadata.name;
  const others = policies.filter(({ metadata }) => metadata.name !== name).map(compilePolicy);
  const was = before === undefined ? others : [...others, compilePolicy(before)];
  const is = after === undefined ? others : [...others, compilePolicy(after)];
  return hasAdministrator(was, requester) && !hasAdministrator(is, requester);
}

function hasAdministrator(policies: readonly CompiledPolicy[], requester: Identity): boolean {
  const denies = policies.filter(canDenyAdministrators);
  const holders = policies.filter(isAdministrators).flatMap(({ subjects }) => subjects);
  return holders.some((holder) => {
    if (isAmong(requester, holder)) return !denies.some((deny) => isNamed(deny, requester));
    if (isAnonymous(identityOf(holder))) return false;
    return !denies.some(({ subjects }) => subjects.some((subject) => canTake(subject, holder)));
  });
}

/** Others are in a group beside those whom a Deny takes by name, or by another group. */
function canTake(denied: Subject, holder: Subject): boolean {
  if (holder.kind !== 'Group') return mayBeSamePerson(denied, holder);
  return denied.kind === 'Group' && identityOf(holder).groups.includes(denied.name);
}

function isAdministrators(policy: CompiledPolicy): boolean {
  return (
    policy.effect === 'Allow' &&
    !policy.constrained &&
    policy.rank('ManageUsers') >= ADMIN &&
    concerns(policy, EVERYWHERE)
  );
}

/** Also by a constraint: a Deny of every night takes it from them every night. */
function canDenyAdministrators(policy: CompiledPolicy): boolean {
  return (
    policy.effect === 'Deny' && takes(policy, 'ManageUsers', ADMIN) && concerns(policy, EVERYWHERE)
  );
}

function isNamed({ subjects }: CompiledPolicy, requester: Identity): boolean {
  return subjects.some((subject) => isAmong(requester, subject));
}

function isAmong({ username, groups }: Identity, subject: Subject): boolean {
  if (subject.kind === 'Group') return groups.includes(subject.name);
  return username === identityOf(subject).username;
}
