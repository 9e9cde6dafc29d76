/** Puts the network controller together: what it follows, what it works on, and when. */
import type { AccessPolicy } from '#api/access-policy.ts';
import type { IPBlock } from '#api/ip-block.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import { LABELS } from '#api/names.ts';
import type { AuditActor } from '#audit/audit.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { aborted } from '#runtime/aborted.ts';
import { createController } from '#runtime/controller.ts';
import type { Controller } from '#runtime/controller.ts';
import { describeError } from '#runtime/describe-error.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { BackendName } from '../backends/backend.ts';
import { unionOf } from '../cidr/address-set.ts';
import { createFactsGatherer } from '../facts/gatherer.ts';
import { NODE_REPORT_COMPONENT, readNodeReports } from '../node-agent/node-report.ts';
import { createBackendChoice } from './backend-choice.ts';
import { createBackendWork } from './backend-work.ts';
import { createBlockBook, isAbout } from './block-book.ts';
import { createBlockWork } from './block-work.ts';
import { placeOf, planOf } from './backend-plan.ts';
import { createChangeLimiter } from './change-limiter.ts';
import { createCompiler } from '../compiler/compiler.ts';
import type { ClusterKnowledge, NetworkController, NetworkDeps } from './deps.ts';
import { createFeedTeller } from './feed-teller.ts';
import { createFeedWork } from './feed-work.ts';
import { createGrantBook } from './grant-book.ts';
import { hostGrants } from './host-grants.ts';
import { createJudge } from './judge.ts';
import { createNetworkMetrics } from './metrics.ts';
import { createNamespaceFollowers } from './namespace-followers.ts';
import { createNamespaceWork } from './namespace-work.ts';
import type { NamespaceOutcome } from './namespace-work.ts';
import { networkPods } from './network-pods.ts';
import { oldReports, removeNodeBlocks, removeReports } from './old-reports.ts';
import { policyNetwork } from './policy-network.ts';
import { releaseNamespace } from './release.ts';
import { createRememberedNames } from './remembered-names.ts';
import { createStandingPolicies } from './standing-policies.ts';
import { createWantedHosts } from './wanted-hosts.ts';

/** Changes come in crowds: a rollout, a thousand policies, a list of blocks. */
const SETTLE_MS = 150;
/** What is known of names grows old although nothing is heard. */
const SURROUNDINGS_MS = 600_000;
/** What is told of a change can wait until it was made. */
const TELL_MS = 300;

const NO_BLOCKS: readonly ActiveBlock[] = [];

