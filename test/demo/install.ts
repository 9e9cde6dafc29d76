import path from 'node:path';
import { buildImage } from '../cluster/index.ts';
import { createShell } from './shell.ts';
import type { Shell } from './shell.ts';

/** Builds the image, loads it into the nodes of the cluster, and installs the chart from it. */
export async function installChart(
  shell: Shell,
  root: string,
  images: readonly string[] = [],
): Promise<void> {
  const archive = await buildImage({
    dockerfile: path.join(root, 'Dockerfile'),
    context: root,
    // The name carries a host, as containerd knows images by their full names only.
    tag: 'localhost/strongroom:local',
    progress: (line) => shell.say(line),
  });
  await shell.show(process.execPath, [
    path.join(root, 'test/cluster/main.ts'),
    'load',
    archive,
    ...images,
  ]);
  // Policies see the API server's own port, after the Service's address was translated.
  const { stdout: port } = await shell.kubectl([
    'get',
    'endpoints',
    'kubernetes',
    '-n',
    'default',
    '-o',
    'jsonpath={.subsets[0].ports[0].port}',
  ]);
  await shell.helm([
    'upgrade',
    '--install',
    'strongroom',
    path.join(root, 'charts/strongroom'),
    '--namespace',
    'strongroom-system',
    '--create-namespace',
    '--set',
    'image.repository=localhost/strongroom',
    '--set',
    'image.tag=local',
    '--set',
    `networkPolicy.apiServer.ports={443,${port}}`,
    // It runs beside the cluster here, where the operator cannot see it.
    '--set',
    'network.policyEngine=Present',
    '--wait',
    '--timeout',
    '180s',
  ]);
}

if (import.meta.main) {
  const root = path.resolve(import.meta.dirname, '../..');
  const kubeconfig = process.env['KUBECONFIG'] ?? path.join(root, '.cluster', 'kubeconfig');
  const shell = createShell({ root, cwd: root, env: { ...process.env, KUBECONFIG: kubeconfig } });
  await installChart(shell, root);
  shell.say((await shell.kubectl(['get', 'pods', '-n', 'strongroom-system'])).stdout.trimEnd());
}
