/**
 * What stands in a namespace for an active EmergencyAccess. RBAC knows no expiry, so nothing here
 * lets a person read a Secret: only the ServiceAccount does, whose tokens end by themselves, and
 * everything that the person may do passes admission, which knows the time.
 */
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { API_VERSION, GROUP, LABELS } from '#api/names.ts';
import type {
  KubeObject,
  PolicyRule,
  RbacSubject,
  Role,
  RoleBinding,
  ServiceAccount,
} from '#kube/objects.ts';
import { emergencyAccountName, shortened } from './subject.ts';
import type { EmergencyWorld } from './world.ts';

/** ClusterRoles of the chart. */
export const CONNECT_ROLE = 'strongroom-emergency-connect';
export const READ_ROLE = 'strongroom-emergency-read';

export const EMERGENCY_COMPONENT = 'emergency-access';
const PREFIX = 'strongroom:emergency:';
const RBAC = 'rbac.authorization.k8s.io';

export interface EmergencyGrant {
  /** Whose tokens read; absent where it is not about Secrets. */
  readonly serviceAccount?: string;
  /** Delivered Secrets that it reads, sorted; there may be none (yet). */
  readonly secrets: readonly string[];
  /** Credentials that the subject may change, sorted. */
  readonly credentials: readonly string[];
  /** Whether the subject may connect into pods. */
  readonly connects: boolean;
  /**
   * Whether the subject's own bindings may stand, which admission must narrow; undefined: as they
   * are, since it is not known whether admission guards.
   */
  readonly bindsSubject: boolean | undefined;
}

export function grantOf(access: EmergencyAccess, world: EmergencyWorld): EmergencyGrant {
  const { target, permissions } = access.spec;
  const isAboutSecrets = permissions.includes('AccessSecrets');
  const targets = world.credentials.filter(
    ({ name }) => isAboutSecrets && target.credentials?.includes(name) === true,
  );
  const secrets = targets.flatMap(({ deliveredSecret }) => deliveredSecret ?? []);
  return {
    ...(isAboutSecrets ? { serviceAccount: emergencyAccountName(access.metadata.name) } : {}),
    secrets: [...new Set(secrets)].sort(),
    credentials: targets.map(({ name }) => name).sort(),
    connects: permissions.includes('EmergencyOverride'),
    bindsSubject: world.admissionGuards,
  };
}

export type StandingObject =
  | { readonly kind: 'ServiceAccount'; readonly object: ServiceAccount }
  | { readonly kind: 'Role'; readonly object: Role }
  | { readonly kind: 'RoleBinding'; readonly object: RoleBinding; readonly ofSubject: boolean };

/** In the order to write them. */
export function standingObjects(
  access: EmergencyAccess,
  grant: EmergencyGrant,
): readonly StandingObject[] {
  const { namespace = '', name } = access.metadata;
  const meta = (object: string) => metaOf(access, object);
  const base = `${PREFIX}${name}`;
  const role = (object: string, rules: readonly PolicyRule[]): StandingObject => ({
    kind: 'Role',
    object: { apiVersion: `${RBAC}/v1`, kind: 'Role', metadata: meta(object), rules },
  });
  const binding = (
    object: string,
    roleKind: 'Role' | 'ClusterRole',
    roleName: string,
    to: RbacSubject,
    ofSubject: boolean,
  ): StandingObject => ({
    kind: 'RoleBinding',
    object: {
      apiVersion: `${RBAC}/v1`,
      kind: 'RoleBinding',
      metadata: meta(object),
      roleRef: { apiGroup: RBAC, kind: roleKind, name: roleName },
      subjects: [to],
    },
    ofSubject,
  });
  const subject = rbacSubject(access);
  const bindsSubject = grant.bindsSubject !== false;
  const read = shortened(`${base}:read`);
  const write = shortened(`${base}:write`);
  const { serviceAccount } = grant;
  return [
    ...(serviceAccount === undefined
      ? []
      : [
          {
            kind: 'ServiceAccount' as const,
            object: {
              apiVersion: 'v1',
              kind: 'ServiceAccount',
              metadata: meta(serviceAccount),
              // Nothing of the cluster may run under it.
              automountServiceAccountToken: false,
            },
          },
        ]),
    // An empty list of names would mean all Secrets.
    ...(serviceAccount === undefined || grant.secrets.length === 0
      ? []
      : [
          role(read, [
            {
              apiGroups: [''],
              resources: ['secrets'],
              resourceNames: grant.secrets,
              verbs: ['get'],
            },
          ]),
          binding(
            read,
            'Role',
            read,
            { kind: 'ServiceAccount', name: serviceAccount, namespace },
            false,
          ),
        ]),
    ...(serviceAccount === undefined || !bindsSubject
      ? []
      : [binding(shortened(`${base}:token`), 'ClusterRole', READ_ROLE, subject, true)]),
    ...(grant.credentials.length === 0 || !bindsSubject
      ? []
      : [
          role(write, [
            {
              apiGroups: [GROUP],
              resources: ['exchangecredentials'],
              resourceNames: grant.credentials,
              verbs: ['get', 'update', 'patch'],
            },
          ]),
          binding(write, 'Role', write, subject, true),
        ]),
    ...(grant.connects && bindsSubject
      ? [binding(shortened(`${base}:connect`), 'ClusterRole', CONNECT_ROLE, subject, true)]
      : []),
  ];
}

/** Name of the EmergencyAccess that an object stands for, as its owner says; undefined for others. */
export function accessOfStanding({
  metadata,
}: {
  readonly metadata: ServiceAccount['metadata'];
}): string | undefined {
  if (metadata.labels?.[LABELS.emergencyAccess] === undefined) return undefined;
  return metadata.ownerReferences?.find(({ kind }) => kind === 'EmergencyAccess')?.name;
}

/** The index `emergency` of an informer: key of the EmergencyAccess that an object stands for. */
export function emergencyIndexValues({ metadata }: KubeObject): readonly string[] {
  const name = accessOfStanding({ metadata });
  return name === undefined ? [] : [`${metadata.namespace ?? ''}/${name}`];
}

function metaOf({ metadata }: EmergencyAccess, name: string) {
  return {
    name,
    namespace: metadata.namespace ?? '',
    labels: {
      [LABELS.component]: EMERGENCY_COMPONENT,
      [LABELS.emergencyAccess]: metadata.uid ?? '',
    },
    ownerReferences: [
      {
        apiVersion: API_VERSION,
        kind: 'EmergencyAccess',
        name: metadata.name,
        uid: metadata.uid ?? '',
        controller: true,
      },
    ],
  };
}

function rbacSubject({ metadata, spec }: EmergencyAccess): RbacSubject {
  const { kind, name } = spec.subject;
  return kind === 'ServiceAccount'
    ? { kind, name, namespace: metadata.namespace ?? '' }
    : { kind, name, apiGroup: RBAC };
}
