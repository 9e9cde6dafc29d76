/**
 * A block of 50,000 CIDRs until a real pod is cut off from an address of it, by NetworkPolicies that a
 * real engine enforces; against the same NetworkPolicies written by a bare loop. And how many writes
 * one more CIDR costs.
 */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { IP_BLOCKS } from '../src/api/ip-block.ts';
import type { IPBlock } from '../src/api/ip-block.ts';
import type { KubeClient } from '../src/kube/client.ts';
import { loadClusterConfig } from '../src/kube/config.ts';
import { createKubeClient } from '../src/kube/create-client.ts';
import type { NetworkPolicy } from '../src/kube/objects.ts';
import { NAMESPACES, NETWORK_POLICIES, SERVICE_ACCOUNTS } from '../src/kube/resources.ts';
import {
  binary,
  nodeSupport,
  startControlPlane,
  startNode,
  startOutsideHost,
  testImages,
} from '../test/cluster/index.ts';
import {
  buildProgram,
  installChart,
  kubeconfigOf,
  scratchDirectory,
  startOperator,
} from '../test/integration/operator-process.ts';
import { connectTo, echoServer } from '../test/node/talk.ts';
import type { Benchmark } from './benchmark.ts';

const CIDRS = 50_000;
const ROUNDS = 3;
const SCANNER = '198.51.100.66';
const NAMESPACE = 'trading';
const OPERATOR = 'strongroom-system';

export const blocks: Benchmark = {
  name: 'blocks',
  async run() {
    const support = nodeSupport();
    if (!support.supported) throw new Error(`needs a node: ${support.reason}`);
    await using undo = new AsyncDisposableStack();
    const controlPlane = undo.use(
      await startControlPlane({ progress: console.error, reachableFromNodes: true }),
    );
    const node = undo.use(await startNode(controlPlane, { progress: console.error }));
    await node.loadImage((await testImages(console.error)).shell);
    const outside = undo.use(await startOutsideHost(controlPlane, SCANNER));
    outside.start(echoServer([443]));
    const kubeconfig = controlPlane.kubeconfigPath;
    const client = undo.use(createKubeClient(await loadClusterConfig({ kubeconfig })));
    const kubectl = await prepare(client, kubeconfig);
    const operator = undo.use(await startedOperator(undo, kubeconfig));

    const reaches = (): Promise<boolean> =>
      kubectl(['exec', '-n', NAMESPACE, 'maker', '--', ...connectTo(SCANNER, 443)]).then(
        () => true,
        () => false,
      );
    const until = async (wanted: boolean): Promise<void> => {
      for (const deadline = performance.now() + 120_000; performance.now() < deadline;) {
        if ((await reaches()) === wanted) return;
      }
      throw new Error(`the pod still ${wanted ? 'does not reach' : 'reaches'} ${SCANNER}`);
    };
    const ours: number[] = [];
    const bare: number[] = [];
    let compiled: readonly NetworkPolicy[] = [];
    for (let round = 0; round < ROUNDS; round += 1) {
      await until(true);
      const started = performance.now();
      await client.create<IPBlock>(IP_BLOCKS, blockOf(CIDRS));
      // The attempt that fails waits three seconds for an answer; the cut came before it.
      await until(false);
      ours.push(performance.now() - started - 3_000);
      compiled = await policiesOf(client);
      await client.delete(IP_BLOCKS, { name: 'bench' });
      await until(true);
    }
    console.log(
      `  ${compiled.length} NetworkPolicies; writes for one more CIDR: ${await oneMore(client, operator)}`,
    );
    await operator.stop();
    for (const { metadata } of await policiesOf(client)) {
      await client.delete(NETWORK_POLICIES, { namespace: NAMESPACE, name: metadata.name });
    }
    for (let round = 0; round < ROUNDS; round += 1) {
      await until(true);
      const started = performance.now();
      for (const { apiVersion, kind, metadata, spec } of compiled) {
        await client.create<NetworkPolicy>(NETWORK_POLICIES, {
          apiVersion,
          kind,
          metadata: { namespace: NAMESPACE, name: metadata.name },
          ...(spec === undefined ? {} : { spec }),
        });
      }
      await until(false);
      bare.push(performance.now() - started - 3_000);
      for (const { metadata } of compiled) {
        await client.delete(NETWORK_POLICIES, { namespace: NAMESPACE, name: metadata.name });
      }
    }
    return [
      {
        what: `a block of ${CIDRS} CIDRs, from its creation until a pod is cut off, by NetworkPolicies`,
        ours,
        peers: { 'the same NetworkPolicies, written by a bare loop': bare },
      },
    ];
  },
};

