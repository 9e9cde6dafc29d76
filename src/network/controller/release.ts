/** Takes away what the operator wrote in a namespace that is not guarded any more. */
import { LABELS } from '#api/names.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import type { KubeClient } from '#kube/client.ts';
import { NETWORK_POLICIES } from '#kube/resources.ts';
import { isOurPolicy } from '../compiler/our-policy.ts';
import { carryOutPolicySteps } from './carry-out-policies.ts';
import { policySteps } from './policy-steps.ts';

export async function releaseNamespace(
  client: KubeClient,
  namespace: string,
  o: { readonly audit: Audit; readonly actor: AuditActor; readonly requestId: string },
  signal: AbortSignal,
): Promise<void> {
  const { items } = await client.list(
    NETWORK_POLICIES,
    { namespace },
    { labelSelector: `${LABELS.managedBy}=strongroom`, signal },
  );
  await carryOutPolicySteps(policySteps([], items.filter(isOurPolicy)), {
    client,
    ...o,
    reason: `Namespace ${namespace} is not guarded any more`,
    tampered: new Set(),
    signal,
    mayWrite: () => true,
    onWritten: () => undefined,
  });
}
