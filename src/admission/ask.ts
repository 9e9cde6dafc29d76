/** Asks the evaluator, and says in words why it said no. */
import type { Action } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import type { Decision, Target } from '#access/request.ts';
import type { AdmissionRequest } from './request.ts';
import { identityOf } from './requester.ts';
import type { RuleContext } from './rule.ts';
import type { Verdict } from './verdict.ts';
import { refuse } from './verdict.ts';

/** Admission knows no address of the requester: policies with source ranges do not allow here. */
export function ask(
  { userInfo }: Pick<AdmissionRequest, 'userInfo'>,
  { world, nowMs }: Pick<RuleContext, 'world' | 'nowMs'>,
  action: Action,
  target: Target,
): Decision {
  return decide(world.policyIndex(), {
    identity: identityOf(userInfo),
    action,
    target,
    atMs: nowMs,
  });
}

/** Names of the policies that decided, each once. */
export function policiesOf(decisions: readonly Decision[]): readonly string[] {
  return [...new Set(decisions.flatMap(({ rules }) => rules.map(({ policy }) => policy)))].sort();
}

/**
 * The refusal for a decision that is no. `what` names object and field, and goes on with "needs":
 * `ExchangeCredential trading/maker: to change spec.account`.
 */
export function refusalOf(
  request: Pick<AdmissionRequest, 'userInfo'>,
  what: string,
  decision: Decision,
  target: Target,
): Verdict {
  const { needs, reason } = decision;
  const username = request.userInfo.username === '' ? '(nobody)' : request.userInfo.username;
  const needed = `needs ${needs.anyOf.join(' or ')} at ${needs.level} over ${describeTarget(target)}`;
  const policies = policiesOf([decision]);
  return reason === 'Denied'
    ? refuse(
        'Denied',
        `${what} ${needed}; AccessPolicy ${policies.join(', ')} (Deny) takes it from ${username}`,
        { policies },
      )
    : refuse(
        'NotGranted',
        `${what} ${needed}; no AccessPolicy gives that to ${username}. Whoever holds ManageUsers there can grant it`,
      );
}

/** `trading/maker in Production`, or `everything in namespace trading, Production`. */
export function describeTarget(target: Target): string {
  switch (target.kind) {
    case 'Credential': {
      const { namespace, name, environment } = target.credential;
      return `${namespace}/${name} in ${environment}`;
    }
    case 'Unknown':
      return `${target.namespace}/${target.name}`;
    case 'Scope': {
      const where = target.namespace === '*' ? 'every namespace' : `namespace ${target.namespace}`;
      const environment =
        target.environment === '*' ? 'every environment' : `environment ${target.environment}`;
      return `everything in ${where}, ${environment}`;
    }
  }
}

/** `ExchangeCredential trading/maker`: the object of a request, for messages. */
export function describeObject({
  kind,
  namespace,
  name,
  object,
  oldObject,
}: AdmissionRequest): string {
  const metadata = object?.metadata ?? oldObject?.metadata;
  const own = name || metadata?.name || `${metadata?.generateName ?? ''}…`;
  return namespace === undefined || namespace === '' || kind.kind === 'Namespace'
    ? `${kind.kind} ${own}`
    : `${kind.kind} ${namespace}/${own}`;
}

/** `IPBlock a: to change it`, such that it goes on with what that needs. */
export function describeAct(request: AdmissionRequest): string {
  const verb = { CREATE: 'create', UPDATE: 'change', DELETE: 'delete', CONNECT: 'connect to' };
  return `${describeObject(request)}: to ${verb[request.operation]} it`;
}
