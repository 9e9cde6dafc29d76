/** The RBAC of others that lets somebody round the policies, as far as the person may see it. */
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import { createPolicyIndex } from '#access/policy-index.ts';
import { policyOfName } from '#access/rbac/objects.ts';
import { findWeaknesses } from '#access/weaknesses/find-weaknesses.ts';
import type { Weakness } from '#access/weaknesses/find-weaknesses.ts';
import { identityOf } from '#access/who-can.ts';
import type { RbacFound } from '#cli/access-world.ts';
import type { RbacSubject } from '#kube/objects.ts';

/** Of the chart; whoever gives the operator another one sees it listed, which harms nobody. */
const OPERATOR_SERVICE_ACCOUNT = 'strongroom-operator';

export function weaknessesIn(
  rbac: RbacFound,
  policies: readonly AccessPolicy[],
  credentials: readonly ExchangeCredential[],
  operatorNamespace: string,
  atMs: number,
): readonly Weakness[] {
  const standing = createPolicyIndex(policies.flatMap(standingPolicy));
  const uids = new Map(policies.map(({ metadata }) => [metadata.name, metadata.uid]));
  const found = findWeaknesses({
    roles: rbac.roles,
    clusterRoles: rbac.clusterRoles,
    roleBindings: rbac.roleBindings,
    clusterRoleBindings: rbac.clusterRoleBindings,
    namespaces: rbac.namespaces,
    operatorNamespace,
    operatorServiceAccount: OPERATOR_SERVICE_ACCOUNT,
    deliveredSecrets: (namespace) =>
      credentials
        .filter(({ metadata }) => metadata.namespace === namespace)
        .flatMap((credential) => {
          const name = secretOf(credential);
          return name === undefined ? [] : [{ name, credential: factsOf(credential) }];
        }),
    isExpectedReader: (subject, credential) =>
      decide(standing, {
        identity: identityOf(policySubject(subject)),
        action: ACTIONS.retrieve,
        target: { kind: 'Credential', credential },
        atMs,
      }).allowed,
    isExpectedWriter: (subject, namespace) =>
      decide(standing, {
        identity: identityOf(policySubject(subject)),
        action: ACTIONS.update,
        target: { kind: 'Scope', namespace, environment: '*' },
        atMs,
      }).allowed,
    // By the UID too: anybody may give a Role of theirs such a name.
    isOwn: ({ metadata }) => {
      const policy = policyOfName(metadata.name);
      if (policy === undefined) return false;
      const uid = uids.get(policy);
      return uid !== undefined && (metadata.ownerReferences ?? []).some((o) => o.uid === uid);
    },
  });
  return [...found].sort(
    (a, b) =>
      Number(a.namespace === '*') - Number(b.namespace === '*') ||
      a.severity.localeCompare(b.severity),
  );
}

/**
 * RBAC knows no time and no address: an Allow under a constraint gives nothing that RBAC may stand
 * for, and a Deny under one counts always.
 */
function standingPolicy(policy: AccessPolicy): readonly AccessPolicy[] {
  const { constraints, ...spec } = policy.spec;
  if (constraints === undefined) return [policy];
  return spec.effect === 'Deny' ? [{ ...policy, spec }] : [];
}

/** Where the operator has looked, what it delivered; in a manifest, what it will deliver. */
function secretOf({ spec, status }: ExchangeCredential): string | undefined {
  return status === undefined ? spec.delivery.secret?.name : status.delivery?.secretName;
}

/** A kind that policies do not know is nobody to them. */
function policySubject({ kind, name, namespace }: RbacSubject): Subject {
  if (kind === 'Group') return { kind, name };
  if (kind === 'ServiceAccount' && namespace !== undefined) return { kind, name, namespace };
  return { kind: 'User', name: kind === 'User' ? name : '' };
}
