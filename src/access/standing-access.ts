/**
 * What policies give at all times, which is all that RBAC may stand for: it knows no time and no
 * address. An Allow under a constraint gives nothing of that kind; a Deny under one always counts.
 */
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import { ACTIONS } from './actions.ts';
import type { Action } from './actions.ts';
import { decide } from './decide.ts';
import { identityOf } from './identity.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { Target } from './request.ts';
import type { OwnWrite, RbacSnapshot } from './weaknesses/find-weaknesses.ts';

export type ExpectedAccess = Pick<RbacSnapshot, 'isExpectedReader' | 'isExpectedWriter'>;

export function expectedAccess(policies: readonly AccessPolicy[]): ExpectedAccess {
  const index = createPolicyIndex(policies.flatMap(standingPolicy));
  const isAllowed = (subject: Subject, action: Action, target: Target): boolean =>
    // Without constraints the time does not matter.
    decide(index, { identity: identityOf(subject), action, target, atMs: 0 }).allowed;
  return {
    isExpectedReader: (subject, credential) =>
      isAllowed(subject, ACTIONS.retrieve, { kind: 'Credential', credential }),
    isExpectedWriter(subject, namespace, write) {
      const action = actionOf(write);
      if (action === undefined) return false;
      return isAllowed(subject, action, { kind: 'Scope', namespace, environment: '*' });
    },
  };
}

function standingPolicy(policy: AccessPolicy): readonly AccessPolicy[] {
  const { constraints, ...spec } = policy.spec;
  if (constraints === undefined) return [policy];
  return spec.effect === 'Deny' ? [{ ...policy, spec }] : [];
}

/** The act that a write of one of our kinds is; undefined for writes that no policy gives. */
function actionOf({ resource, verb }: OwnWrite): Action | undefined {
  if (resource === 'accesspolicies') return ACTIONS['manage-users'];
  if (resource === 'ipblocks') return ACTIONS['manage-network-blocks'];
  if (resource !== 'exchangecredentials') return undefined;
  if (verb === 'create' || verb === 'update' || verb === 'patch') return ACTIONS.update;
  return verb === 'delete' ? ACTIONS.delete : undefined;
}
