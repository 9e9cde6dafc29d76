import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Progress, kubernetesVersion } from './build.ts';
import { installTools, missingTools, nodeTools } from './packages.ts';

export type NodeSupport =
  | { readonly supported: true }
  | { readonly supported: false; readonly reason: string };

/** Whether nodes, which run pods, can be started on this machine; tests skip with the reason. */
export function nodeSupport(): NodeSupport {
  if (process.platform !== 'linux') return no('nodes run on Linux only');
  if (process.getuid?.() !== 0) return no('nodes need root: they make network namespaces');
  if (kubernetesVersion() !== '1.37') {
    return no('nodes are of Kubernetes 1.37, and a kubelet may not be newer than the API server');
  }
  const missing = missingTools(nodeTools);
  if (missing.length > 0 && !onPath('apt-get')) {
    return no(`missing ${missing.join(', ')}, and there is no apt-get to install them with`);
  }
  if (!onPath('unshare')) return { supported: true };
  try {
    // Root in a container is often not allowed to.
    execFileSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true'], { stdio: 'pipe' });
  } catch {
    return no('this machine does not let root make namespaces');
  }
  return { supported: true };
}

const no = (reason: string): NodeSupport => ({ supported: false, reason });

/** Installs what nodes need. @throws Error with the reason where no node can run. */
export async function ensureNodeSupport(progress: Progress): Promise<void> {
  const support = nodeSupport();
  if (!support.supported) throw new Error(`no node can run here: ${support.reason}`);
  await installTools(nodeTools, progress);
}

/**
 * A cluster that the environment gives and that suites use instead of one of their own: where
 * `KUBECONFIG` is set, or where Docker runs and `kind` has a cluster named `strongroom`.
 */
export function externalCluster(): { readonly kubeconfig: string } | undefined {
  const [given] = (process.env['KUBECONFIG'] ?? '').split(delimiter);
  if (given) return { kubeconfig: given };
  if (!onPath('kind') || !onPath('docker')) return undefined;
  try {
    const options = { encoding: 'utf8', stdio: 'pipe', timeout: 20_000 } as const;
    const clusters = execFileSync('kind', ['get', 'clusters'], options).split('\n');
    if (!clusters.includes('strongroom')) return undefined;
    const kubeconfig = join(process.cwd(), '.cluster', 'kind.kubeconfig');
    execFileSync(
      'kind',
      ['export', 'kubeconfig', '--name', 'strongroom', '--kubeconfig', kubeconfig],
      options,
    );
    return { kubeconfig };
  } catch {
    // The client is there but no engine answers.
    return undefined;
  }
}

function onPath(program: string): boolean {
  return (process.env['PATH'] ?? '')
    .split(delimiter)
    .some((directory) => directory !== '' && existsSync(join(directory, program)));
}
