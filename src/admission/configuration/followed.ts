/** The kinds of configuration that admission is made of, followed on every replica. */
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import type { ConfigMap, KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import {
  CONFIG_MAPS,
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  MUTATING_WEBHOOKS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '#kube/resources.ts';
import { aborted } from '#runtime/aborted.ts';
import { describeError } from '#runtime/describe-error.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Runnable } from '#runtime/manager.ts';
import { ADMISSION_MEMORY } from '../twin/own-policies.ts';
import type { StoredAccess } from './access-writer.ts';
import type { ConfigurationDeps } from './deps.ts';

export interface Followed {
  readonly runnables: readonly Runnable[];
  readonly accesses: Informer<StoredAccess>;
  readonly memory: Informer<ConfigMap>;
  /** Whether MutatingAdmissionPolicy v1 is served; undefined until that is known. */
  servesMutatingPolicies(): boolean | undefined;
  /** All that the configurations are compared with has been read. */
  isSynced(): boolean;
  /** One of ours; undefined where there is none. */
  get(resource: Resource, name: string): KubeObject | undefined;
  /** One of ours changed. */
  onChange(handler: () => void): void;
  lastActivityAgeMs(): number;
}

const RETRY_MS = 5_000;
const ALWAYS: readonly Resource[] = [
  VALIDATING_WEBHOOKS,
  MUTATING_WEBHOOKS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
];
const WHERE_SERVED: readonly Resource[] = [MUTATING_POLICIES, MUTATING_POLICY_BINDINGS];

export function createFollowed(deps: ConfigurationDeps): Followed {
  const { client, clock, random, log, runtimeMetrics, operator } = deps;
  const shared = {
    client,
    clock,
    random,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  };
  const handlers: (() => void)[] = [];
  let served: boolean | undefined;
  const known = Promise.withResolvers<void>();

  const isOurs = (name: string): boolean => name.startsWith('strongroom-');

  function follow(resource: Resource): Informer<KubeObject> {
    const informer = createInformer<KubeObject>({
      ...shared,
      resource,
      scope: { allNamespaces: true },
      // Those of others can be large, and are nobody's business here.
      transform: (object) =>
        isOurs(object.metadata.name)
          ? object
          : {
              apiVersion: object.apiVersion,
              kind: object.kind,
              metadata: { name: object.metadata.name },
            },
    });
    informer.onChange(({ object }) => {
      if (isOurs(object.metadata.name)) for (const handler of handlers) handler();
    });
    return informer;
  }
  const always = ALWAYS.map((resource) => ({ resource, informer: follow(resource) }));
  const whereServed = WHERE_SERVED.map((resource) => ({ resource, informer: follow(resource) }));
  const accesses = createInformer<StoredAccess>({
    ...shared,
    resource: NAMESPACE_ACCESSES,
    scope: { allNamespaces: true },
  });
  const memory = createInformer<ConfigMap>({
    ...shared,
    resource: CONFIG_MAPS,
    scope: { namespace: operator.namespace },
    fieldSelector: `metadata.name=${ADMISSION_MEMORY}`,
  });

  async function discover(signal: AbortSignal): Promise<void> {
    while (served === undefined) {
      try {
        const groups = await client.discover({ signal });
        served = groups.some(
          ({ group, version, resources }) =>
            group === MUTATING_POLICIES.group &&
            version === MUTATING_POLICIES.version &&
            resources.includes(MUTATING_POLICIES.plural),
        );
      } catch (error) {
        signal.throwIfAborted();
        log.warn({ reason: describeError(error) }, 'What the API server serves could not be read');
        await clock.sleep(RETRY_MS, signal);
      }
    }
    known.resolve();
    for (const handler of handlers) handler();
    // For an upgrade of the cluster the operator is started anew.
    await aborted(signal);
  }

  const runnable = (
    name: string,
    informer: Pick<Informer<KubeObject>, 'run' | 'synced'>,
  ): Runnable => ({
    name: `admission: ${name}`,
    run: (signal) => informer.run(signal),
    ready: (signal) => informer.synced(signal),
  });
  const ifServed = (name: string, informer: Informer<KubeObject>): Runnable => ({
    name: `admission: ${name}`,
    async run(signal) {
      await Promise.race([known.promise, aborted(signal)]);
      if (served === true) await informer.run(signal);
      else await aborted(signal);
    },
    async ready(signal) {
      await Promise.race([known.promise, aborted(signal)]);
      if (served === true) await informer.synced(signal);
    },
  });
  const used = (): readonly Informer<KubeObject>[] => [
    ...always.map(({ informer }) => informer),
    ...(served === true ? whereServed.map(({ informer }) => informer) : []),
  ];

  return {
    runnables: [
      {
        name: 'admission: discovery',
        run: discover,
        ready: (signal) => Promise.race([known.promise, aborted(signal)]),
      },
      ...always.map(({ resource, informer }) => runnable(resource.plural, informer)),
      ...whereServed.map(({ resource, informer }) => ifServed(resource.plural, informer)),
      runnable(NAMESPACE_ACCESSES.plural, accesses),
      runnable('memory', memory),
    ],
    accesses,
    memory,
    servesMutatingPolicies: () => served,
    isSynced: () =>
      served !== undefined &&
      memory.hasSynced &&
      accesses.hasSynced &&
      used().every(({ hasSynced }) => hasSynced),
    get(resource, name) {
      const found = [...always, ...whereServed].find((one) => one.resource === resource);
      return found?.informer.get(name);
    },
    onChange: (handler) => void handlers.push(handler),
    lastActivityAgeMs: () =>
      Math.max(
        ...used().map((informer) => informer.lastActivityAgeMs()),
        accesses.lastActivityAgeMs(),
        memory.lastActivityAgeMs(),
      ),
  };
}
