/** Keeps the facts of the cluster's network in step with the cluster. */
import { isDeepStrictEqual } from 'node:util';
import type { KubeClient, Scope } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { DaemonSet, KubeObject, Node, ObjectMeta, Service } from '#kube/objects.ts';
import { DAEMON_SETS, ENDPOINT_SLICES, NODES, SERVICE_CIDRS, SERVICES } from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';
import type { Clock, Timer } from '#runtime/clock.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import { clusterFacts, DNS_SERVICE, missingFacts } from './gathered-facts.ts';
import type { FactOverrides } from './gathered-facts.ts';
import { ENGINE_ANNOTATIONS, ENGINE_LABELS } from './policy-engine.ts';

/** Nodes and Services come in crowds, at a start above all. */
const SETTLE_MS = 100;

export interface FactsGathererDeps {
  readonly client: KubeClient;
  readonly overrides: FactOverrides;
  /** Those of guarded namespaces, as far as they may be read; call `recheck` when they change. */
  readonly services: () => readonly Service[];
  /** Groups that the API server serves, absent while not known; call `recheck` when they change. */
  readonly apiGroups: () => readonly string[] | undefined;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
}

export interface FactsGatherer {
  /** None makes others wait: what cannot be read must not keep the operator from starting. */
  readonly informers: readonly Runnable[];
  /** As of now; the same object as before when nothing changed. */
  facts(): ClusterFacts;
  /** Why nothing may be written yet, each for people to read; empty: all is known that must be. */
  missing(): readonly string[];
  /** Of all nodes, by name. */
  nodeNames(): readonly string[];
  /** Called when the facts, or what is missing of them, are others than before. */
  onChange(handler: () => void): void;
  /** What `services` or `apiGroups` answer may have changed. */
  recheck(): void;
  /** As of an informer: stays below four minutes while the server answers. */
  lastActivityAgeMs(): number;
}

interface Source {
  readonly what: string;
  readonly informer: Pick<
    Informer<KubeObject>,
    'run' | 'hasSynced' | 'synced' | 'lastActivityAgeMs'
  >;
  readonly isRefused: () => boolean;
}

export function createFactsGatherer(deps: FactsGathererDeps): FactsGatherer {
  const { overrides, clock, random, log, metrics } = deps;
  const sources: Source[] = [];
  const handlers: (() => void)[] = [];
  let current: Snapshot | undefined;
  let told: Snapshot | undefined;
  let isStale = true;
  let settling: Timer | undefined;

  function follow<T extends KubeObject>(
    what: string,
    resource: Resource<T>,
    scope: Scope,
    options: {
      readonly fieldSelector?: string;
      readonly labelSelector?: string;
      readonly transform?: (object: T) => T;
    } = {},
  ): Informer<T> {
    let isRefused = false;
    const informer = createInformer<T>({
      client: noticingRefusals(deps.client, () => {
        isRefused = true;
        changed();
      }),
      resource,
      scope,
      ...options,
      clock,
      random,
      log,
      ...(metrics === undefined ? {} : { metrics }),
    });
    informer.onChange((change) => {
      if (change.type !== 'Updated' || !isSame(change.object, change.previous)) changed();
    });
    sources.push({
      what,
      informer,
      isRefused: () => isRefused,
    });
    return informer;
  }

  const nodes = follow('nodes', NODES, { allNamespaces: true }, { transform: slimNode });
  const serviceCidrs = follow('ServiceCIDRs', SERVICE_CIDRS, { allNamespaces: true });
  const apiServer = followService({ namespace: 'default', name: 'kubernetes' });
  const dns = followService(overrides.dnsService ?? DNS_SERVICE);
  const daemonSets = follow(
    'DaemonSets of kube-system',
    DAEMON_SETS,
    { namespace: 'kube-system' },
    { transform: slimDaemonSet },
  );

  function followService({ namespace, name }: { namespace: string; name: string }) {
    const scope = { namespace };
    const service = follow(`Service ${namespace}/${name}`, SERVICES, scope, {
      fieldSelector: `metadata.name=${name}`,
    });
    const slices = follow(`EndpointSlices of ${namespace}/${name}`, ENDPOINT_SLICES, scope, {
      labelSelector: `kubernetes.io/service-name=${name}`,
    });
    return () => {
      const [found] = service.list();
      return { ...(found === undefined ? {} : { service: found }), slices: slices.list() };
    };
  }

  function snapshot(): Snapshot {
    if (current !== undefined && !isStale) return current;
    const apiGroups = deps.apiGroups();
    const facts = clusterFacts(
      {
        nodes: nodes.list(),
        serviceCidrs: serviceCidrs.list(),
        apiServer: apiServer(),
        dns: dns(),
        services: deps.services(),
        ...(daemonSets.hasSynced ? { daemonSets: daemonSets.list() } : {}),
        ...(apiGroups === undefined ? {} : { apiGroups }),
      },
      overrides,
    );
    const unread = sources
      .filter(({ informer, isRefused }) => !informer.hasSynced && !isRefused())
      .map(({ what }) => `${what} (not read yet)`);
    const missing = [...unread, ...missingFacts(facts)];
    const key = keyOf(facts, missing);
    // Who compares by identity sees no change where there is none.
    if (key !== current?.key) current = { facts, missing, key };
    isStale = false;
    return current;
  }

  function changed(): void {
    isStale = true;
    settling ??= clock.setTimeout(() => {
      settling = undefined;
      const next = snapshot();
      if (next === told) return;
      told = next;
      for (const handler of handlers) handler();
    }, SETTLE_MS);
  }

  return {
    informers: sources.map(({ what, informer }) => ({
      name: `network facts: ${what}`,
      async run(signal) {
        // A list with nothing in it tells something too, and no change comes with it.
        void informer.synced(signal).then(changed, () => undefined);
        await informer.run(signal);
        settling?.cancel();
        settling = undefined;
      },
    })),
    facts: () => snapshot().facts,
    missing: () => snapshot().missing,
    nodeNames: () =>
      nodes
        .list()
        .map(({ metadata }) => metadata.name)
        .toSorted(byName),
    onChange: (handler) => void handlers.push(handler),
    recheck: changed,
    lastActivityAgeMs: () =>
      Math.max(
        0,
        ...sources
          // What is not served never answers, and starting anew would not help.
          .filter(({ informer, isRefused }) => informer.hasSynced || !isRefused())
          .map(({ informer }) => informer.lastActivityAgeMs()),
      ),
  };
}

