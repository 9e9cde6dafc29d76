/** Carries out the steps of one policy, each with a record before and after it. */
import { FIELD_MANAGER } from '#api/names.ts';
import type { AccessAct } from '#access/acts.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { KubeClient } from '#kube/client.ts';
import { deleteFound } from '#kube/delete-found.ts';
import type { Role, RoleBinding } from '#kube/objects.ts';
import { ROLE_BINDINGS, ROLES } from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';
import type { Step } from './steps.ts';

export interface CarryOutDeps {
  readonly client: KubeClient;
  readonly audit: Audit;
  readonly actor: AuditActor;
  /** Why, for the records. */
  readonly reason: string;
  /** `Role trading/…` of each object that others changed: writing it puts it back. */
  readonly tampered: ReadonlySet<string>;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Asked before each step: the rights in a namespace can be given up meanwhile. */
  readonly mayWrite: (namespace: string) => boolean;
  readonly onWritten: (kind: string, object: Role | RoleBinding, isDeleted: boolean) => void;
}

/** @throws KubeError with the first step that fails; those before it stand. */
export async function carryOutSteps(steps: readonly Step[], deps: CarryOutDeps): Promise<void> {
  // A Role can be written twice; the second time upon what the first one left.
  const newest = new Map<string, Role>();
  for (const step of steps) {
    const { namespace = '' } = (step.act === 'Delete' ? step.found : step.wanted).metadata;
    if (!deps.mayWrite(namespace)) continue;
    switch (step.act) {
      case 'Delete':
        await remove(step.kind === 'Role' ? ROLES : ROLE_BINDINGS, step.found, deps);
        break;
      case 'WriteRole': {
        const key = keyOf(step.wanted);
        newest.set(key, await write(ROLES, step.wanted, newest.get(key) ?? step.found, deps));
        break;
      }
      case 'WriteBinding':
        await write(ROLE_BINDINGS, step.wanted, step.found, deps);
        break;
    }
  }
}

/** Refused when the object changed since it was found: what is written must follow from what is. */
async function write<T extends Role | RoleBinding>(
  resource: Resource<T>,
  wanted: T,
  found: T | undefined,
  deps: CarryOutDeps,
): Promise<T> {
  const { client, signal } = deps;
  const isRestored = deps.tampered.has(`${resource.kind} ${keyOf(wanted)}`);
  const act = isRestored
    ? 'AccessRestored'
    : found === undefined
      ? 'AccessGranted'
      : 'AccessChanged';
  const written = await perform(
    deps.audit,
    about(resource, wanted, act, deps),
    () =>
      found === undefined
        ? client.create(resource, wanted, { fieldManager: FIELD_MANAGER, signal })
        : client.replace(
            resource,
            {
              ...wanted,
              metadata: {
                ...wanted.metadata,
                labels: { ...found.metadata.labels, ...wanted.metadata.labels },
                ...(found.metadata.annotations && { annotations: found.metadata.annotations }),
                ...(found.metadata.resourceVersion !== undefined && {
                  resourceVersion: found.metadata.resourceVersion,
                }),
              },
            },
            { fieldManager: FIELD_MANAGER, signal },
          ),
    signal,
  );
  deps.onWritten(resource.kind, written, false);
  return written;
}

async function remove<T extends Role>(
  resource: Resource<T>,
  found: Role,
  deps: CarryOutDeps,
): Promise<void> {
  const { client, signal } = deps;
  await perform(
    deps.audit,
    about(resource, found, 'AccessWithdrawn', deps),
    () => deleteFound(client, resource, found, signal),
    signal,
  );
  deps.onWritten(resource.kind, found, true);
}

function about(
  resource: { readonly kind: string },
  { metadata }: Role,
  act: AccessAct,
  { actor, reason, requestId }: CarryOutDeps,
) {
  const { namespace = '', name, uid } = metadata;
  return {
    act,
    actor,
    object: {
      apiVersion: 'rbac.authorization.k8s.io/v1',
      kind: resource.kind,
      namespace,
      name,
      ...(uid === undefined ? {} : { uid }),
    },
    reason,
    requestId,
  };
}

function keyOf({ metadata }: Role): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
