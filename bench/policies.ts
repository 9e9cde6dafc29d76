/** 1,000 policies at once until their RBAC stands, against a bare loop that does the same writes. */
import { setTimeout as delay } from 'node:timers/promises';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { pino } from 'pino';
import { Registry } from 'prom-client';
import { createAccessController } from '../src/access/controller.ts';
import { createNetworkStatusBoard } from '../src/access/network-status.ts';
import { compilePolicy } from '../src/access/compile.ts';
import { factsOf } from '../src/access/facts.ts';
import { INSTALLATION_STATUS } from '../src/access/installation.ts';
import { wantedAccess } from '../src/access/rbac/grants.ts';
import { rbacPair } from '../src/access/rbac/objects.ts';
import { ACCESS_POLICIES } from '../src/api/access-policy.ts';
import type { AccessPolicy } from '../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../src/api/exchange-credential.ts';
import type { KubeClient } from '../src/kube/client.ts';
import { loadClusterConfig } from '../src/kube/config.ts';
import { createKubeClient } from '../src/kube/create-client.ts';
import type { Namespace } from '../src/kube/objects.ts';
import { CONFIG_MAPS, NAMESPACES, ROLE_BINDINGS, ROLES } from '../src/kube/resources.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { createInformer } from '../src/runtime/informer.ts';
import { binary, externalCluster, startControlPlane } from '../test/cluster/index.ts';
import type { Benchmark } from './benchmark.ts';

const POLICIES = 1000;
const ROUNDS = 3;
/** As the controller's. */
const CONCURRENCY = 8;

export const policies: Benchmark = {
  name: 'policies',
  async run() {
    await using own =
      externalCluster() === undefined ? await startControlPlane({ progress: console.error }) : null;
    const kubeconfig = own?.kubeconfigPath ?? externalCluster()?.kubeconfig ?? '';
    const crds = path.resolve(import.meta.dirname, '../crds');
    for (const args of [
      ['apply', '--server-side', '-f', crds],
      ['wait', '--for=condition=Established', '--timeout=60s', '-f', crds],
    ]) {
      await promisify(execFile)(await binary('kubectl'), ['--kubeconfig', kubeconfig, ...args]);
    }
    await using client = createKubeClient(await loadClusterConfig({ kubeconfig }));
    const ours: number[] = [];
    const bare: number[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      // In turns, and each first once, so that neither meets the warmer server.
      const runs = [
        async () => ours.push(...(await controlled(kubeconfig, `bench-ours-${round}`))),
        async () => bare.push(...(await bareLoop(client, `bench-bare-${round}`))),
      ];
      for (const run of round % 2 === 0 ? runs : runs.reverse()) await run();
    }
    return [
      {
        what: `RBAC and status of one of ${POLICIES} policies applied at once`,
        ours,
        peers: { [`bare loop, ${CONCURRENCY} at once`]: bare },
      },
    ];
  },
};

async function controlled(kubeconfig: string, namespace: string): Promise<readonly number[]> {
  let writes = 0;
  await using client = createKubeClient(await loadClusterConfig({ kubeconfig }), {
    observe: ({ verb }) => {
      if (!['GET', 'LIST', 'WATCH'].includes(verb.toUpperCase())) writes += 1;
    },
  });
  await using _ = await prepare(client, namespace);
  const first = await startAccess(client, namespace);
  // As in an operator that runs: its first review of the cluster is done.
  const status = { namespace, name: INSTALLATION_STATUS };
  while ((await client.find(CONFIG_MAPS, status)) === undefined) await delay(50);
  const started = performance.now();
  await atOnce(policiesFor(namespace), (policy) => client.create(ACCESS_POLICIES, policy));
  const isReady = ({ status }: AccessPolicy) =>
    status?.conditions?.some(({ type, status: holds }) => type === 'Ready' && holds === 'True');
  while (first.policies.list().filter(isReady).length < POLICIES) await delay(5);
  const elapsed = performance.now() - started;
  const { items } = await client.list(ROLE_BINDINGS, { namespace });
  if (items.length !== POLICIES) throw new Error(`${items.length} RoleBindings stand`);
  // What follows from the RBAC of all policies together comes a second later.
  let before: number;
  do {
    before = writes;
    await delay(2_000);
  } while (writes > before);
  await first.stop();
  // A second controller looks at all of it anew.
  writes = 0;
  const second = await startAccess(client, namespace);
  while ((await second.looked()) < POLICIES) await delay(50);
  await delay(2_000);
  await second.stop();
  if (writes > 0) throw new Error(`a resync of ${POLICIES} policies wrote ${writes} times`);
  return [elapsed / POLICIES];
}

