/** Puts the credentials controller together: what it follows, what it works on, and when. */
import { guardedSecretsOf } from '#api/credential-secrets.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import { ANNOTATIONS } from '#api/names.ts';
import type { KubeObject, Namespace } from '#kube/objects.ts';
import { NAMESPACES } from '#kube/resources.ts';
import { createController } from '#runtime/controller.ts';
import type { Priority } from '#runtime/queue.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { Change } from '#runtime/store.ts';
import { keyOf } from '#runtime/store.ts';
import { secretsUsedBy } from './consumers.ts';
import type { CredentialsController, CredentialsDeps } from './deps.ts';
import { DEFAULT_OPTIONS } from './deps.ts';
import { createGuardedNamespaces } from './guarded-namespaces.ts';
import { createCredentialMetrics } from './metrics.ts';
import { createNamespaceFollowers, isGuarded } from './namespace-followers.ts';
import { createReconciler } from './reconcile.ts';
import { slimNamespace } from './slim.ts';

/** Pods come and go in crowds; their credentials are looked at once for all of them. */
const POD_DELAY_MS = 1_000;

export function createCredentialsController(deps: CredentialsDeps): CredentialsController {
  const { client, clock, random, log, runtimeMetrics, registry } = deps;
  const options = { ...DEFAULT_OPTIONS, ...deps.options };
  const shared = {
    client,
    clock,
    random,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  };
  const metrics = createCredentialMetrics(registry);

  const credentials = createInformer<ExchangeCredential>({
    ...shared,
    resource: EXCHANGE_CREDENTIALS,
    scope: { allNamespaces: true },
    indexes: {
      namespace: ({ metadata }) => [metadata.namespace ?? ''],
      target: targetsOf,
      secret: secretsOf,
    },
  });
  const namespaces = createInformer<Namespace>({
    ...shared,
    resource: NAMESPACES,
    scope: { allNamespaces: true },
    transform: (namespace) => slimNamespace(namespace, deps.operator.namespace),
  });

  const namespaceHandlers: ((namespace: string) => void)[] = [];
  const podHandlers: ((namespace: string) => void)[] = [];
  const releaseHooks: ((namespace: string, signal: AbortSignal) => Promise<void>)[] = [];
  function onNamespace(namespace: string): void {
    enqueueNamespace(namespace);
    for (const handler of namespaceHandlers) handler(namespace);
  }
  /** By namespace, the credentials that pods use without a right: looked at again for any change. */
  const unsettled = new Map<string, Set<string>>();
  function noteUnsettled(namespace: string, name: string, isUnsettled: boolean): void {
    const keys = unsettled.get(namespace) ?? new Set<string>();
    if (isUnsettled) keys.add(`${namespace}/${name}`);
    else keys.delete(`${namespace}/${name}`);
    if (keys.size === 0) unsettled.delete(namespace);
    else unsettled.set(namespace, keys);
  }
  const { podRights } = deps;
  const followers = createNamespaceFollowers({
    ...shared,
    namespaces,
    secretsOf: (pod) => [...new Set(podRights?.secretsOf(pod) ?? secretsUsedBy(pod))],
    onNamespace,
    onSecret({ metadata: { namespace = '', name } }, owners) {
      for (const owner of owners) controller.enqueue(`${namespace}/${owner}`);
      enqueueTarget(namespace, name, (key) => controller.enqueue(key));
    },
    onPod(namespace, secretNames) {
      for (const handler of podHandlers) handler(namespace);
      for (const name of secretNames) {
        enqueueTarget(namespace, name, (key) => controller.enqueueAfter(key, POD_DELAY_MS, 'bulk'));
      }
    },
  });
  const guarded = createGuardedNamespaces({
    ...shared,
    namespaces,
    followers,
    operator: deps.operator,
    audit: deps.audit,
    onNamespace,
    async beforeRelease(namespace, signal) {
      for (const hook of releaseHooks) await hook(namespace, signal);
    },
  });

  const controller = createController({
    name: 'credentials',
    reconcile: createReconciler({
      ...deps,
      options,
      metrics,
      surroundings: {
        namespace: namespaces.get,
        guarded: followers.view,
        isPreparing(name) {
          const namespace = namespaces.get(name);
          return (
            namespace !== undefined &&
            isGuarded(namespace) &&
            namespace.metadata.deletionTimestamp === undefined &&
            followers.view(name) === undefined
          );
        },
      },
      onForbidden: guarded.recheck,
      onPodsWithoutRight: noteUnsettled,
    }),
    concurrency: options.concurrency,
    clock,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  });

  function enqueueNamespace(namespace: string): void {
    for (const credential of credentials.byIndex('namespace', namespace)) {
      controller.enqueue(keyOf(credential));
    }
  }

  function enqueueTarget(
    namespace: string,
    secretName: string,
    enqueue: (key: string) => void,
  ): void {
    const target = `${namespace}/${secretName}`;
    for (const credential of credentials.byIndex('target', target)) enqueue(keyOf(credential));
  }

  credentials.onChange((change, initial) => {
    controller.enqueue(keyOf(change.object), priorityOf(change, initial));
  });
  // Labels decide whether and in which environment credentials are delivered.
  namespaces.onChange(({ object }) => enqueueNamespace(object.metadata.name));

  return {
    informers: [
      runnableOf('namespaces', namespaces),
      runnableOf('exchange credentials', credentials),
      followers,
    ],
    controllers: [guarded, controller],
    namespaces,
    credentials,
    isReady: (namespace) => followers.view(namespace) !== undefined,
    deliveredSecret({ metadata, status }) {
      const name = status?.delivery?.secretName;
      const owned = followers.view(metadata.namespace ?? '')?.secretsOwnedBy(metadata.uid ?? '');
      return owned?.some((secret) => secret.name === name) === true ? name : undefined;
    },
    pods: (namespace) => followers.view(namespace)?.pods(),
    view: followers.view,
    rightsChanged: followers.retry,
    onNamespace: (handler) => void namespaceHandlers.push(handler),
    onPods: (handler) => void podHandlers.push(handler),
    podRightsChanged() {
      for (const key of [...unsettled.values()].flatMap((keys) => [...keys])) {
        controller.enqueue(key);
      }
    },
    beforeRelease: (hook) => void releaseHooks.push(hook),
    // Not those of single namespaces: one to which the way is barred must not end the process.
    lastActivityAgeMs: () =>
      Math.max(namespaces.lastActivityAgeMs(), credentials.lastActivityAgeMs()),
    resync() {
      for (const credential of credentials.list()) controller.enqueue(keyOf(credential), 'bulk');
    },
  };
}

