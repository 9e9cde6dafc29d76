/**
 * The rules of granting. Who writes a policy gives something away, or takes it, and so needs
 * ManageUsers over all that it is about; what is most worth having is given only by who has it
 * there; and nobody gives to themselves. Taking a Deny off gives back what it took.
 */
import { isDeepStrictEqual } from 'node:util';
import { ACTIONS } from '#access/actions.ts';
import type { Action } from '#access/actions.ts';
import { compilePolicy } from '#access/compile.ts';
import type { CompiledPolicy } from '#access/compile.ts';
import { describeSubject, parseServiceAccount, serviceAccountUsername } from '#access/identity.ts';
import { mayBeSamePerson } from '#access/rbac/same-person.ts';
import type { Decision, Target } from '#access/request.ts';
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import { ACCESS_LEVELS } from '#api/roles.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import { ask, describeAct, describeObject, describeTarget, refusalOf } from '../ask.ts';
import type { AdmissionRequest, UserInfo } from '../request.ts';
import type { RuleContext } from '../rule.ts';
import { refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { deniesNoLess, givesNoMore } from './policy-width.ts';

/** Given only by who holds them there, at that level. */
export const SENSITIVE: readonly Permission[] = [
  'AccessSecrets',
  'ManageUsers',
  'EmergencyOverride',
  'TransferFunds',
];

export interface PolicyChange {
  /** Absent: it is created. */
  readonly before?: AccessPolicy;
  /** Absent: it is deleted. */
  readonly after?: AccessPolicy;
}

type Scope = Target & { readonly kind: 'Scope' };

/** The first rule of granting that the change breaks; otherwise the decisions that let it pass. */
export function checkGranting(
  request: AdmissionRequest,
  context: RuleContext,
  change: PolicyChange,
): Verdict | readonly Decision[] {
  const { before, after } = change;
  const decisions: Decision[] = [];
  const manage = ACTIONS['manage-users'];
  for (const target of administered(change, context)) {
    const decision = ask(request, context, manage, target);
    if (!decision.allowed) return refusalOf(request, describeAct(request), decision, target);
    decisions.push(decision);
  }
  const self = checkSelf(request, change);
  if (self !== undefined) return self;
  for (const { policy, act, levelOf } of givenAway(change, context)) {
    for (const permission of SENSITIVE) {
      const level = levelOf(permission);
      if (level === undefined) continue;
      for (const target of targetsOf(policy)) {
        const missing = checkHeld(request, context, { permission, level, target, policy, act });
        if (missing !== undefined) return missing;
      }
    }
  }
  const fault = after === undefined ? undefined : faultOf(after, before);
  if (fault !== undefined) {
    return refuse('Invalid', `${describeObject(request)}: ${fault}`, { code: 422 });
  }
  return decisions;
}

/** Every namespace and environment that a policy is about; all of them where that is not clear. */
export function targetsOf(policy: AccessPolicy): readonly Scope[] {
  const { namespaces, environments, faults } = compilePolicy(policy);
  const isClear = faults.length === 0 && environments.length > 0 && namespaces.length > 0;
  if (!isClear) return [{ kind: 'Scope', namespace: '*', environment: '*' }];
  const named = namespaces === '*' ? ['*'] : namespaces;
  return named.flatMap((namespace) =>
    environments.map((environment) => ({
      kind: 'Scope' as const,
      namespace,
      environment: environment as Scope['environment'],
    })),
  );
}

/** Where a change is felt: where the credentials are, and where the pods of its network are. */
function administered({ before, after }: PolicyChange, { world }: RuleContext): readonly Scope[] {
  const targets = new Map<string, Scope>();
  for (const policy of [before, after]) {
    if (policy === undefined) continue;
    for (const target of targetsOf(policy)) targets.set(describeTarget(target), target);
    if (policy.spec.network === undefined) continue;
    for (const { kind, namespace } of compilePolicy(policy).subjects) {
      if (kind !== 'ServiceAccount' || namespace === undefined) continue;
      const environment = world.namespace(namespace)?.environment ?? '*';
      const target: Scope = { kind: 'Scope', namespace, environment };
      targets.set(describeTarget(target), target);
    }
  }
  return [...targets.values()];
}

function checkSelf(
  request: AdmissionRequest,
  { before, after }: PolicyChange,
): Verdict | undefined {
  const object = describeObject(request);
  const { userInfo } = request;
  if (after !== undefined) {
    const own = ownGain(after, before, userInfo);
    if (own !== undefined) {
      return refuse(
        'SelfGrant',
        `${object}: spec.subjects names ${describeSubject(own)}, which is ${userInfo.username} asking: nobody gives to themselves, also not through a group. Somebody else who holds ManageUsers there has to write it`,
      );
    }
  }
  if (before !== undefined && isLifted(before, after)) {
    const own = ownSubject(before, userInfo);
    if (own !== undefined) {
      return refuse(
        'SelfGrant',
        `${object}: it denies ${describeSubject(own)}, which is ${userInfo.username} asking: nobody takes a Deny off themselves. Somebody else who holds ManageUsers there has to do it`,
      );
    }
  }
  return undefined;
}

/** The subject by which the requester would get something new: rights, or a network for their pods. */
function ownGain(
  after: AccessPolicy,
  before: AccessPolicy | undefined,
  user: UserInfo,
): Subject | undefined {
  if (isGranted(after, before)) {
    const own = ownSubject(after, user);
    if (own !== undefined) return own;
  }
  if (isDeepStrictEqual(after.spec.network, before?.spec.network)) return undefined;
  const own = ownSubject(after, { ...user, groups: [] });
  return own !== undefined && parseServiceAccount(user.username) !== undefined ? own : undefined;
}

function isGranted(after: AccessPolicy, before: AccessPolicy | undefined): boolean {
  const { effect, permissions } = compilePolicy(after);
  if (effect === 'Deny' || permissions === 0) return false;
  return before === undefined || !givesNoMore(after, before);
}

function isLifted(before: AccessPolicy, after: AccessPolicy | undefined): boolean {
  const { effect, permissions } = compilePolicy(before);
  if (effect === 'Allow' || permissions === 0) return false;
  return after === undefined || !deniesNoLess(after, before);
}

function ownSubject(policy: AccessPolicy, { username, groups }: UserInfo): Subject | undefined {
  return compilePolicy(policy).subjects.find(({ kind, name, namespace = '' }) => {
    if (kind === 'Group') return groups.includes(name);
    return username === (kind === 'User' ? name : serviceAccountUsername(namespace, name));
  });
}

interface GivenAway {
  readonly policy: AccessPolicy;
  readonly act: string;
  /** At which level a permission is given; undefined when it is not. */
  readonly levelOf: (permission: Permission) => AccessLevel | undefined;
}

function givenAway({ before, after }: PolicyChange, context: RuleContext): readonly GivenAway[] {
  const given: GivenAway[] = [];
  if (after !== undefined && isGranted(after, before)) {
    const compiled = compilePolicy(after);
    const levelOf = (permission: Permission) => ACCESS_LEVELS[compiled.rank(permission)];
    given.push({ policy: after, act: 'to give', levelOf });
  }
  if (before !== undefined && isLifted(before, after)) {
    const denied = compilePolicy(before);
    const levelOf = (permission: Permission) => restoredLevel(denied, permission, context);
    given.push({ policy: before, act: 'to give back', levelOf });
  }
  return given;
}

/** The greatest level that somebody gets back when a Deny goes, and at least its own. */
function restoredLevel(
  denied: CompiledPolicy,
  permission: Permission,
  { world }: RuleContext,
): AccessLevel | undefined {
  const own = denied.rank(permission);
  if (own === -1) return undefined;
  const restored = world
    .policyIndex()
    .policies.filter(
      (policy) =>
        policy.effect === 'Allow' && policy.rank(permission) > own && mayConcern(policy, denied),
    )
    .map((policy) => policy.rank(permission));
  return ACCESS_LEVELS[Math.max(own, ...restored)];
}

function mayConcern(allow: CompiledPolicy, deny: CompiledPolicy): boolean {
  const isNear =
    allow.namespaces === '*'
      ? deny.overlaps('*', '*')
      : allow.namespaces.some((namespace) => deny.overlaps(namespace, '*'));
  return (
    isNear &&
    allow.subjects.some((one) => deny.subjects.some((other) => mayBeSamePerson(one, other)))
  );
}

interface Giving {
  readonly permission: Permission;
  readonly level: AccessLevel;
  readonly target: Scope;
  readonly policy: AccessPolicy;
  readonly act: string;
}

function checkHeld(
  request: AdmissionRequest,
  context: RuleContext,
  { permission, level, target, policy, act }: Giving,
): Verdict | undefined {
  const decision = ask(request, context, holdingOf(permission, level), target);
  const what = `${describeObject(request)}: ${act} ${permission} at ${level}`;
  if (!decision.allowed) {
    const { message = '', ...refusal } = refusalOf(request, what, decision, target);
    return { ...refusal, reason: 'BeyondOwnRights', message };
  }
  const { constraints } = policy.spec;
  const isKept = decision.rules.some(({ policy: name }) => {
    const held = context.world.policy(name)?.spec.constraints;
    return held === undefined || isDeepStrictEqual(held, constraints);
  });
  if (isKept || decision.reason === 'SystemMasters') return undefined;
  const names = decision.rules.map(({ policy: name }) => name).join(', ');
  return refuse(
    'BeyondOwnRights',
    `${what} without the constraints of AccessPolicy ${names}, under which ${request.userInfo.username} holds it over ${describeTarget(target)}, is not possible; give spec.constraints the same value, or let somebody write it who holds it without`,
  );
}

/** The same objects each time: the evaluator keeps what it found out about an action. */
const holdings = new Map<string, Action>();

function holdingOf(permission: Permission, level: AccessLevel): Action {
  const key = `${permission}/${level}`;
  const known = holdings.get(key);
  if (known !== undefined) return known;
  const description = `give ${permission} at ${level}`;
  const made = { name: 'grant', anyOf: [permission], level, description };
  holdings.set(key, made);
  return made;
}

/** A part that is not understood grants nothing now, and could grant anything after an upgrade. */
function faultOf(after: AccessPolicy, before: AccessPolicy | undefined): string | undefined {
  const { faults } = compilePolicy(after);
  if (faults.length === 0 || isDeepStrictEqual(after.spec, before?.spec)) return undefined;
  return `${faults.join('; ')}; leave away what this version does not know`;
}
