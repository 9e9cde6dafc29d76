/**
 * For each namespace that is labelled as guarded: the RoleBinding that lets the operator in, and
 * informers of its managed Secrets and its pods. What an informer keeps of a Secret is who owns it,
 * never its data; when the namespace is not guarded any more, all of it ends.
 */
import { LABELS, API_VERSION, FIELD_MANAGER } from '#api/names.ts';
import type { Audit } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Namespace, Pod, RoleBinding, Secret } from '#kube/objects.ts';
import { PODS, ROLE_BINDINGS, SECRETS } from '#kube/resources.ts';
import type { Clock } from '#runtime/clock.ts';
import { createController } from '#runtime/controller.ts';
import type { Result } from '#runtime/controller.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { Change } from '#runtime/store.ts';
import { secretsUsedBy } from './consumers.ts';
import { controllingUid, identityOf } from './delivery.ts';
import type { OperatorIdentity } from './deps.ts';
import type { GuardedView } from './gather.ts';

export const ROLE_BINDING_NAME = 'strongroom';
export const CLUSTER_ROLE_NAME = 'strongroom-guarded-namespace';

/** Nothing tells of a RoleBinding that was taken away, so it is looked for. */
const RECHECK_MS = 300_000;

export interface GuardedNamespacesOptions {
  readonly client: KubeClient;
  readonly namespaces: Informer<Namespace>;
  readonly operator: OperatorIdentity;
  readonly audit: Audit;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  /** A namespace became, or ceased to be, ready to be worked in. */
  readonly onNamespace: (namespace: string) => void;
  /** A managed Secret changed; `owners` are names of ExchangeCredentials in its namespace. */
  readonly onSecret: (secret: Secret, owners: readonly string[]) => void;
  /** Before the operator gives up its rights in a namespace; what it made there must go first. */
  readonly beforeRelease: (namespace: string, signal: AbortSignal) => Promise<void>;
  /** A pod changed, came or went; it uses these Secrets. */
  readonly onPod: (namespace: string, secretNames: readonly string[]) => void;
}

export interface GuardedNamespaces extends Runnable {
  view(namespace: string): GuardedView | undefined;
  /** Looks at a namespace again soon: something there was forbidden. */
  recheck(namespace: string): void;
}

interface Follower {
  readonly secrets: Informer<Secret>;
  readonly pods: Informer<Pod>;
  stop(): Promise<void>;
}

