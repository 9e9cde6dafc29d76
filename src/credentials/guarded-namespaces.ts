/**
 * For each namespace that is labelled as guarded: the RoleBinding that lets the operator in. When
 * the namespace is not guarded any more, it goes, after all that the operator made there.
 */
import { LABELS, FIELD_MANAGER } from '#api/names.ts';
import type { Audit } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Namespace, RoleBinding } from '#kube/objects.ts';
import { ROLE_BINDINGS } from '#kube/resources.ts';
import type { Clock } from '#runtime/clock.ts';
import { createController } from '#runtime/controller.ts';
import type { Result } from '#runtime/controller.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { OperatorIdentity } from './deps.ts';
import { isGuarded } from './namespace-followers.ts';
import type { NamespaceFollowers } from './namespace-followers.ts';

export const ROLE_BINDING_NAME = 'strongroom';
export const CLUSTER_ROLE_NAME = 'strongroom-guarded-namespace';

/** Nothing tells of a RoleBinding that was taken away, so it is looked for. */
const RECHECK_MS = 300_000;

export interface GuardedNamespacesOptions {
  readonly client: KubeClient;
  readonly namespaces: Informer<Namespace>;
  readonly followers: NamespaceFollowers;
  readonly operator: OperatorIdentity;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  /** What the operator may do in a namespace changed. */
  readonly onNamespace: (namespace: string) => void;
  /** Before the operator gives up its rights in a namespace; what it made there must go first. */
  readonly beforeRelease: (namespace: string, signal: AbortSignal) => Promise<void>;
}

export interface GuardedNamespaces extends Runnable {
  /** Looks at a namespace again soon: something there was forbidden. */
  recheck(namespace: string): void;
}

export function createGuardedNamespaces(options: GuardedNamespacesOptions): GuardedNamespaces {
  const { client, namespaces, followers, operator, audit, clock, random, log, metrics } = options;

  const controller = createController({
    name: 'guarded-namespaces',
    reconcile: (name, context) => reconcile(name, context.reconcileId, context.signal),
    clock,
    log,
    ...(metrics === undefined ? {} : { metrics }),
  });
  namespaces.onChange(({ object }, initial) =>
    controller.enqueue(object.metadata.name, initial ? 'bulk' : 'normal'),
  );

  async function reconcile(name: string, requestId: string, signal: AbortSignal): Promise<Result> {
    const namespace = namespaces.get(name);
    const isLeaving = namespace?.metadata.deletionTimestamp !== undefined;
    if (namespace === undefined || isLeaving || !isGuarded(namespace)) {
      await followers.stop(name);
      options.onNamespace(name);
      // A namespace that ends takes its RoleBinding along.
      if (namespace !== undefined && !isLeaving) await release(name, requestId, signal);
      return { kind: 'done' };
    }
    const isChanged = await ensureBinding(name, requestId, signal);
    // What was forbidden waits for longer and longer; it need not any more.
    if (isChanged) {
      followers.retry(name);
      options.onNamespace(name);
    }
    return { kind: 'after', ms: RECHECK_MS * (1 + 0.2 * random()) };
  }

  /** Whether it had to be written. */
  async function ensureBinding(
    namespace: string,
    requestId: string,
    signal: AbortSignal,
  ): Promise<boolean> {
    const wanted = bindingOf(namespace, operator);
    const at = { namespace, name: ROLE_BINDING_NAME };
    const found = await client.find(ROLE_BINDINGS, at, { signal });
    if (found === undefined) {
      await perform(
        audit,
        { ...about(wanted, requestId), act: 'RoleBindingCreated' },
        () => client.create(ROLE_BINDINGS, wanted, { fieldManager: FIELD_MANAGER, signal }),
        signal,
      );
      return true;
    }
    if (found.roleRef.kind !== 'ClusterRole' || found.roleRef.name !== CLUSTER_ROLE_NAME) {
      throw new ForeignBindingError(namespace);
    }
    const names = (found.subjects ?? []).map((s) => `${s.kind}/${s.namespace ?? ''}/${s.name}`);
    const [self] = wanted.subjects ?? [];
    const isMine =
      names.length === 1 && names[0] === `ServiceAccount/${self?.namespace ?? ''}/${self?.name}`;
    if (isMine) return false;
    await perform(
      audit,
      { ...about(wanted, requestId), act: 'RoleBindingRepaired' },
      async () => {
        // Merge and not apply: subjects that others added would stay.
        const { subjects } = wanted;
        await client.mergePatch(ROLE_BINDINGS, at, { subjects }, { signal });
      },
      signal,
    );
    return true;
  }

  async function release(namespace: string, requestId: string, signal: AbortSignal): Promise<void> {
    const at = { namespace, name: ROLE_BINDING_NAME };
    const found = await client.find(ROLE_BINDINGS, at, { signal });
    if (found?.metadata.labels?.[LABELS.component] !== COMPONENT) return;
    await options.beforeRelease(namespace, signal);
    const { uid } = found.metadata;
    await perform(
      audit,
      { ...about(found, requestId), act: 'RoleBindingRemoved' },
      async () => {
        try {
          await client.delete(ROLE_BINDINGS, at, {
            signal,
            ...(uid === undefined ? {} : { uid }),
          });
        } catch (error) {
          if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
        }
      },
      signal,
    );
  }

  function about(binding: RoleBinding, requestId: string) {
    const { namespace = '', name, uid } = binding.metadata;
    return {
      actor: { kind: 'Operator' as const, name: operator.instance },
      object: {
        apiVersion: 'rbac.authorization.k8s.io/v1',
        kind: 'RoleBinding',
        namespace,
        name,
        ...(uid === undefined ? {} : { uid }),
      },
      requestId,
    };
  }

  return {
    name: 'guarded namespaces',
    run: controller.run,
    recheck: (namespace) => controller.enqueue(namespace),
  };
}

/** A RoleBinding of our name gives another role, and a roleRef cannot be changed. */
export class ForeignBindingError extends Error {
  override readonly name = 'ForeignBindingError';
  readonly code = 'ERR_FOREIGN_ROLE_BINDING' as const;
  readonly retryable = true;

  constructor(namespace: string) {
    super(
      `RoleBinding ${namespace}/${ROLE_BINDING_NAME} gives another role than ${CLUSTER_ROLE_NAME}; delete it`,
    );
  }
}

const COMPONENT = 'guarded-namespace';

function bindingOf(namespace: string, operator: OperatorIdentity): RoleBinding {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'RoleBinding',
    metadata: { name: ROLE_BINDING_NAME, namespace, labels: { [LABELS.component]: COMPONENT } },
    roleRef: {
      apiGroup: 'rbac.authorization.k8s.io',
      kind: 'ClusterRole',
      name: CLUSTER_ROLE_NAME,
    },
    subjects: [
      { kind: 'ServiceAccount', namespace: operator.namespace, name: operator.serviceAccount },
    ],
  };
}
