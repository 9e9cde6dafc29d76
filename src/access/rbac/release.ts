import { LABELS } from '#api/names.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import { ROLE_BINDINGS, ROLES } from '#kube/resources.ts';
import { carryOutSteps } from './carry-out.ts';
import { COMPONENT, policyOfName } from './objects.ts';
import type { Step } from './steps.ts';

/**
 * Removes all that stands for policies in a namespace, asked of the API server itself: a write that
 * was under way when the namespace was given up may not be in any cache.
 */
export async function releaseNamespace(
  client: KubeClient,
  namespace: string,
  record: { readonly audit: Audit; readonly actor: AuditActor; readonly requestId: string },
  signal: AbortSignal,
): Promise<void> {
  const options = { labelSelector: `${LABELS.component}=${COMPONENT}`, signal };
  const bindings = await client.list(ROLE_BINDINGS, { namespace }, options);
  const roles = await client.list(ROLES, { namespace }, options);
  const isOurs = ({ metadata }: { metadata: { name: string } }) =>
    policyOfName(metadata.name) !== undefined;
  const steps: readonly Step[] = [
    ...bindings.items
      .filter(isOurs)
      .map((found) => ({ act: 'Delete', kind: 'RoleBinding', found }) as const),
    ...roles.items.filter(isOurs).map((found) => ({ act: 'Delete', kind: 'Role', found }) as const),
  ];
  await carryOutSteps(steps, {
    client,
    ...record,
    reason: `namespace ${namespace} is not guarded any more`,
    tampered: new Set(),
    signal,
    mayWrite: () => true,
    onWritten: () => undefined,
  });
}
