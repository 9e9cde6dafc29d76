/** For each namespace that the operator works in: its NetworkPolicies and its Services. */
import type { KubeClient } from '#kube/client.ts';
import type { KubeObject, NetworkPolicy, Service } from '#kube/objects.ts';
import { NETWORK_POLICIES, SERVICES } from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';
import { aborted } from '#runtime/aborted.ts';
import type { Clock } from '#runtime/clock.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { Change } from '#runtime/store.ts';

export interface NamespaceFollowersDeps {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
  readonly onPolicy: (change: Change<NetworkPolicy>) => void;
  /** A NetworkPolicy of the namespace changed, came or went, or all of them are known now. */
  readonly onPolicies: (namespace: string) => void;
  readonly onServices: () => void;
}

export interface NamespaceFollowers extends Runnable {
  /** Follows a namespace, or ends following it. */
  set(namespace: string, isReady: boolean): void;
  /** Undefined until all of them are known. */
  policies(namespace: string): readonly NetworkPolicy[] | undefined;
  services(): readonly Service[];
  /** Undefined also where its namespace is not followed. */
  service(namespace: string, name: string): Service | undefined;
}

interface Follower {
  readonly policies: Informer<NetworkPolicy>;
  readonly services: Informer<Service>;
  stop(): Promise<void>;
}

export function createNamespaceFollowers(deps: NamespaceFollowersDeps): NamespaceFollowers {
  const { onPolicy, onPolicies, onServices, ...shared } = deps;
  const followers = new Map<string, Follower>();
  const wanted = new Set<string>();
  const stopping = new Set<Promise<void>>();
  let running: AbortSignal | undefined;

  function follow(namespace: string, until: AbortSignal): Follower {
    const own = new AbortController();
    const signal = AbortSignal.any([until, own.signal]);
    function inform<T extends KubeObject>(resource: Resource<T>, onChange: () => void) {
      const informer = createInformer<T>({
        ...shared,
        log: deps.log.child({ namespace }),
        resource,
        scope: { namespace },
      });
      informer.onChange(onChange);
      informer.synced(signal).then(onChange, () => undefined);
      return informer;
    }
    const policies = inform<NetworkPolicy>(NETWORK_POLICIES, () => onPolicies(namespace));
    policies.onChange(onPolicy);
    const services = inform<Service>(SERVICES, onServices);
    const running = Promise.all([policies.run(signal), services.run(signal)]);
    return {
      policies,
      services,
      async stop() {
        own.abort();
        await running;
      },
    };
  }

  function set(namespace: string, isReady: boolean): void {
    if (isReady) wanted.add(namespace);
    else wanted.delete(namespace);
    const follower = followers.get(namespace);
    if (isReady && follower === undefined && running !== undefined) {
      followers.set(namespace, follow(namespace, running));
    }
    if (!isReady && follower !== undefined) {
      followers.delete(namespace);
      const stop = follower.stop().finally(() => stopping.delete(stop));
      stopping.add(stop);
    }
  }

  return {
    name: 'network: namespaces',
    async run(signal) {
      running = signal;
      for (const namespace of wanted) set(namespace, true);
      await aborted(signal);
      running = undefined;
      await Promise.all([
        ...[...followers.values()].map((follower) => follower.stop()),
        ...stopping,
      ]);
      followers.clear();
    },
    set,
    policies(namespace) {
      const policies = followers.get(namespace)?.policies;
      return policies?.hasSynced === true ? policies.list() : undefined;
    },
    service: (namespace, name) => followers.get(namespace)?.services.get(`${namespace}/${name}`),
    services: () => [...followers.values()].flatMap(({ services }) => services.list()),
  };
}
