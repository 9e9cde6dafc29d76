import { LABELS } from '#api/names.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import { ROLE_BINDINGS, ROLES, SERVICE_ACCOUNTS } from '#kube/resources.ts';
import { accessOfStanding } from './grant.ts';
import { carryOutStand, stepsToStand } from './stand.ts';

/**
 * Removes all that stands for EmergencyAccesses in a namespace, asked of the API server itself: a
 * write that was under way when the namespace was given up may not be in any cache.
 */
export async function releaseEmergency(
  client: KubeClient,
  namespace: string,
  record: { readonly audit: Audit; readonly actor: AuditActor; readonly requestId: string },
  signal: AbortSignal,
): Promise<void> {
  const options = { labelSelector: LABELS.emergencyAccess, signal };
  const isOurs = (object: Parameters<typeof accessOfStanding>[0]): boolean =>
    accessOfStanding(object) !== undefined;
  const { items: bindings } = await client.list(ROLE_BINDINGS, { namespace }, options);
  const { items: roles } = await client.list(ROLES, { namespace }, options);
  const { items: accounts } = await client.list(SERVICE_ACCOUNTS, { namespace }, options);
  const standing = {
    bindings: bindings.filter(isOurs),
    roles: roles.filter(isOurs),
    accounts: accounts.filter(isOurs),
  };
  await carryOutStand(stepsToStand([], standing, false), {
    client,
    ...record,
    reason: `namespace ${namespace} is not guarded any more`,
    signal,
  });
}