/** Of scattered /28s, so that nothing of it can be joined; the scanner's is the first. */
function blockOf(count: number): IPBlock {
  const cidrs = ['198.51.100.64/28'];
  for (let index = 0; cidrs.length < count; index += 1) {
    cidrs.push(`${20 + (index >> 12)}.${(index >> 4) & 255}.${(index & 15) << 4}.0/28`);
  }
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: 'bench' },
    spec: { cidrs, reason: 'bench', direction: 'Egress' },
  };
}

async function policiesOf(client: KubeClient): Promise<readonly NetworkPolicy[]> {
  const { items } = await client.list(NETWORK_POLICIES, { namespace: NAMESPACE });
  return items;
}

/** Writes of NetworkPolicies that one CIDR more brings about. */
async function oneMore(client: KubeClient, operator: { output(): string }): Promise<number> {
  const written = (): number =>
    operator
      .output()
      .split('\n')
      .filter((line) => line.includes('"act":"NetworkPolicy') && line.includes('Succeeded')).length;
  await client.create<IPBlock>(IP_BLOCKS, blockOf(CIDRS));
  await settled(written);
  const before = written();
  const [first, ...others] = blockOf(CIDRS).spec.cidrs ?? [];
  const cidrs = [first ?? '', '45.0.0.16/28', ...others.slice(1)];
  await client.mergePatch(IP_BLOCKS, { name: 'bench' }, { spec: { cidrs } });
  await settled(written, before);
  const after = written();
  await client.delete(IP_BLOCKS, { name: 'bench' });
  await settled(written, after);
  return after - before;
}

/** Until something was counted and nothing more comes. */
async function settled(count: () => number, from = 0): Promise<void> {
  let before: number;
  do {
    before = count();
    await delay(3_000);
  } while (count() === from || count() > before);
}

async function prepare(client: KubeClient, kubeconfig: string) {
  const program = await binary('kubectl');
  const run = promisify(execFile);
  const kubectl = (args: readonly string[]) => run(program, ['--kubeconfig', kubeconfig, ...args]);
  const crds = path.resolve(import.meta.dirname, '../crds');
  await kubectl(['apply', '--server-side', '-f', crds]);
  await kubectl(['wait', '--for=condition=Established', '--timeout=60s', '-f', crds]);
  await client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: NAMESPACE, labels: { 'strongroom.dev/guarded': 'true' } },
  });
  const account = { namespace: NAMESPACE, name: 'default' };
  while ((await client.find(SERVICE_ACCOUNTS, account)) === undefined) await delay(100);
  await kubectl([
    'run',
    'maker',
    '-n',
    NAMESPACE,
    '--image=strongroom.test/shell:1',
    '--image-pull-policy=Never',
    '--command',
    '--',
    'sleep',
    'infinity',
  ]);
  await kubectl(['wait', '-n', NAMESPACE, '--for=condition=Ready', 'pod/maker', '--timeout=120s']);
  return kubectl;
}

async function startedOperator(undo: AsyncDisposableStack, kubeconfig: string) {
  const program = await buildProgram();
  await installChart(kubeconfig, OPERATOR, ['replicas=1']);
  const scratch = undo.use(await scratchDirectory());
  const config = path.join(scratch.path, 'operator.yaml');
  await writeFile(config, JSON.stringify({ network: { policyEngine: 'Present' } }));
  return startOperator({
    program,
    kubeconfig: await kubeconfigOf(kubeconfig, OPERATOR, 'strongroom-operator', scratch.path),
    namespace: OPERATOR,
    identity: 'bench',
    args: ['--config', config],
  });
}
