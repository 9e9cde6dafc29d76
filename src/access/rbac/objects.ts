/**
 * The Roles and RoleBindings that stand for a policy. Their name says whose they are: names that
 * begin with `strongroom:policy:` are the operator's, and it puts right or removes what others make
 * of them. No name of an AccessPolicy holds a colon, so that the parts are told apart.
 */
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { AccessPolicy, Subject } from '#api/access-policy.ts';
import { API_VERSION, LABELS } from '#api/names.ts';
import type { PolicyRule, RbacSubject, Role, RoleBinding } from '#kube/objects.ts';
import type { Grant } from './grants.ts';

const PREFIX = 'strongroom:policy:';
export const COMPONENT = 'access-policy';
const RBAC = 'rbac.authorization.k8s.io';

/** A Role and the RoleBinding of the same name. */
export interface RbacPair {
  readonly role: Role;
  readonly binding: RoleBinding;
}

/** The policy that an object is named after; undefined for those of others. */
export function policyOfName(name: string): string | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const [policy = ''] = name.slice(PREFIX.length).split(':');
  return policy === '' ? undefined : policy;
}

export function rbacPair({ metadata }: AccessPolicy, grant: Grant): RbacPair {
  const base = `${PREFIX}${metadata.name}`;
  // Where a Deny takes something from some of the subjects, these get a Role of their own.
  const name = grant.isWhole ? base : `${base}:${digest(grant.rules)}`;
  const meta = {
    name,
    namespace: grant.namespace,
    labels: {
      [LABELS.component]: COMPONENT,
      [LABELS.policyUid]: metadata.uid ?? '',
    },
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: 'AccessPolicy',
        name: metadata.name,
        uid: metadata.uid ?? '',
        controller: true,
      },
    ],
  };
  return {
    role: { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata: meta, rules: grant.rules },
    binding: {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: meta,
      roleRef: { apiGroup: RBAC, kind: 'Role', name },
      subjects: grant.subjects.map(rbacSubject),
    },
  };
}

export function rbacSubject({ kind, name, namespace = '' }: Subject): RbacSubject {
  return kind === 'ServiceAccount' ? { kind, name, namespace } : { kind, name, apiGroup: RBAC };
}

function digest(rules: readonly PolicyRule[]): string {
  return createHash('sha256').update(JSON.stringify(rules)).digest('hex').slice(0, 8);
}

/** Whether a Role or RoleBinding carries what ours do; others may add labels and annotations. */
export function isMarkedAs(found: Role | RoleBinding, wanted: Role | RoleBinding): boolean {
  const labels = Object.entries(wanted.metadata.labels ?? {});
  return (
    labels.every(([key, value]) => found.metadata.labels?.[key] === value) &&
    isDeepStrictEqual(
      found.metadata.ownerReferences?.map(({ uid }) => uid),
      wanted.metadata.ownerReferences?.map(({ uid }) => uid),
    )
  );
}

export function hasSameRules(found: Role, wanted: Role): boolean {
  return isDeepStrictEqual(found.rules ?? [], wanted.rules ?? []);
}

export function subjectKey({ kind, name, namespace = '' }: RbacSubject): string {
  return `${kind}/${namespace}/${name}`;
}

export function hasSameSubjects(found: RoleBinding, wanted: RoleBinding): boolean {
  return isDeepStrictEqual(keysOf(found), keysOf(wanted));
}

function keysOf({ subjects = [] }: RoleBinding): readonly string[] {
  return [...new Set(subjects.map(subjectKey))].sort();
}
