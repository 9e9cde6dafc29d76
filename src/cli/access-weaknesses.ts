/** The RBAC of others that lets somebody round the policies, as far as the person may see it. */
import type { AccessPolicy } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { factsOf } from '#access/facts.ts';
import { standsForActive } from '#access/emergency/stands-for.ts';
import { policyOfName } from '#access/rbac/objects.ts';
import { expectedAccess } from '#access/standing-access.ts';
import { findWeaknesses } from '#access/weaknesses/find-weaknesses.ts';
import type { Weakness } from '#access/weaknesses/find-weaknesses.ts';
import type { RbacFound } from '#cli/access-world.ts';
import type { Role, RoleBinding } from '#kube/objects.ts';

/** Of the chart; whoever gives the operator another one sees it listed, which harms nobody. */
const OPERATOR_SERVICE_ACCOUNT = 'strongroom-operator';

export function weaknessesIn(
  rbac: RbacFound,
  policies: readonly AccessPolicy[],
  credentials: readonly ExchangeCredential[],
  operatorNamespace: string,
  nowMs: number,
): readonly Weakness[] {
  const isForEmergency = (object: Role | RoleBinding): boolean =>
    standsForActive(
      object,
      rbac.emergencyAccesses,
      credentials
        .filter(({ metadata }) => metadata.namespace === object.metadata.namespace)
        .map((credential) => {
          const deliveredSecret = secretOf(credential);
          return {
            name: credential.metadata.name,
            ...(deliveredSecret === undefined ? {} : { deliveredSecret }),
          };
        }),
      nowMs,
    );
  const uids = new Map(policies.map(({ metadata }) => [metadata.name, metadata.uid]));
  const found = findWeaknesses({
    ...expectedAccess(policies),
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
    // By the UID too: anybody may give a Role of theirs such a name.
    isForEmergency,
    isOwn: (object) => {
      const { metadata } = object;
      const policy = policyOfName(metadata.name);
      if (policy === undefined) return isForEmergency(object);
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

/** Where the operator has looked, what it delivered; in a manifest, what it will deliver. */
function secretOf({ spec, status }: ExchangeCredential): string | undefined {
  return status === undefined ? spec.delivery.secret?.name : status.delivery?.secretName;
}
