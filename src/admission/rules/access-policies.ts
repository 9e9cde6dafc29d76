/** Who may write AccessPolicies. */
import { isDeepStrictEqual } from 'node:util';
import { ACTIONS } from '#access/actions.ts';
import { compilePolicy } from '#access/compile.ts';
import type { CompiledPolicy } from '#access/compile.ts';
import { describeSubject } from '#access/identity.ts';
import { rankOf } from '#access/levels.ts';
import { oddityOf, skeletonOf } from '#access/look-alikes.ts';
import type { Target } from '#access/request.ts';
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import { ask, describeObject, policiesOf, refusalOf } from '../ask.ts';
import { isClusterDeletion, isCollectorUpdate } from '../exemptions.ts';
import { checkStamps } from '../identity-stamp.ts';
import { isLive } from '../former-secrets.ts';
import { accountNameOf, templateOf } from '../pods/pod-template.ts';
import type { AdmissionRequest } from '../request.ts';
import { identityOf, isMaster, isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { warn } from '../warn.ts';
import { accountRights } from '../what-account-may.ts';
import { checkGranting } from './granting.ts';
import type { PolicyChange } from './granting.ts';
import { losesLastAdministrator } from './last-administrator.ts';
import { changedMetadata, isUnchanged } from './metadata-changes.ts';
import { readPolicy } from './read-own.ts';

export const accessPolicyRule: Rule = (request, context) => {
  const { operation, userInfo, object, oldObject } = request;
  if (isOperator(userInfo, context.settings)) return ALLOWED;
  if (operation === 'CONNECT') {
    return refuse('NotUnderstood', 'AccessPolicies cannot be connected to');
  }
  if (isClusterDeletion(request) || isCollectorUpdate(request)) return ALLOWED;
  const before = readPolicy(oldObject);
  const after = operation === 'DELETE' ? undefined : readPolicy(object);
  if (operation !== 'DELETE') {
    if (after === undefined) {
      return refuse('Invalid', `${describeObject(request)}: spec is missing`, { code: 422 });
    }
    const fault = checkStamps(request);
    if (fault !== undefined) return fault;
    if (operation === 'UPDATE' && isUnchanged(oldObject, object)) return ALLOWED;
  }
  if (before === undefined && operation !== 'CREATE') {
    // What it was cannot be told, so that it may have been about anything.
    const decision = ask(request, context, ACTIONS['manage-users'], EVERYTHING);
    if (!decision.allowed) {
      const what = `${describeObject(request)}: to change what cannot be read`;
      return refusalOf(request, what, decision, EVERYTHING);
    }
  }
  const warnings = after === undefined ? [] : warningsOf(after, before, request, context);
  const change: PolicyChange = {
    ...(before !== undefined && { before }),
    ...(after !== undefined && { after }),
  };
  const verdict = isBootstrap(request, context, after) ? ALLOWED : judge(request, context, change);
  return warnings.length === 0 ? verdict : { ...verdict, warnings };
};

const EVERYTHING: Target = { kind: 'Scope', namespace: '*', environment: '*' };

function judge(request: AdmissionRequest, context: RuleContext, change: PolicyChange): Verdict {
  const granting = checkGranting(request, context, change);
  if (!Array.isArray(granting)) return granting as Verdict;
  const removal = removalBy(request, change);
  if (removal !== undefined) {
    const deleting = checkGranting(request, context, removal);
    if (!Array.isArray(deleting)) return deleting as Verdict;
  }
  const requester = identityOf(request.userInfo);
  // Of a deletion of many at once each is asked about by itself, and the others may all go, too.
  const isOneOfMany = request.operation === 'DELETE' && request.name === '';
  const policies = isOneOfMany ? [] : context.world.policies();
  for (const one of [change, ...(removal === undefined ? [] : [removal])]) {
    if (!losesLastAdministrator(policies, one, requester)) continue;
    return refuse(
      'LastAdministrator',
      `${describeObject(request)}: after this nobody would be sure to hold ManageUsers at Admin over every namespace and environment, at all times and with no Deny about them. Give it to somebody by another AccessPolicy first${isOneOfMany ? ', and delete this one by its name' : ''}; only system:masters may go without`,
    );
  }
  return { allowed: true, policies: policiesOf(granting) };
}

/** A policy that gets an owner goes with it, and nobody is asked then: so it is asked now. */
function removalBy(
  { object, oldObject }: AdmissionRequest,
  { after }: PolicyChange,
): PolicyChange | undefined {
  if (object === undefined || after === undefined) return undefined;
  if ((object.metadata.ownerReferences ?? []).length === 0) return undefined;
  const isNew =
    oldObject === undefined ||
    changedMetadata(oldObject.metadata, object.metadata).includes('ownerReferences');
  return isNew ? { before: after } : undefined;
}

/** The first policy, as the values of the chart have it: nobody could be allowed to write it. */
const BOOTSTRAP = 'strongroom-bootstrap';

function isBootstrap(
  request: AdmissionRequest,
  { world, settings }: RuleContext,
  after: AccessPolicy | undefined,
): boolean {
  const { bootstrapSubjects = [] } = settings;
  if (request.operation !== 'CREATE' || after?.metadata.name !== BOOTSTRAP) return false;
  if (bootstrapSubjects.length === 0 || world.policies().length > 0) return false;
  return isDeepStrictEqual(after.spec, bootstrapSpec(bootstrapSubjects));
}

/** As the chart writes it. */
export function bootstrapSpec(subjects: readonly Subject[]): AccessPolicy['spec'] {
  return {
    subjects,
    roles: ['SecurityAdmin'],
    accessLevel: 'Admin',
    environments: ['Development', 'Staging', 'Production'],
    credentials: { namespaces: ['*'] },
  };
}

function warningsOf(
  after: AccessPolicy,
  before: AccessPolicy | undefined,
  request: AdmissionRequest,
  context: RuleContext,
): readonly string[] {
  if (before !== undefined && isDeepStrictEqual(before.spec, after.spec)) return [];
  const compiled = compilePolicy(after);
  const { effect, permissions, namespaces, subjects, environments } = compiled;
  const warnings: string[] = [];
  const verb = effect === 'Deny' ? 'denies' : 'grants';
  if (permissions === 0 && after.spec.network === undefined) {
    warnings.push(`The policy ${verb} nothing: it has neither roles nor permissions.`);
  } else if (subjects.length === 0) {
    warnings.push(`The policy ${verb} nothing: it names no subject.`);
  }
  const isEverything = environments.some((environment) => compiled.covers('*', environment));
  if (namespaces === '*' && isEverything && permissions !== 0) {
    warnings.push(
      `The policy selects every credential of ${environments.join(', ')}, also those to come.`,
    );
  }
  warnings.push(
    ...bootstrapWarnings(after, request, context),
    ...nameWarnings(after, context),
    ...runningWarnings(compiled, context),
  );
  return warnings.map(warn);
}

/** Whoever made them was asked nothing, as long as no policy gave their account anything. */
function runningWarnings(
  { effect, permissions, subjects }: CompiledPolicy,
  { world }: RuleContext,
): readonly string[] {
  if (effect === 'Deny' || permissions === 0) return [];
  return subjects.flatMap(({ kind, namespace = '', name }) => {
    if (kind !== 'ServiceAccount') return [];
    if (accountRights(world.policyIndex(), namespace, name).length > 0) return [];
    const running = world.pods(namespace).filter((pod) => {
      const template = templateOf('pods', pod);
      return isLive(pod) && template !== undefined && accountNameOf(template) === name;
    });
    const [first] = running;
    if (first === undefined) return [];
    const others = running.length === 1 ? '' : ` and ${running.length - 1} more`;
    return [
      `Pod ${first.metadata.name}${others} run already as ServiceAccount ${namespace}/${name}: they get what this gives it, and nobody asked who made them.`,
    ];
  });
}

function bootstrapWarnings(
  after: AccessPolicy,
  { userInfo }: AdmissionRequest,
  { world }: RuleContext,
): readonly string[] {
  if (!isMaster(userInfo) || world.policies().length > 0) return [];
  const { effect, rank } = compilePolicy(after);
  const isAdministrative = effect === 'Allow' && rank('ManageUsers') >= rankOf('Admin');
  return [
    isAdministrative
      ? 'This is the first AccessPolicy: from now on its subjects write the others, and system:masters need not.'
      : 'This is the first AccessPolicy, and it gives nobody ManageUsers at Admin: nobody but system:masters may write others.',
  ];
}

/** A subject of another policy whose name reads the same, and is not. */
function nameWarnings(after: AccessPolicy, { world }: RuleContext): readonly string[] {
  const { subjects } = compilePolicy(after);
  const wanted = new Map(subjects.map((subject) => [subjectSkeleton(subject), subject]));
  const twins = new Map<Subject, Subject>();
  for (const policy of world.policyIndex().policies) {
    if (policy.name === after.metadata.name) continue;
    const known = skeletonsOf(policy);
    for (const [skeleton, subject] of wanted) {
      const other = known.get(skeleton);
      if (other !== undefined && subject.name !== other.name) twins.set(subject, other);
    }
  }
  return subjects.flatMap((subject) => {
    const twin = twins.get(subject);
    const oddity = oddityOf(subject.name);
    const who = describeSubject(subject);
    if (twin !== undefined) return [`${who} is easily taken for ${describeSubject(twin)}.`];
    return oddity === undefined ? [] : [`${who} ${oddity}.`];
  });
}

/** Made once for a policy: thousands of them are compared with each that is written. */
const skeletons = new WeakMap<CompiledPolicy, ReadonlyMap<string, Subject>>();

function skeletonsOf(policy: CompiledPolicy): ReadonlyMap<string, Subject> {
  const known = skeletons.get(policy);
  if (known !== undefined) return known;
  const made = new Map(policy.subjects.map((subject) => [subjectSkeleton(subject), subject]));
  skeletons.set(policy, made);
  return made;
}

function subjectSkeleton({ kind, name, namespace = '' }: Subject): string {
  return `${kind} ${namespace}/${skeletonOf(name)}`;
}
