/** Who may create, change and delete ExchangeCredentials. */
import { ACTIONS } from '#access/actions.ts';
import { factsOf } from '#access/facts.ts';
import type { Decision, Target } from '#access/request.ts';
import { FINALIZER } from '#api/names.ts';
import { MAX_SEALED_LENGTH } from '#api/fields.ts';
import { ask, describeObject, policiesOf, refusalOf } from '../ask.ts';
import { emergencyUseOfCredential } from '../emergency-use.ts';
import { isClusterDeletion, isCollectorUpdate } from '../exemptions.ts';
import { checkStamps } from '../identity-stamp.ts';
import type { AdmissionRequest } from '../request.ts';
import { isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { warn } from '../warn.ts';
import { creationNeeds, credentialChanges } from './credential-changes.ts';
import type { CredentialChange } from './credential-changes.ts';
import { readCredential } from './read-own.ts';
import type { Credential } from './read-own.ts';

/**
 * What changed decides what is needed, over the object as it was and as it would be: so nobody moves
 * a credential into or out of a policy's reach to do more with it.
 */
export const exchangeCredentialRule: Rule = (request, context) => {
  if (isOperator(request.userInfo, context.settings)) return ALLOWED;
  switch (request.operation) {
    case 'CREATE':
      return create(request, context);
    case 'UPDATE':
      return update(request, context);
    case 'DELETE':
      return remove(request, context);
    case 'CONNECT':
      return refuse('NotUnderstood', 'ExchangeCredentials cannot be connected to');
  }
};

function create(request: AdmissionRequest, context: RuleContext): Verdict {
  const created = readCredential(request.object);
  if (created === undefined) return unreadable(request);
  const fault = checkStamps(request) ?? checkEnvironment(request, context, created);
  if (fault !== undefined) return fault;
  const foreign = checkSecrets(request, context, created, undefined);
  if (foreign !== undefined) return foreign;
  const target = targetOf(request, created);
  const verdict = decideAll(request, context, creationNeeds(created), [target]);
  return withWarnings(verdict, sealedWarnings(created));
}

function update(request: AdmissionRequest, context: RuleContext): Verdict {
  const { object, oldObject } = request;
  const fault = checkStamps(request) ?? checkFinalizer(request);
  if (fault !== undefined) return fault;
  if (isCollectorUpdate(request)) return ALLOWED;
  const after = readCredential(object);
  if (after === undefined) return unreadable(request);
  const before = readCredential(oldObject);
  const targets = [oldTarget(request, before), targetOf(request, after)];
  if (before === undefined) {
    // What it was cannot be told, so that whoever changes it could do anything there.
    return decideAll(
      request,
      context,
      [{ field: 'spec', action: ACTIONS.delete, byEmergency: false }],
      targets,
    );
  }
  if (before.spec.environment !== after.spec.environment) {
    const mismatch = checkEnvironment(request, context, after);
    if (mismatch !== undefined) return mismatch;
  }
  const foreign = checkSecrets(request, context, after, before);
  if (foreign !== undefined) return foreign;
  const verdict = decideAll(request, context, credentialChanges(before, after), targets);
  return withWarnings(verdict, sealedWarnings(after, before));
}

function remove(request: AdmissionRequest, context: RuleContext): Verdict {
  if (isClusterDeletion(request)) return ALLOWED;
  const target = oldTarget(request, readCredential(request.oldObject));
  return decideAll(
    request,
    context,
    [{ field: 'delete', action: ACTIONS.delete, byEmergency: false }],
    [target],
  );
}

/** All of it must be allowed; what an EmergencyAccess allows counts where no policy does. */
function decideAll(
  request: AdmissionRequest,
  context: RuleContext,
  changes: readonly CredentialChange[],
  targets: readonly Target[],
): Verdict {
  const decisions: Decision[] = [];
  const { namespace = '' } = request;
  const name = request.oldObject?.metadata.name ?? request.name;
  let emergencyAccess: string | undefined;
  for (const { field, action, byEmergency } of changes) {
    for (const target of targets) {
      const decision = ask(request, context, action, target);
      if (decision.allowed) {
        decisions.push(decision);
        continue;
      }
      const use = byEmergency
        ? emergencyUseOfCredential(request, context, namespace, name)
        : undefined;
      if (use === undefined) {
        const refusal = refusalOf(request, describeChange(request, field), decision, target);
        const isOfNoUse =
          !byEmergency && emergencyUseOfCredential(request, context, namespace, name) !== undefined;
        return isOfNoUse ? beyondEmergency(refusal, field) : refusal;
      }
      emergencyAccess = use;
    }
  }
  const policies = policiesOf(decisions);
  return {
    allowed: true,
    ...(policies.length > 0 && { policies }),
    ...(emergencyAccess !== undefined && { emergencyAccess }),
  };
}

/** Somebody who is let in for a time should not wonder why that is not enough. */
function beyondEmergency(refusal: Verdict, field: string): Verdict {
  const { message = '' } = refusal;
  return {
    ...refusal,
    message: `${message}. Your EmergencyAccess does not cover ${field}, which would outlast it: it lets you change the spec, rotate, roll back, revoke and suspend`,
  };
}

function describeChange(request: AdmissionRequest, field: string): string {
  const isWhole = field === 'create' || field === 'delete';
  return `${describeObject(request)}: to ${isWhole ? `${field} it` : `change ${field}`}`;
}

function targetOf({ namespace = '' }: AdmissionRequest, credential: Credential): Target {
  return { kind: 'Credential', credential: { ...factsOf(credential), namespace } };
}

function oldTarget(request: AdmissionRequest, credential: Credential | undefined): Target {
  if (credential !== undefined) return targetOf(request, credential);
  return { kind: 'Scope', namespace: request.namespace ?? '', environment: '*' };
}

function unreadable(request: AdmissionRequest): Verdict {
  return refuse(
    'Invalid',
    `${describeObject(request)}: spec.environment must be Development, Staging or Production, and spec.source and spec.delivery objects`,
    { code: 422 },
  );
}

/** The controller holds it back, too; here whoever writes it is told at once. */
function checkEnvironment(
  request: AdmissionRequest,
  { world }: RuleContext,
  { spec }: Credential,
): Verdict | undefined {
  const environment = world.namespace(request.namespace ?? '')?.environment;
  if (environment === undefined || environment === spec.environment) return undefined;
  return refuse(
    'Invalid',
    `${describeObject(request)}: spec.environment is ${spec.environment}, but namespace ${request.namespace ?? ''} is of ${environment} (label strongroom.dev/environment); use a namespace of ${spec.environment}`,
    { code: 422 },
  );
}

function checkFinalizer(request: AdmissionRequest): Verdict | undefined {
  const has = (object: AdmissionRequest['object']) =>
    object?.metadata.finalizers?.includes(FINALIZER) === true;
  if (!has(request.oldObject) || has(request.object)) return undefined;
  return refuse(
    'NotGranted',
    `${describeObject(request)}: finalizer ${FINALIZER} is taken off by the operator alone, once spec.deletionPolicy is carried out; leave it there and look at the condition Ready`,
  );
}

/**
 * A Secret that holds the value of another credential is read, and mounted, by who may do that with
 * both: so naming it takes as much right over that other one.
 */
function checkSecrets(
  request: AdmissionRequest,
  context: RuleContext,
  after: Credential,
  before: Credential | undefined,
): Verdict | undefined {
  const { namespace = '' } = request;
  const name = after.metadata.name;
  for (const [field, read] of SECRET_FIELDS) {
    const secret = read(after);
    if (typeof secret !== 'string') continue;
    if (before !== undefined && read(before) === secret) continue;
    for (const other of context.world.credentialsOfSecret(namespace, secret)) {
      if (other.metadata.name === name) continue;
      const target: Target = { kind: 'Credential', credential: factsOf(other) };
      for (const action of [ACTIONS.retrieve, ACTIONS.update]) {
        const decision = ask(request, context, action, target);
        if (decision.allowed) continue;
        return refusalOf(
          request,
          `${describeObject(request)}: ${field} is ${JSON.stringify(secret)}, the Secret of ExchangeCredential ${other.metadata.name}, and to name it`,
          decision,
          target,
        );
      }
    }
  }
  return undefined;
}

const SECRET_FIELDS: readonly (readonly [string, (credential: Credential) => unknown])[] = [
  ['spec.source.secretRef.name', ({ spec }) => spec.source.secretRef?.name],
  ['spec.delivery.secret.name', ({ spec }) => spec.delivery.secret?.name],
];

/** From here on a value that grows a little does not fit any more. */
const NEAR = 0.9;

function sealedWarnings(after: Credential, before?: Credential): readonly string[] {
  const { sealed } = after.spec.source;
  if (typeof sealed !== 'object' || sealed === null) return [];
  return Object.entries(sealed).flatMap(([field, value]: [string, unknown]) => {
    if (typeof value !== 'string' || value.length < MAX_SEALED_LENGTH * NEAR) return [];
    if (before?.spec.source.sealed?.[field] === value) return [];
    return [
      warn(
        `spec.source.sealed.${field} has ${value.length} characters, and ${MAX_SEALED_LENGTH} are the most: a slightly longer value will be refused`,
      ),
    ];
  });
}

function withWarnings(verdict: Verdict, warnings: readonly string[]): Verdict {
  return verdict.allowed && warnings.length > 0 ? { ...verdict, warnings } : verdict;
}