interface Snapshot {
  readonly facts: ClusterFacts;
  readonly missing: readonly string[];
  readonly key: string;
}

function keyOf(facts: ClusterFacts, missing: readonly string[]): string {
  const { podRanges, serviceRanges, nodeAddresses, apiServer, dns, ...rest } = facts;
  const sets: readonly AddressSet[] = [
    podRanges,
    serviceRanges,
    nodeAddresses,
    apiServer.addresses,
    dns.addresses,
  ];
  return JSON.stringify([
    sets.map((set) => set.cidrs()),
    apiServer.ports,
    dns.namespace,
    Object.entries(dns.podLabels),
    dns.podPorts ?? [],
    rest,
    missing,
  ]);
}

/** Tells when a collection may not be read, or is not served by this version of Kubernetes. */
function noticingRefusals(client: KubeClient, onRefused: () => void): KubeClient {
  return {
    ...client,
    async *watch(resource, scope, options) {
      try {
        yield* client.watch(resource, scope, options);
      } catch (error) {
        if (isKubeError(error, 'ERR_KUBE_FORBIDDEN') || isKubeError(error, 'ERR_KUBE_NOT_FOUND')) {
          onRefused();
        }
        throw error;
      }
    },
  };
}

/** Kubelets report every few minutes, and of all that only this is read. */
function slimNode({ apiVersion, kind, metadata, spec, status }: Node): Node {
  const { podCIDR, podCIDRs } = spec ?? {};
  const { kubeletVersion } = status?.nodeInfo ?? {};
  return {
    apiVersion,
    kind,
    metadata: {
      ...slimMeta(metadata),
      labels: only(ENGINE_LABELS, metadata.labels),
      annotations: only(ENGINE_ANNOTATIONS, metadata.annotations),
    },
    spec: {
      ...(podCIDR === undefined ? {} : { podCIDR }),
      ...(podCIDRs === undefined ? {} : { podCIDRs }),
    },
    status: {
      addresses: status?.addresses ?? [],
      ...(kubeletVersion === undefined ? {} : { nodeInfo: { kubeletVersion } }),
    },
  };
}

function slimDaemonSet({ apiVersion, kind, metadata, spec, status }: DaemonSet): DaemonSet {
  const { desiredNumberScheduled } = status ?? {};
  return {
    apiVersion,
    kind,
    metadata: slimMeta(metadata),
    spec: {
      template: {
        spec: {
          containers: (spec?.template?.spec?.containers ?? []).map(
            ({ name, image, command, args }) => ({
              name,
              ...(image === undefined ? {} : { image }),
              ...(command === undefined ? {} : { command }),
              ...(args === undefined ? {} : { args }),
            }),
          ),
        },
      },
    },
    status: desiredNumberScheduled === undefined ? {} : { desiredNumberScheduled },
  };
}

function slimMeta(metadata: ObjectMeta): ObjectMeta {
  const { name, namespace, uid, resourceVersion } = metadata;
  return {
    name,
    ...(namespace === undefined ? {} : { namespace }),
    ...(uid === undefined ? {} : { uid }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
  };
}

function only(
  names: readonly string[],
  all: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(all).filter(([name]) => names.includes(name)));
}

function isSame(one: KubeObject, other: KubeObject): boolean {
  return isDeepStrictEqual(withoutVersion(one), withoutVersion(other));
}

function withoutVersion(object: KubeObject): unknown {
  const { resourceVersion: _resourceVersion, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function byName(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