/**
 * Taking a credential out of use goes ahead of everything, also when it is found in a first list;
 * then what was never dealt with or has changed; what a relist only repeats comes last.
 */
export function priorityOf({ object }: Change<ExchangeCredential>, initial: boolean): Priority {
  const { metadata, spec, status } = object;
  const isUnseen = status?.observedGeneration !== metadata.generation;
  const revoke = metadata.annotations?.[ANNOTATIONS.revoke];
  const isRevokeOpen = revoke !== undefined && revoke !== status?.handledRequests?.revoke;
  const isEnding = spec.state === 'Revoked' || spec.state === 'Suspended';
  if (isRevokeOpen || (isEnding && isUnseen)) return 'urgent';
  return isUnseen || !initial ? 'normal' : 'bulk';
}

function targetsOf({ metadata, spec }: ExchangeCredential): readonly string[] {
  const name = spec.delivery.secret?.name;
  return name === undefined ? [] : [`${metadata.namespace ?? ''}/${name}`];
}

function secretsOf(credential: ExchangeCredential): readonly string[] {
  const { namespace = '' } = credential.metadata;
  return guardedSecretsOf(credential).map((name) => `${namespace}/${name}`);
}

function runnableOf<T extends KubeObject>(name: string, informer: Informer<T>): Runnable {
  return { name, run: informer.run, ready: informer.synced };
}