export function createNetworkController(deps: NetworkDeps): NetworkController {
  const { client, guarded, clock, random, log, runtimeMetrics, operator, options } = deps;
  const shared = {
    client,
    clock,
    random,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  };
  const actor: AuditActor = { kind: 'Operator', name: operator.instance };
  const metrics = createNetworkMetrics(deps.registry);
  const limiter = createChangeLimiter(clock);
  const standing = createStandingPolicies();

  const blocks = createInformer<IPBlock>({
    ...shared,
    resource: IP_BLOCKS,
    scope: { allNamespaces: true },
  });
  const reports = createInformer<ConfigMap>({
    ...shared,
    resource: CONFIG_MAPS,
    scope: { namespace: operator.namespace },
    labelSelector: `${LABELS.component}=${NODE_REPORT_COMPONENT}`,
  });
  const followers = createNamespaceFollowers({
    ...shared,
    onPolicy: standing.saw,
    onPolicies: (namespace) => namespaces.enqueueAfter(namespace, SETTLE_MS),
    onServices: () => facts.recheck(),
  });
  const backends = createBackendChoice({ client, clock, log, options, onChange: onServed });
  const facts = createFactsGatherer({
    ...shared,
    overrides: options,
    services: followers.services,
    apiGroups: backends.apiGroups,
  });
  const cluster: ClusterKnowledge = {
    ranges() {
      const { podRanges, serviceRanges, nodeAddresses, apiServer } = facts.facts();
      return unionOf([podRanges, serviceRanges, nodeAddresses, apiServer.addresses]);
    },
    families: () => facts.facts().families,
  };
  const names = deps.names(cluster);
  const hosts = createWantedHosts(names, guarded.credentials);

  /** Cilium learns addresses from the answers of the DNS pods, and so has to know these. */
  const opensByName = (): boolean =>
    backends.used().includes('Cilium') && Object.keys(facts.facts().dns.podLabels).length > 0;
  const remembered = createRememberedNames({
    client,
    namespace: operator.namespace,
    names,
    monotonicMs: clock.monotonicMs,
  });
  /** Before that, what stands is closer to what should than what would be compiled. */
  const isComplete = (): boolean =>
    remembered.isRead && backends.served() !== undefined && book.isComplete();
  const guardedNames = (): readonly string[] =>
    guarded.namespaces
      .list()
      .map(({ metadata }) => metadata.name)
      .filter((name) => guarded.isReady(name))
      .sort();
  const podsOf = (namespace: string) => networkPods(guarded.pods(namespace) ?? []);

  const grants = createGrantBook(() => ({
    facts: facts.facts(),
    addressesOf: names.addressesOf,
    opensByName: opensByName(),
    isReady: guarded.isReady,
  }));
  const feeds = createFeedWork({
    blocks,
    fetcher: deps.feeds(cluster),
    store: deps.feedStore,
    now: clock.now,
    random,
    onChange: (name) => blockQueue.enqueue(name),
    onFetched: (block, outcome, context) => tellOfFeed(block, outcome, context),
  });
  const book = createBlockBook({
    blocks,
    feedOf: feeds.copyOf,
    isFeedLoaded: feeds.isLoaded,
    now: clock.now,
    surroundings: () => ({
      facts: facts.facts(),
      exchanges: hosts.addresses(),
      operatorClients: options.operatorClients,
      isProtectionKnown: facts.missing().length === 0,
    }),
  });

  /** Of the bans that the node agents are to report. */
  let nodeRevision: string | undefined;
  const tellOfFeed = createFeedTeller({ ...deps, actor, metrics });
  /** A backend that can deny needs no holes in what is allowed. */
  const blocksFor = (namespace: string): readonly ActiveBlock[] =>
    backends.canDeny() ? NO_BLOCKS : book.reaching(namespace);
  const outcomes = new Map<string, NamespaceOutcome>();
  const judge = createJudge({
    outcomes,
    guardedNames,
    namespaces: () => guarded.namespaces.list(),
    podsOf,
    facts: facts.facts,
    nodeNames: facts.nodeNames,
    reports: () => readNodeReports(reports.list()),
    now: clock.now,
    backends: backends.used,
    backendState: (backend) => backendWork.stateOf(backend),
    nodeRevision: () => nodeRevision,
    blocksFor,
    active: book.active,
  });

  const namespaces: Controller = createController({
    name: 'network-policies',
    reconcile: createNamespaceWork({
      client,
      audit: deps.audit,
      actor,
      compiler: createCompiler(),
      standing,
      limiter,
      isReady: guarded.isReady,
      pods: podsOf,
      policies: followers.policies,
      grants: grants.inNamespace,
      blocks: blocksFor,
      facts: facts.facts,
      missing: facts.missing,
      isComplete: (namespace) =>
        isComplete() &&
        [...grants.hostsIn(namespace).values()].every((all) =>
          all.every((host) => !names.pending().includes(host)),
        ),
      onOutcome(namespace, outcome) {
        if (outcome === undefined) outcomes.delete(namespace);
        else outcomes.set(namespace, outcome);
        metrics.policies(namespace, outcome?.wanted.length);
        judge.forget();
        tellOfNamespace(namespace);
        if (opensByName()) backendQueue.enqueueAfter('Cilium', SETTLE_MS);
      },
      onRestored(namespace, names) {
        metrics.restored(names.length);
        const object = guarded.namespaces.get(namespace);
        if (object === undefined) return;
        deps.events.emit({
          object,
          type: 'Warning',
          reason: 'NetworkPolicyRestored',
          action: 'RestoreNetwork',
          note: `Somebody changed or deleted ${names.join(', ')}; it was put back`,
        });
      },
    }),
    concurrency: 4,
    ...shared,
  });
  const backendWork = createBackendWork({
    client,
    audit: deps.audit,
    actor,
    limiter,
    plan(backend) {
      const active = book.active();
      const plan = planOf(backend, {
        blocks: active,
        guardedNamespaces: guardedNames(),
        pods: guardedNames().flatMap(podsOf),
        facts: facts.facts(),
        served: backends.served() ?? [],
        hostGrants: opensByName() ? hostGrants(outcomes, grants) : [],
        operatorNamespace: operator.namespace,
      });
      if (backend === 'NodeAgent') nodeRevision = plan.nodeRevision;
      return { ...plan, blocks: active };
    },
    place: (backend) => placeOf(backend, operator.namespace),
    missing: facts.missing,
    isComplete,
    onState: () => tellOfBlocks(),
    monotonicMs: clock.monotonicMs,
  });
  const backendQueue = createController({
    name: 'network-backends',
    reconcile: (name, context) => backendWork.reconcile(name as BackendName, context),
    concurrency: 1,
    ...shared,
  });
  const blockQueue: Controller = createController({
    name: 'ip-blocks',
    reconcile: createBlockWork({
      client,
      events: deps.events,
      metrics,
      blocks,
      book,
      outcome(block, state) {
        const feed = feeds.statusOf(block);
        return { ...judge.outcomeOf(state), ...(feed === undefined ? {} : { feed }) };
      },
      onForce,
      now: clock.now,
      monotonicMs: clock.monotonicMs,
    }),
    concurrency: 4,
    ...shared,
  });
  const feedQueue = createController({
    name: 'feeds',
    reconcile: feeds.reconcile,
    concurrency: 4,
    ...shared,
  });

  const clearing: Runnable = {
    name: 'network: left-overs',
    async run(signal) {
      if (!options.nodeAgent) {
        await removeNodeBlocks(client, operator.namespace, signal).catch((error: unknown) => {
          log.warn({ reason: describeError(error) }, 'Blocks of node agents could not be removed');
        });
      }
      await feeds.clearUp().catch((error: unknown) => {
        log.warn({ reason: describeError(error) }, 'Copies of feeds could not be cleared up');
      });
      await aborted(signal);
    },
  };

  const surroundings: Controller = createController({
    name: 'network-surroundings',
    async reconcile(_, { signal }) {
      if (!remembered.isRead) await remembered.read(signal);
      onSurroundings();
      await remembered.write(signal);
      if (facts.missing().length === 0) {
        const old = oldReports(reports.list(), facts.nodeNames(), clock.now());
        await removeReports(client, old, signal);
      }
      return { kind: 'after', ms: SURROUNDINGS_MS };
    },
    concurrency: 1,
    ...shared,
  });

  function onForce(changed: readonly ActiveBlock[]): void {
    for (const namespace of guardedNames()) {
      if (changed.some((block) => isAbout(block, namespace))) {
        namespaces.enqueueAfter(namespace, SETTLE_MS);
      }
    }
    for (const backend of backends.used()) backendQueue.enqueueAfter(backend, SETTLE_MS);
  }

  function enqueueBlocks(delayMs: number): void {
    for (const { metadata } of blocks.list()) blockQueue.enqueueAfter(metadata.name, delayMs);
  }

  function onServed(): void {
    facts.recheck();
    surroundings.enqueue('cluster');
  }

  /** What is known of the cluster changed: everything can mean something else. */
  function onSurroundings(): void {
    for (const policy of deps.policies.list()) grants.look(policy.metadata.name, policy);
    enqueueBlocks(0);
    for (const namespace of guardedNames()) namespaces.enqueueAfter(namespace, SETTLE_MS);
    for (const backend of backends.used()) backendQueue.enqueueAfter(backend, SETTLE_MS);
    tellOfPolicies(grants.policies());
  }

  function tellOfNamespace(namespace: string): void {
    for (const { metadata } of blocks.list()) {
      const state = book.of(metadata.name);
      if (state !== undefined && isAbout(state.block, namespace)) {
        blockQueue.enqueueAfter(metadata.name, TELL_MS);
      }
    }
    tellOfPolicies(new Set(grants.inNamespace(namespace).map(({ policy }) => policy.name)));
  }

  function tellOfBlocks(): void {
    enqueueBlocks(TELL_MS);
  }

  function tellOfPolicies(names: Iterable<string>): void {
    for (const name of names) {
      const of = grants.of(name);
      deps.policyStatus.tell(name, of && policyNetwork(name, of, outcomes, facts.missing()));
    }
  }

  blocks.onChange((change) => {
    const { metadata } = change.object;
    const isNew =
      change.type !== 'Updated' ||
      change.previous.metadata.generation !== metadata.generation ||
      change.previous.metadata.deletionTimestamp !== metadata.deletionTimestamp;
    // A change of status alone changes nothing that anybody decides by.
    if (!isNew) return;
    blockQueue.enqueue(metadata.name, 'urgent');
    feedQueue.enqueue(metadata.name);
  });
  deps.policies.onChange((change) => {
    const isNew =
      change.type !== 'Updated' ||
      change.previous.metadata.generation !== change.object.metadata.generation ||
      change.previous.metadata.deletionTimestamp !== change.object.metadata.deletionTimestamp;
    if (isNew)
      onPolicy(change.object.metadata.name, change.type === 'Deleted' ? undefined : change.object);
  });
  function onPolicy(name: string, policy: AccessPolicy | undefined): void {
    const touched = grants.look(name, policy);
    hosts.open(grants.hosts());
    for (const namespace of touched) namespaces.enqueueAfter(namespace, SETTLE_MS);
    tellOfPolicies([name]);
    if (grants.of(name) === undefined) deps.policyStatus.tell(name, undefined);
  }
  guarded.onNamespace((namespace) => {
    followers.set(namespace, guarded.isReady(namespace));
    for (const policy of deps.policies.list()) {
      if (policy.spec.network !== undefined) grants.look(policy.metadata.name, policy);
    }
    namespaces.enqueueAfter(namespace, SETTLE_MS);
    for (const backend of backends.used()) backendQueue.enqueueAfter(backend, SETTLE_MS);
    tellOfPolicies(grants.policies());
    tellOfBlocks();
  });
  guarded.namespaces.onChange(() => judge.forget());
  guarded.onPods((namespace) => {
    namespaces.enqueueAfter(namespace, SETTLE_MS);
    if (backends.used().includes('NodeAgent')) {
      backendQueue.enqueueAfter('NodeAgent', SETTLE_MS);
    }
  });
  guarded.credentials.onChange(hosts.recheck);
  reports.onChange(tellOfBlocks);
  const lookAround = (): void => surroundings.enqueueAfter('cluster', SETTLE_MS);
  facts.onChange(lookAround);
  names.onChange(lookAround);

  surroundings.enqueue('cluster');

  guarded.beforeRelease((namespace, signal) =>
    releaseNamespace(
      client,
      namespace,
      { audit: deps.audit, actor, requestId: `release/${namespace}` },
      signal,
    ),
  );

  return {
    informers: [
      ...[
        { name: 'network: ip blocks', informer: blocks },
        { name: 'network: node reports', informer: reports },
      ].map(({ name, informer }): Runnable => ({
        name,
        run: (signal) => informer.run(signal),
        ready: (signal) => informer.synced(signal),
      })),
      followers,
      ...facts.informers,
      { name: 'network: names', run: (signal) => names.run(signal) },
    ],
    controllers: [
      backends.discovery,
      surroundings,
      clearing,
      feedQueue,
      namespaces,
      backendQueue,
      blockQueue,
    ],
    service: followers.service,
    lastActivityAgeMs: () => Math.max(blocks.lastActivityAgeMs(), facts.lastActivityAgeMs()),
  };
}
