/** A cluster with a node, and Strongroom installed in it as a user would: from the image and the chart. */
import { execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { KubeClient } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import { NAMESPACES } from '../../src/kube/resources.ts';
import {
  type ClusterNode,
  type ControlPlane,
  binary,
  buildImage,
  startControlPlane,
  startNode,
  testImages,
} from '../cluster/index.ts';
import { buildProgram } from '../integration/operator-process.ts';

export const OPERATOR_NAMESPACE = 'strongroom-system';
export const SHELL_IMAGE = 'strongroom.test/shell:1';

const root = path.resolve(import.meta.dirname, '../..');
const execute = promisify(execFile);

export interface Installation extends AsyncDisposable {
  readonly controlPlane: ControlPlane;
  /** As admin. */
  readonly client: KubeClient;
  readonly kubeconfig: string;
  /** The bundled program, for the command line. */
  readonly program: string;
  /** The image's OCI archive. */
  readonly image: string;
  /** `helm upgrade` to the same chart with these values changed; waits for the rollout. */
  upgrade(values: Readonly<Record<string, string>>): Promise<void>;
  /** As admin. Rejects, with stderr in the message, when kubectl fails. */
  kubectl(args: readonly string[], input?: string): Promise<string>;
}

/**
 * The operator's namespace enforces the `restricted` pod security standard, so that an operator
 * that asks for more does not even start.
 */
export async function install(
  progress: (line: string) => void,
  options: { readonly nodes?: number; readonly values?: Readonly<Record<string, string>> } = {},
): Promise<Installation> {
  await using undo = new AsyncDisposableStack();
  const controlPlane = undo.use(await startControlPlane({ progress, reachableFromNodes: true }));
  const nodes: ClusterNode[] = [];
  for (let started = 0; started < (options.nodes ?? 1); started += 1) {
    nodes.push(undo.use(await startNode(controlPlane, { progress })));
  }
  const kubeconfig = controlPlane.kubeconfigPath;
  const client = undo.use(createKubeClient(await loadClusterConfig({ kubeconfig })));

  const { shell } = await testImages(progress);
  const image = await buildImage({
    dockerfile: path.join(root, 'Dockerfile'),
    context: root,
    // With a host: containerd knows images by their full names only. The demo's tag, so that the
    // two share one build.
    tag: 'localhost/strongroom:local',
    progress,
  });
  for (const node of nodes) {
    await node.loadImage(shell);
    await node.loadImage(image);
  }

  await client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: {
      name: OPERATOR_NAMESPACE,
      labels: { 'pod-security.kubernetes.io/enforce': 'restricted' },
    },
  });
  // Policies see the API server's own port, after the Service's address was translated.
  const apiServerPort = new URL(controlPlane.server).port;
  const kubectlPath = await binary('kubectl');
  const kubectl = (args: readonly string[], input?: string): Promise<string> =>
    run(kubectlPath, ['--kubeconfig', kubeconfig, ...args], input);
  progress('installing the chart');
  const helm = await binary('helm');
  const upgrade = async (values: Readonly<Record<string, string>>): Promise<void> => {
    await execute(helm, [
      'upgrade',
      '--install',
      'strongroom',
      path.join(root, 'charts/strongroom'),
      '--kubeconfig',
      kubeconfig,
      '--namespace',
      OPERATOR_NAMESPACE,
      '--wait',
      '--timeout',
      '180s',
      '--reuse-values',
      ...Object.entries(values).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ]);
  };
  try {
    await upgrade({
      'image.repository': 'localhost/strongroom',
      'image.tag': 'local',
      'image.pullPolicy': 'Never',
      'networkPolicy.apiServer.ports': `{443,${apiServerPort}}`,
      ...options.values,
    });
  } catch (error) {
    // Helm says that it waited in vain; why, only the pods know, and they end with the cluster.
    const of = ['-n', OPERATOR_NAMESPACE];
    const pods = await kubectl(['describe', ...of, 'pods']);
    const logs = await kubectl(['logs', ...of, 'deployment/strongroom-operator']).catch(String);
    throw new Error(`the operator does not start\n${pods}\n${logs}`, { cause: error });
  }
  const program = await buildProgram();
  const owned = undo.move();
  return {
    controlPlane,
    client,
    kubeconfig,
    program,
    image,
    upgrade,
    kubectl,
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

async function run(command: string, args: readonly string[], input = ''): Promise<string> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  child.stdin.end(input);
  const { promise, resolve, reject } = Promise.withResolvers<number | null>();
  child.once('error', reject);
  child.once('close', resolve);
  const code = await promise;
  if (code !== 0) {
    throw new Error(`${path.basename(command)} ${args.join(' ')} failed (${code}): ${stderr}`);
  }
  return stdout;
}
