/** Requests about Strongroom's own kinds and namespaces, judged as the API server has them judged. */
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import type { IPBlock } from '#api/ip-block.ts';
import { NOW } from '#access/testing/builders.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import { createdByOf } from '../identity-stamp.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import { policyOf } from '#access/testing/builders.ts';
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy.ts';
import type { KubeObject } from '#kube/objects.ts';
import { decideAdmission } from '../decide-admission.ts';
import { mutateAdmission } from '../mutate-admission.ts';
import type { AdmissionRequest, UserInfo } from '../request.ts';
import type { AdmissionSettings, RuleContext } from '../rule.ts';
import type { Verdict } from '../verdict.ts';
import { applyPatch } from './apply-patch.ts';
import { SETTINGS } from './core-objects.ts';
import { worldOf } from './world-of.ts';
import type { WorldParts } from './world-of.ts';

export const STAMP_KEY: Uint8Array = new Uint8Array(32).fill(7);

export function userOf(username: string, ...groups: string[]): UserInfo {
  return { username, uid: `${username}-uid`, groups: [...groups, 'system:authenticated'] };
}

export function contextOf(
  parts: WorldParts = {},
  settings: Partial<AdmissionSettings> = {},
): RuleContext {
  return { world: worldOf(parts), settings: { ...SETTINGS, ...settings }, nowMs: NOW };
}

const KINDS = [
  EXCHANGE_CREDENTIALS,
  ACCESS_POLICIES,
  IP_BLOCKS,
  EMERGENCY_ACCESSES,
  NAMESPACE_ACCESSES,
];

export interface Change {
  readonly by: UserInfo;
  readonly before?: object | undefined;
  readonly after?: object | undefined;
  readonly subResource?: string;
  readonly dryRun?: boolean;
}

/** A create, update or delete, by what is given of before and after. */
export function requestOf({
  by,
  before,
  after,
  subResource,
  dryRun = false,
}: Change): AdmissionRequest {
  const [oldObject, object] = [before, after] as readonly (KubeObject | undefined)[];
  const { kind = '', metadata, apiVersion = 'v1' } = object ?? oldObject ?? {};
  const own = KINDS.find((one) => one.kind === kind);
  const [group, version] = apiVersion.includes('/') ? apiVersion.split('/') : ['', apiVersion];
  const plural = own?.plural ?? `${kind.toLowerCase().replace(/y$/, 'ie')}s`;
  const namespace = kind === 'Namespace' ? metadata?.name : metadata?.namespace;
  return {
    uid: 'review',
    kind: { group: group ?? '', version: version ?? '', kind },
    resource: { group: group ?? '', version: version ?? '', resource: plural },
    ...(subResource === undefined ? {} : { subResource }),
    name: metadata?.name ?? '',
    ...(namespace === undefined ? {} : { namespace }),
    operation: oldObject === undefined ? 'CREATE' : object === undefined ? 'DELETE' : 'UPDATE',
    userInfo: by,
    ...(object === undefined ? {} : { object }),
    ...(oldObject === undefined ? {} : { oldObject }),
    dryRun,
  };
}

/** The mutating webhook, then the validating one. */
export function review(change: Change | AdmissionRequest, context: RuleContext): Verdict {
  return decideAdmission(mutated('by' in change ? requestOf(change) : change, context), context);
}

/** The request as the validating webhook gets it. */
export function mutated(request: AdmissionRequest, context: RuleContext): AdmissionRequest {
  const patch = mutateAdmission(request, context, STAMP_KEY);
  const { object } = request;
  return object === undefined ? request : { ...request, object: applyPatch(object, patch) };
}

/** `user` holds the permission at the level everywhere, or where `spec` says. */
export function giving(
  user: string,
  permission: Permission,
  accessLevel: AccessLevel,
  spec: Partial<AccessPolicySpec> = {},
): AccessPolicy {
  return policyOf(
    {
      subjects: [{ kind: 'User', name: user }],
      permissions: [permission],
      accessLevel,
      environments: ['Development', 'Staging', 'Production'],
      credentials: { namespaces: ['*'] },
      ...spec,
    },
    `${user}-${permission}-${accessLevel}`.toLowerCase(),
  );
}

export function blockOf(spec: Partial<IPBlock['spec']> = {}): IPBlock {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: 'scanner', uid: 'scanner-uid' },
    spec: { cidrs: ['198.51.100.0/24'], reason: 'credential stuffing', ...spec },
  };
}

/** Carol asked for alice to get to the credential `maker` and into every pod of `trading`. */
export function emergencyOf(
  parts: {
    readonly name?: string;
    readonly spec?: Partial<EmergencyAccess['spec']>;
    readonly status?: EmergencyAccess['status'];
    readonly annotations?: Readonly<Record<string, string>>;
    readonly creator?: string;
  } = {},
): EmergencyAccess {
  const { name = 'night', spec, status, annotations, creator = 'carol' } = parts;
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: {
      name,
      namespace: 'trading',
      uid: `${name}-uid`,
      annotations: {
        'strongroom.dev/created-by': createdByOf(userOf(creator)),
        ...annotations,
      },
    },
    spec: {
      subject: { kind: 'User', name: 'alice' },
      reason: 'the exchange refuses our orders since midnight',
      target: { credentials: ['maker'], pods: ['*'] },
      permissions: ['AccessSecrets', 'EmergencyOverride'],
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

/** In force at the time of the tests. */
export function activeEmergency(parts: Parameters<typeof emergencyOf>[0] = {}): EmergencyAccess {
  return emergencyOf({
    ...parts,
    status: {
      state: 'Active',
      activatedAt: new Date(NOW - 60_000).toISOString(),
      expiresAt: new Date(NOW + 600_000).toISOString(),
      approvals: [
        { username: 'dave', at: new Date(NOW - 90_000).toISOString(), reason: 'yes', self: false },
      ],
      ...parts.status,
    },
  });
}

export function namespaceOf(
  labels: Readonly<Record<string, string>> = {},
  name = 'trading',
): KubeObject {
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
}

/** A copy with other annotations; undefined takes one off. */
export function annotated<T extends KubeObject | { readonly metadata: object }>(
  object: T,
  annotations: Readonly<Record<string, string | undefined>>,
): T {
  const present = (object.metadata as KubeObject['metadata']).annotations ?? {};
  const all = Object.entries({ ...present, ...annotations });
  const next = Object.fromEntries(all.filter(([, value]) => value !== undefined));
  return { ...object, metadata: { ...object.metadata, annotations: next } };
}
