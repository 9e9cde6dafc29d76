/**
 * Pods that are created through a real API server: in a guarded namespace, where webhook and policies
 * are asked, and in one that is not, in turns.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';
import { ACCESS_POLICIES } from '../src/api/access-policy.ts';
import { EXCHANGE_CREDENTIALS } from '../src/api/exchange-credential.ts';
import type { KubeClient } from '../src/kube/client.ts';
import { loadClusterConfig } from '../src/kube/config.ts';
import { createKubeClient } from '../src/kube/create-client.ts';
import type { Pod } from '../src/kube/objects.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CONFIG_MAPS,
  NAMESPACES,
  PODS,
  SECRETS,
  SERVICE_ACCOUNTS,
} from '../src/kube/resources.ts';
import { binary, startControlPlane } from '../test/cluster/index.ts';
import { eventually } from '../test/eventually.ts';
import {
  buildProgram,
  installChart,
  kubeconfigOf,
  scratchDirectory,
  startOperator,
} from '../test/integration/operator-process.ts';
import { quantile } from './benchmark.ts';
import type { Comparison } from './benchmark.ts';

const PODS_EACH = 500;
const WARM = 50;
/** All about the guarded namespace, each for a desk and a bot of its own. */
const POLICIES = 1_000;
const OPERATOR = 'strongroom-system';
const GUARDED = 'bench-guarded';
const OPEN = 'bench-open';

export async function createdPods(): Promise<Comparison> {
  const program = await buildProgram();
  await using scratch = await scratchDirectory();
  await using plane = await startControlPlane({ progress: console.error });
  const kubeconfig = plane.kubeconfigPath;
  const crds = path.resolve(import.meta.dirname, '../crds');
  for (const args of [
    ['apply', '--server-side', '-f', crds],
    ['wait', '--for=condition=Established', '--timeout=60s', '-f', crds],
  ]) {
    await promisify(execFile)(await binary('kubectl'), ['--kubeconfig', kubeconfig, ...args]);
  }
  await using admin = createKubeClient(await loadClusterConfig({ kubeconfig }));
  await prepare(admin);
  await installChart(kubeconfig, OPERATOR);
  const config = path.join(scratch.path, 'operator.yaml');
  const port = await freePort();
  const url = `https://127.0.0.1:${port}`;
  const admission = { enabled: true, host: '127.0.0.1', port, url };
  await writeFile(config, JSON.stringify({ admission }));
  await using operator = await startOperator({
    program,
    kubeconfig: await kubeconfigOf(kubeconfig, OPERATOR, 'strongroom-operator', scratch.path),
    namespace: OPERATOR,
    identity: 'bench',
    args: ['--config', config, '--log-level', 'info'],
  });
  const told = (): string => `the operator printed ${operator.output().slice(-3000)}`;
  await eventually(() => guards(admin), {
    what: `admission to guard; ${told()}`,
    timeoutMs: 120_000,
  });
  const deployer = await kubeconfigOf(kubeconfig, OPEN, 'deployer', scratch.path);
  await using client = createKubeClient(await loadClusterConfig({ kubeconfig: deployer }));
  await eventually(() => admin.find(SECRETS, { namespace: GUARDED, name: 'key' }), {
    what: 'the Secret',
  });
  // Else nothing would be measured.
  await client.create(PODS, podIn(GUARDED, 'first', 'bot'));
  const isRefused = await client.create(PODS, podIn(GUARDED, 'refused', 'other')).then(
    () => false,
    () => true,
  );
  if (!isRefused) throw new Error(`a pod that may not use the Secret was admitted; ${told()}`);

  const guarded: number[] = [];
  const open: number[] = [];
  for (let number = 0; number < WARM + PODS_EACH; number += 1) {
    const turns = [GUARDED, OPEN];
    for (const namespace of number % 2 === 0 ? turns : turns.reverse()) {
      const from = performance.now();
      await client.create(PODS, podIn(namespace, `pod-${number}`, 'bot'));
      if (number < WARM) continue;
      (namespace === GUARDED ? guarded : open).push(performance.now() - from);
    }
  }
  const added = (q: number): number => quantile(guarded, q) - quantile(open, q);
  return {
    what: 'create of a pod that uses a guarded Secret, through the API server, webhook and the twin, with 1,000 policies about its namespace',
    ours: guarded,
    peers: { 'the same pod where nothing is guarded': open },
    others: { 'added at the median (ms)': added(0.5), 'added at p99 (ms)': added(0.99) },
  };
}

async function prepare(admin: KubeClient): Promise<void> {
  const labels = {
    'strongroom.dev/guarded': 'true',
    'strongroom.dev/environment': 'Production',
  };
  for (const [name, given] of [
    [GUARDED, labels],
    [OPEN, {}],
  ] as const) {
    const metadata = { name, labels: given };
    await admin.create(NAMESPACES, { apiVersion: 'v1', kind: 'Namespace', metadata });
    for (const account of ['bot', 'other', 'deployer']) {
      await admin.create(SERVICE_ACCOUNTS, {
        apiVersion: 'v1',
        kind: 'ServiceAccount',
        metadata: { name: account, namespace: name },
      });
    }
  }
  const deployer = { kind: 'ServiceAccount' as const, namespace: OPEN, name: 'deployer' };
  await admin.create(CLUSTER_ROLE_BINDINGS, {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name: 'bench-deployer' },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' },
    subjects: [deployer],
  });
  await admin.create(ACCESS_POLICIES, {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name: 'bench' },
    spec: {
      subjects: [deployer, { kind: 'ServiceAccount', namespace: GUARDED, name: 'bot' }],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: [GUARDED] },
    },
  });
  for (let number = 1; number < POLICIES; number += 1) {
    await admin.create(ACCESS_POLICIES, {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'AccessPolicy',
      metadata: { name: `bench-${number}` },
      spec: {
        subjects: [
          { kind: 'Group', name: `desk-${number}` },
          { kind: 'ServiceAccount', namespace: GUARDED, name: `bot-${number}` },
        ],
        permissions: ['AccessSecrets'],
        environments: ['Production'],
        credentials: { namespaces: [GUARDED], names: [`key-${number}`] },
      },
    });
  }
  await admin.create(EXCHANGE_CREDENTIALS, {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { name: 'key', namespace: GUARDED },
    spec: {
      type: 'Password',
      environment: 'Production',
      owner: 'bench',
      source: { generate: {} },
      delivery: { secret: { name: 'key' } },
    },
  });
}

async function guards(admin: KubeClient): Promise<boolean> {
  const at = { namespace: OPERATOR, name: 'strongroom-status' };
  const { conditions = [] } = JSON.parse(
    (await admin.find(CONFIG_MAPS, at))?.data?.['status'] ?? '{}',
  ) as { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
  return conditions.some(({ type, status }) => type === 'AdmissionGuards' && status === 'True');
}

function podIn(namespace: string, name: string, serviceAccountName: string): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace },
    spec: {
      serviceAccountName,
      automountServiceAccountToken: false,
      containers: [
        {
          name: 'bot',
          image: 'registry.example.com/bot:1',
          volumeMounts: [{ name: 'key', mountPath: '/key' }],
        },
      ],
      volumes: [{ name: 'key', secret: { secretName: 'key' } }],
    },
  } as unknown as Pod;
}

/** The API server is told where the webhook is before it starts. */
async function freePort(): Promise<number> {
  const server = createServer();
  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', () => listening.resolve());
  await listening.promise;
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