export function createGuardedNamespaces(options: GuardedNamespacesOptions): GuardedNamespaces {
  const { client, namespaces, operator, audit, clock, random, log, metrics } = options;
  const followers = new Map<string, Follower>();
  let running: AbortSignal | undefined;

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
      await followers.get(name)?.stop();
      followers.delete(name);
      options.onNamespace(name);
      // A namespace that ends takes its RoleBinding along.
      if (namespace !== undefined && !isLeaving) await release(name, requestId, signal);
      return { kind: 'done' };
    }
    const isChanged = await ensureBinding(name, requestId, signal);
    // What was forbidden waits for longer and longer; it need not any more.
    if (isChanged) options.onNamespace(name);
    if (!followers.has(name) && running !== undefined) followers.set(name, follow(name, running));
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

  function follow(namespace: string, until: AbortSignal): Follower {
    const own = new AbortController();
    const signal = AbortSignal.any([until, own.signal]);
    const shared = {
      client,
      scope: { namespace },
      clock,
      random,
      log: log.child({ namespace }),
      ...(metrics === undefined ? {} : { metrics }),
    };
    const secrets = createInformer<Secret>({
      ...shared,
      resource: SECRETS,
      labelSelector: LABELS.credential,
      transform: withoutData,
      indexes: { owner: (secret) => [controllingUid(secret) ?? ''] },
    });
    const pods = createInformer<Pod>({
      ...shared,
      resource: PODS,
      transform: slimPod,
      indexes: { secret: secretsUsedBy },
    });
    secrets.onChange((change) => {
      options.onSecret(change.object, versionsOf(change).flatMap(ownerNames));
    });
    pods.onChange((change) => {
      const names = new Set(versionsOf(change).flatMap(secretsUsedBy));
      options.onPod(namespace, [...names]);
    });
    const running = Promise.all([secrets.run(signal), pods.run(signal)]);
    void Promise.all([secrets.synced(signal), pods.synced(signal)]).then(
      () => options.onNamespace(namespace),
      // Stopped before it synced.
      () => undefined,
    );
    return {
      secrets,
      pods,
      async stop() {
        own.abort();
        await running;
      },
    };
  }

  return {
    name: 'guarded namespaces',
    async run(signal) {
      running = signal;
      try {
        await controller.run(signal);
      } finally {
        await Promise.all([...followers.values()].map((follower) => follower.stop()));
        followers.clear();
        running = undefined;
      }
    },
    view(namespace) {
      const follower = followers.get(namespace);
      if (follower === undefined) return undefined;
      const { secrets, pods } = follower;
      if (!secrets.hasSynced || !pods.hasSynced) return undefined;
      return {
        secretsOwnedBy: (uid) => secrets.byIndex('owner', uid).map(identityOf),
        podsUsing: (secretName) => pods.byIndex('secret', secretName),
        pods: pods.list,
      };
    },
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

export function isGuarded({ metadata }: Namespace): boolean {
  return metadata.labels?.[LABELS.guarded] === 'true';
}

function versionsOf<T>(change: Change<T>): readonly T[] {
  return change.type === 'Updated' ? [change.object, change.previous] : [change.object];
}

function ownerNames({ metadata }: Secret): readonly string[] {
  return (metadata.ownerReferences ?? [])
    .filter(({ kind, apiVersion }) => kind === 'ExchangeCredential' && apiVersion === API_VERSION)
    .map(({ name }) => name);
}

/** Whose it is and that it changed is all that is kept; values are read when they are needed. */
export function withoutData({ data: _data, ...secret }: Secret): Secret {
  const { annotations: _annotations, ...metadata } = secret.metadata;
  return { ...secret, metadata };
}

/**
 * What tells which Secrets a pod uses and since when its containers run, and what policies of the
 * network go by.
 */
export function slimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, uid, resourceVersion, creationTimestamp, labels } = metadata;
  const { serviceAccountName, hostNetwork, nodeName } = spec ?? {};
  const slimContainers = (containers: NonNullable<Pod['spec']>['containers'] = []) =>
    containers.map((container) => ({
      name: container.name,
      // Plain values of an environment can be secrets of somebody else.
      env: (container.env ?? [])
        .filter(({ valueFrom }) => valueFrom?.secretKeyRef !== undefined)
        .map((variable) => ({
          name: variable.name,
          valueFrom: { secretKeyRef: { name: variable.valueFrom?.secretKeyRef?.name ?? '' } },
        })),
      envFrom: (container.envFrom ?? []).filter(({ secretRef }) => secretRef !== undefined),
      volumeMounts: container.volumeMounts ?? [],
      ...(container.ports === undefined ? {} : { ports: container.ports }),
    }));
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
      ...(labels === undefined ? {} : { labels }),
    },
    spec: {
      ...(serviceAccountName === undefined ? {} : { serviceAccountName }),
      ...(hostNetwork === undefined ? {} : { hostNetwork }),
      ...(nodeName === undefined ? {} : { nodeName }),
      containers: slimContainers(spec?.containers),
      initContainers: slimContainers(spec?.initContainers),
      ephemeralContainers: slimContainers(spec?.ephemeralContainers),
      volumes: (spec?.volumes ?? []).filter(
        ({ secret, projected }) => secret !== undefined || projected !== undefined,
      ),
    },
    ...(status === undefined ? {} : { status: slimStatus(status) }),
  };
}

function slimStatus(status: NonNullable<Pod['status']>): NonNullable<Pod['status']> {
  const {
    phase,
    startTime,
    podIPs,
    hostIPs,
    containerStatuses,
    initContainerStatuses,
    ephemeralContainerStatuses,
  } = status;
  const slim = (list: typeof containerStatuses = []) =>
    list.map(({ name, state }) => ({
      name,
      ...(state?.running === undefined ? {} : { state: { running: state.running } }),
    }));
  return {
    ...(phase === undefined ? {} : { phase }),
    ...(startTime === undefined ? {} : { startTime }),
    ...(podIPs === undefined ? {} : { podIPs }),
    ...(hostIPs === undefined ? {} : { hostIPs }),
    containerStatuses: slim(containerStatuses),
    initContainerStatuses: slim(initContainerStatuses),
    ephemeralContainerStatuses: slim(ephemeralContainerStatuses),
  };
}
