/** Brings what stands in a namespace for an EmergencyAccess to what should, each write recorded. */
import { isDeepStrictEqual } from 'node:util';
import { FIELD_MANAGER, LABELS } from '#api/names.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { KubeClient } from '#kube/client.ts';
import { deleteFound } from '#kube/delete-found.ts';
import type { KubeObject, Role, RoleBinding, ServiceAccount } from '#kube/objects.ts';
import { ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS } from '#kube/resources.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';
import type { EmergencyAct } from './acts.ts';
import type { StandingObject } from './grant.ts';

export interface Standing {
  readonly accounts: readonly ServiceAccount[];
  readonly roles: readonly Role[];
  readonly bindings: readonly RoleBinding[];
}

export interface StandDeps {
  readonly client: KubeClient;
  readonly audit: Audit;
  readonly actor: AuditActor;
  /** Why, for the records. */
  readonly reason: string;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

/** One write; a replacement by deletion is two. */
export type StandStep =
  | { readonly act: 'Delete'; readonly kind: StandingObject['kind']; readonly found: KubeObject }
  | { readonly act: 'Create'; readonly wanted: StandingObject }
  | { readonly act: 'Replace'; readonly wanted: StandingObject; readonly found: KubeObject };

/**
 * What is too much goes first, bindings before what they bind; then accounts, Roles and bindings
 * come in the order given, so that nothing is ever bound to what it should not be.
 *
 * @param keepsSubject bindings of the subject stay as they are, whether wanted or not
 */
export function stepsToStand(
  wanted: readonly StandingObject[],
  standing: Standing,
  keepsSubject: boolean,
): readonly StandStep[] {
  const found = new Map<string, KubeObject>([
    ...standing.bindings.map((one) => [`RoleBinding/${one.metadata.name}`, one] as const),
    ...standing.roles.map((one) => [`Role/${one.metadata.name}`, one] as const),
    ...standing.accounts.map((one) => [`ServiceAccount/${one.metadata.name}`, one] as const),
  ]);
  const keyOf = ({ kind, object }: StandingObject): string => `${kind}/${object.metadata.name}`;
  const wantedKeys = new Set(wanted.map(keyOf));
  const deletions = [...found]
    .filter(([key]) => !wantedKeys.has(key))
    .map(([key, object]): StandStep => ({
      act: 'Delete',
      kind: key.slice(0, key.indexOf('/')) as StandingObject['kind'],
      found: object,
    }));
  return [
    ...deletions,
    ...wanted.flatMap((one): readonly StandStep[] => {
      if (one.kind === 'RoleBinding' && one.ofSubject && keepsSubject) return [];
      const present = found.get(keyOf(one));
      if (present === undefined) return [{ act: 'Create', wanted: one }];
      if (isAsWanted(one, present)) return [];
      const mustBeNew =
        one.kind === 'ServiceAccount' ||
        (one.kind === 'RoleBinding' &&
          !isDeepStrictEqual((present as RoleBinding).roleRef, one.object.roleRef));
      // Tokens of an account that is not ours end with it; a roleRef cannot be changed.
      return mustBeNew
        ? [
            { act: 'Delete', kind: one.kind, found: present },
            { act: 'Create', wanted: one },
          ]
        : [{ act: 'Replace', wanted: one, found: present }];
    }),
  ];
}

function isAsWanted({ kind, object }: StandingObject, found: KubeObject): boolean {
  const uid = object.metadata.labels?.[LABELS.emergencyAccess];
  const isOurs =
    found.metadata.labels?.[LABELS.emergencyAccess] === uid &&
    found.metadata.labels?.[LABELS.component] === object.metadata.labels?.[LABELS.component] &&
    found.metadata.ownerReferences?.some((owner) => owner.uid === uid) === true;
  if (!isOurs) return false;
  switch (kind) {
    case 'ServiceAccount':
      return true;
    case 'Role':
      return isDeepStrictEqual((found as Role).rules ?? [], object.rules ?? []);
    case 'RoleBinding': {
      const binding = found as RoleBinding;
      return (
        isDeepStrictEqual(binding.roleRef, object.roleRef) &&
        isDeepStrictEqual(binding.subjects ?? [], object.subjects ?? [])
      );
    }
  }
}

/** @throws KubeError with the first step that fails; those before it stand. */
export async function carryOutStand(steps: readonly StandStep[], deps: StandDeps): Promise<void> {
  for (const step of steps) {
    if (step.act === 'Delete') await remove(step.kind, step.found, deps);
    else await write(step, deps);
  }
}

async function write(
  { wanted, ...step }: Exclude<StandStep, { act: 'Delete' }>,
  deps: StandDeps,
): Promise<void> {
  switch (wanted.kind) {
    case 'ServiceAccount':
      return put(SERVICE_ACCOUNTS, wanted.object, undefined, deps);
    case 'Role':
      return put(ROLES, wanted.object, 'found' in step ? step.found : undefined, deps);
    case 'RoleBinding':
      return put(ROLE_BINDINGS, wanted.object, 'found' in step ? step.found : undefined, deps);
  }
}

async function put<T extends KubeObject>(
  resource: Resource<T>,
  object: T,
  found: KubeObject | undefined,
  deps: StandDeps,
): Promise<void> {
  const { client, audit, signal } = deps;
  const options = { fieldManager: FIELD_MANAGER, signal };
  await perform(
    audit,
    about(resource, object, 'EmergencyGranted', deps),
    async () => {
      const { resourceVersion } = found?.metadata ?? {};
      if (resourceVersion === undefined) await client.create(resource, object, options);
      else {
        const metadata = { ...object.metadata, resourceVersion };
        await client.replace(resource, { ...object, metadata }, options);
      }
    },
    signal,
  );
}

async function remove(
  kind: StandingObject['kind'],
  found: KubeObject,
  deps: StandDeps,
): Promise<void> {
  const resource: Resource = RESOURCES[kind];
  const { client, audit, signal } = deps;
  await perform(
    audit,
    about(resource, found, 'EmergencyWithdrawn', deps),
    () => deleteFound(client, resource, found, signal),
    signal,
  );
}

const RESOURCES: Readonly<Record<StandingObject['kind'], Resource>> = {
  ServiceAccount: SERVICE_ACCOUNTS,
  Role: ROLES,
  RoleBinding: ROLE_BINDINGS,
};

function about(
  resource: Resource,
  { metadata }: KubeObject,
  act: EmergencyAct,
  { actor, reason, requestId }: StandDeps,
) {
  const { namespace = '', name, uid } = metadata;
  return {
    act,
    actor,
    object: {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      namespace,
      name,
      ...(uid === undefined ? {} : { uid }),
    },
    reason,
    requestId,
  };
}