async function startAccess(client: KubeClient, namespace: string) {
  const stop = new AbortController();
  const log = pino({ level: 'silent' });
  const shared = { client, clock: systemClock, random: Math.random, log };
  const all = { allNamespaces: true as const };
  const registry = new Registry();
  const namespaces = createInformer<Namespace>({ ...shared, resource: NAMESPACES, scope: all });
  const credentials = createInformer<ExchangeCredential>({
    ...shared,
    resource: EXCHANGE_CREDENTIALS,
    scope: all,
    indexes: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
  });
  const access = createAccessController({
    networkStatus: createNetworkStatusBoard(),
    ...shared,
    guarded: {
      namespaces,
      credentials,
      isReady: (name) => name === namespace,
      deliveredSecret: ({ metadata }) => metadata.name,
      onNamespace: () => undefined,
      beforeRelease: () => undefined,
    },
    audit: async () => undefined,
    events: { emit: () => undefined, flush: async () => undefined },
    registry,
    operator: { namespace, serviceAccount: 'none', instance: 'bench' },
  });
  const running = [namespaces, credentials].map((informer) => informer.run(stop.signal));
  await Promise.all([namespaces.synced(stop.signal), credentials.synced(stop.signal)]);
  for (const informer of access.informers) {
    running.push(informer.run(stop.signal));
    await informer.ready?.(stop.signal);
  }
  running.push(...access.controllers.map((controller) => controller.run(stop.signal)));
  return {
    policies: access.policies,
    /** How many policies were worked on. */
    async looked(): Promise<number> {
      const metric = await registry.getSingleMetric('strongroom_access_rbac_objects')?.get();
      return metric?.values.length ?? 0;
    },
    async stop(): Promise<void> {
      stop.abort();
      await Promise.allSettled(running);
    },
  };
}

async function bareLoop(client: KubeClient, namespace: string): Promise<readonly number[]> {
  await using _ = await prepare(client, namespace);
  const { items } = await client.list<ExchangeCredential>(EXCHANGE_CREDENTIALS, { namespace });
  const world = {
    denies: [],
    namespaces: [
      {
        name: namespace,
        credentials: items.map((one) => ({
          facts: factsOf(one),
          deliveredSecret: one.metadata.name,
        })),
      },
    ],
    serviceAccountExists: () => true,
  };
  const started = performance.now();
  await atOnce(policiesFor(namespace), async (policy) => {
    const created = await client.create<AccessPolicy>(ACCESS_POLICIES, policy);
    const [grant] = wantedAccess(compilePolicy(created), world).grants;
    if (grant === undefined) throw new Error('nothing is granted');
    const { role, binding } = rbacPair(created, grant);
    await client.create(ROLES, role);
    await client.create(ROLE_BINDINGS, binding);
    await client.apply<AccessPolicy>(
      ACCESS_POLICIES,
      {
        apiVersion: created.apiVersion,
        kind: created.kind,
        metadata: { name: created.metadata.name },
        status: { subjects: 1, credentials: 1, namespaces: 1, rbacObjects: 2 },
      },
      { fieldManager: 'bench', force: true, subresource: 'status' },
    );
  });
  return [(performance.now() - started) / POLICIES];
}

/** A guarded namespace with ten credentials; all of it goes with the disposal. */
async function prepare(client: KubeClient, namespace: string): Promise<AsyncDisposable> {
  await client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: namespace, labels: { 'strongroom.dev/guarded': 'true' } },
  });
  for (let number = 0; number < 10; number += 1) {
    await client.create<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'ExchangeCredential',
      metadata: { name: `c-${number}`, namespace },
      spec: {
        type: 'Password',
        environment: 'Production',
        owner: 'bench',
        source: { generate: {} },
        delivery: { secret: { name: `c-${number}` } },
      },
    });
  }
  return {
    async [Symbol.asyncDispose]() {
      await atOnce(policiesFor(namespace), ({ metadata }) =>
        client.delete(ACCESS_POLICIES, { name: metadata.name }),
      );
      await client.delete(NAMESPACES, { name: namespace });
      while ((await client.list(ROLE_BINDINGS, { namespace })).items.length > 0) await delay(50);
    },
  };
}

function policiesFor(namespace: string): readonly AccessPolicy[] {
  return Array.from({ length: POLICIES }, (_, number) => ({
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name: `${namespace}-${number}` },
    spec: {
      subjects: [{ kind: 'Group', name: `desk-${number}` }],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: [namespace], names: [`c-${number % 10}`] },
    },
  }));
}

async function atOnce<T>(items: readonly T[], act: (item: T) => Promise<unknown>): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: CONCURRENCY }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await act(item);
    }),
  );
}
