/**
 * Whether a Role or RoleBinding is, as it stands, what the operator keeps for an EmergencyAccess in
 * force; for who looks from outside. Names, labels and owners prove nothing: whoever writes RBAC
 * chooses them. So all of it must be what would be written.
 */
import { isDeepStrictEqual } from 'node:util';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { LABELS } from '#api/names.ts';
import type { RbacSubject, Role, RoleBinding } from '#kube/objects.ts';
import { isActive } from './active.ts';
import { grantOf, standingObjects } from './grant.ts';
import type { TargetCredential } from './world.ts';

/** As far as a grant depends on them. */
export type GrantedCredential = Pick<TargetCredential, 'name' | 'deliveredSecret'>;

/**
 * @param accesses those that may be behind it
 * @param credentials of its namespace: all, or those that are asked about; what a Role gives of the
 *   Secrets of others is not looked at
 */
export function standsForActive(
  object: Role | RoleBinding,
  accesses: readonly EmergencyAccess[],
  credentials: readonly GrantedCredential[],
  nowMs: number,
): boolean {
  const { namespace, labels = {} } = object.metadata;
  const uid = labels[LABELS.emergencyAccess];
  const access = accesses.find(
    ({ metadata }) => metadata.uid === uid && metadata.namespace === namespace,
  );
  if (uid === undefined || access === undefined || !isActive(access, nowMs)) return false;
  const known = new Set(credentials.map(({ name }) => name));
  const others = (access.spec.target.credentials ?? []).filter((name) => !known.has(name));
  const grant = grantOf(access, {
    isGuarded: true,
    admissionGuards: true,
    credentials: [...credentials, ...others.map((name) => ({ name }))].map((one) => ({
      ...one,
      secrets: [],
    })),
    pods: undefined,
  });
  const delivered = new Set(credentials.map(({ deliveredSecret }) => deliveredSecret));
  return standingObjects(access, grant).some(({ kind, object: wanted }) => {
    if (kind === 'ServiceAccount' || wanted.metadata.name !== object.metadata.name) return false;
    if (kind === 'RoleBinding') {
      return 'roleRef' in object && isDeepStrictEqual(boundBy(wanted), boundBy(object));
    }
    return !('roleRef' in object) && gives(object, wanted, delivered);
  });
}

function boundBy({ roleRef: { kind, name }, subjects = [] }: RoleBinding): unknown {
  return { roleRef: { kind, name }, subjects: subjects.map(subjectOf) };
}

/** The API server leaves out, or fills in, the group. */
function subjectOf({ kind, name, namespace }: RbacSubject): RbacSubject {
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) };
}

/** Whether a Role gives no more than the wanted one. */
function gives(found: Role, meant: Role, delivered: ReadonlySet<string | undefined>): boolean {
  const [given, wanted] = [found.rules ?? [], meant.rules ?? []];
  return (
    given.length === wanted.length &&
    given.every((rule, place) => {
      const other = wanted[place];
      const { resourceNames: names = [], ...rest } = rule;
      const { resourceNames: allowed = [], ...expected } = other ?? rule;
      // Without names it would be all of them.
      if (names.length === 0 || !isDeepStrictEqual(rest, expected)) return false;
      const isOfSecrets = rule.resources?.includes('secrets') === true;
      return names
        .filter((name) => !isOfSecrets || delivered.has(name))
        .every((name) => allowed.includes(name));
    })
  );
}
