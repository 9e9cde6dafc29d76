/**
 * For each namespace that is labelled as guarded: informers of its managed Secrets and its pods, on
 * every replica, since admission decides from them everywhere. They can only read where the leader
 * wrote the RoleBinding that lets the operator in; until then they are refused, and try again. What
 * an informer keeps of a Secret is who owns it, never its data.
 */
import { API_VERSION, LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Namespace, Pod, Secret } from '#kube/objects.ts';
import { PODS, SECRETS } from '#kube/resources.ts';
import { aborted } from '#runtime/aborted.ts';
import type { Clock } from '#runtime/clock.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { Change } from '#runtime/store.ts';
import { controllingUid, identityOf } from './delivery.ts';
import type { GuardedView } from './gather.ts';
import { slimPod, withoutData } from './slim.ts';

/** How long a start waits for namespaces: one to which the way is barred must not keep it back. */
const FIRST_SYNC_MS = 10_000;

export interface NamespaceFollowersOptions {
  readonly client: KubeClient;
  readonly namespaces: Informer<Namespace>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  /** Names of the Secrets that a pod uses. */
  readonly secretsOf: (pod: Pod) => readonly string[];
  /** A namespace became, or ceased to be, known. */
  readonly onNamespace: (namespace: string) => void;
  /** A managed Secret changed; `owners` are names of ExchangeCredentials in its namespace. */
  readonly onSecret: (secret: Secret, owners: readonly string[]) => void;
  /** A pod changed, came or went; it uses these Secrets. */
  readonly onPod: (namespace: string, secretNames: readonly string[]) => void;
}

export interface NamespaceFollowers extends Runnable {
  /** Undefined until all of the namespace is known, and where it is not guarded. */
  view(namespace: string): GuardedView | undefined;
  /** Asks again at once, where the way was barred so far. */
  retry(namespace: string): void;
  /** Ends following a namespace; resolves when nothing is asked there any more. */
  stop(namespace: string): Promise<void>;
}

interface Follower {
  readonly secrets: Informer<Secret>;
  readonly pods: Informer<Pod>;
  readonly synced: Promise<void>;
  stop(): Promise<void>;
}

export function createNamespaceFollowers(options: NamespaceFollowersOptions): NamespaceFollowers {
  const { client, namespaces, clock, random, log, metrics } = options;
  const followers = new Map<string, Follower>();
  const stopping = new Map<string, Promise<void>>();
  let running: AbortSignal | undefined;
  const started = Promise.withResolvers<void>();

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
      indexes: { secret: options.secretsOf, node: ({ spec }) => [spec?.nodeName ?? ''] },
    });
    secrets.onChange((change) => {
      options.onSecret(change.object, versionsOf(change).flatMap(ownerNames));
    });
    pods.onChange((change) => {
      const names = new Set(versionsOf(change).flatMap(options.secretsOf));
      options.onPod(namespace, [...names]);
    });
    const ended = Promise.all([secrets.run(signal), pods.run(signal)]);
    const synced = Promise.all([secrets.synced(signal), pods.synced(signal)]).then(
      () => options.onNamespace(namespace),
      // Stopped before it synced.
      () => undefined,
    );
    return {
      secrets,
      pods,
      synced,
      async stop() {
        own.abort();
        await ended;
      },
    };
  }

  function look(name: string): void {
    const namespace = namespaces.get(name);
    const isWanted =
      namespace !== undefined &&
      isGuarded(namespace) &&
      namespace.metadata.deletionTimestamp === undefined;
    if (!isWanted) void stop(name);
    else if (!followers.has(name) && running !== undefined) {
      followers.set(name, follow(name, running));
    }
  }

  async function stop(name: string): Promise<void> {
    const follower = followers.get(name);
    if (follower !== undefined) {
      followers.delete(name);
      const former = stopping.get(name);
      const end = Promise.all([former, follower.stop()])
        .then(() => undefined)
        .finally(() => {
          if (stopping.get(name) === end) stopping.delete(name);
        });
      stopping.set(name, end);
      options.onNamespace(name);
    }
    await stopping.get(name);
  }

  namespaces.onChange(({ object }) => look(object.metadata.name));

  const isSynced = ({ secrets, pods }: Follower): boolean => secrets.hasSynced && pods.hasSynced;

  return {
    name: 'guarded namespaces: pods and Secrets',
    async run(signal) {
      running = signal;
      for (const { metadata } of namespaces.list()) look(metadata.name);
      started.resolve();
      await aborted(signal);
      running = undefined;
      await Promise.all([
        ...[...followers.values()].map((follower) => follower.stop()),
        ...stopping.values(),
      ]);
      followers.clear();
    },
    async ready(signal) {
      await started.promise;
      const all = Promise.all([...followers.values()].map(({ synced }) => synced));
      const limit = new AbortController();
      const late = clock
        .sleep(FIRST_SYNC_MS, AbortSignal.any([signal, limit.signal]))
        .catch(() => undefined);
      await Promise.race([all, late]);
      limit.abort();
    },
    view(namespace) {
      const follower = followers.get(namespace);
      if (follower === undefined || !isSynced(follower)) return undefined;
      const { secrets, pods } = follower;
      return {
        secretsOwnedBy: (uid) => secrets.byIndex('owner', uid).map(identityOf),
        podsUsing: (secretName) => pods.byIndex('secret', secretName),
        pods: pods.list,
        pod: (name) => pods.get(`${namespace}/${name}`),
        podsOnNode: (node) => pods.byIndex('node', node),
      };
    },
    retry(namespace) {
      const follower = followers.get(namespace);
      if (follower === undefined || isSynced(follower)) return;
      void stop(namespace).then(() => look(namespace));
    },
    stop,
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
