/** Carries out steps on the NetworkPolicies of a namespace, each with a record before and after it. */
import { FIELD_MANAGER } from '#api/names.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { KubeClient } from '#kube/client.ts';
import { deleteFound } from '#kube/delete-found.ts';
import type { NetworkPolicy } from '#kube/objects.ts';
import { NETWORK_POLICIES } from '#kube/resources.ts';
import type { NetworkAct } from '#network/acts.ts';
import type { PolicyStep } from './policy-steps.ts';

export interface CarryOutDeps {
  readonly client: KubeClient;
  readonly audit: Audit;
  readonly actor: AuditActor;
  /** Why, for the records. */
  readonly reason: string;
  /** Names of policies that others changed or deleted: writing them puts them back. */
  readonly tampered: ReadonlySet<string>;
  readonly requestId: string;
  readonly signal: AbortSignal;
  /** Asked before each step: the rights in a namespace can be given up meanwhile. */
  readonly mayWrite: () => boolean;
  readonly onWritten: (policy: NetworkPolicy, isDeleted: boolean) => void;
}

/** @throws KubeError with the first step that fails; those before it stand. */
export async function carryOutPolicySteps(
  steps: readonly PolicyStep[],
  deps: CarryOutDeps,
): Promise<void> {
  const { client, signal, onWritten } = deps;
  for (const step of steps) {
    if (!deps.mayWrite()) return;
    switch (step.act) {
      case 'Create':
        await record(step.wanted, deps, async () =>
          onWritten(
            await client.create(NETWORK_POLICIES, step.wanted, {
              fieldManager: FIELD_MANAGER,
              signal,
            }),
            false,
          ),
        );
        break;
      case 'Replace':
        await record(step.wanted, deps, async () =>
          onWritten(
            await client.replace(NETWORK_POLICIES, onto(step.wanted, step.found), {
              fieldManager: FIELD_MANAGER,
              signal,
            }),
            false,
          ),
        );
        break;
      case 'Delete':
        await record(
          step.found,
          deps,
          async () => {
            await deleteFound(client, NETWORK_POLICIES, step.found, signal);
            onWritten(step.found, true);
          },
          'NetworkPolicyWithdrawn',
        );
        break;
    }
  }
}

/** Labels and annotations of others stay; refused when the object changed since it was found. */
function onto(wanted: NetworkPolicy, found: NetworkPolicy): NetworkPolicy {
  const { labels, annotations, resourceVersion } = found.metadata;
  return {
    ...wanted,
    metadata: {
      ...wanted.metadata,
      labels: { ...labels, ...wanted.metadata.labels },
      annotations: { ...annotations, ...wanted.metadata.annotations },
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
    },
  };
}

async function record(
  { metadata }: NetworkPolicy,
  { audit, actor, reason, requestId, tampered, signal }: CarryOutDeps,
  effect: () => Promise<unknown>,
  act: NetworkAct = tampered.has(metadata.name) ? 'NetworkPolicyRestored' : 'NetworkPolicyWritten',
): Promise<void> {
  const { namespace = '', name, uid } = metadata;
  await perform(
    audit,
    {
      act,
      actor,
      object: {
        apiVersion: 'networking.k8s.io/v1',
        kind: NETWORK_POLICIES.kind,
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      reason,
      requestId,
    },
    effect,
    signal,
  );
}
