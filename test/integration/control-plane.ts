import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { TestProject } from 'vitest/node';
import { binary, externalCluster, startControlPlane } from '../cluster/index.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Path of an admin's kubeconfig; the cluster has our CRDs. */
    readonly kubeconfig: string;
  }
}

const root = path.resolve(import.meta.dirname, '../..');

/** One control plane for all integration suites; $KUBECONFIG's cluster where it is set. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const external = externalCluster();
  const own =
    external === undefined
      ? await startControlPlane({ progress: (line) => console.error(line) })
      : undefined;
  const kubeconfig = external?.kubeconfig ?? own?.kubeconfigPath ?? '';
  await promisify(execFile)(await binary('kubectl'), [
    '--kubeconfig',
    kubeconfig,
    'apply',
    '--server-side',
    '-f',
    path.join(root, 'crds'),
  ]);
  await promisify(execFile)(await binary('kubectl'), [
    '--kubeconfig',
    kubeconfig,
    'wait',
    '--for=condition=Established',
    '--timeout=60s',
    '-f',
    path.join(root, 'crds'),
  ]);
  project.provide('kubeconfig', kubeconfig);
  return async () => {
    await own?.stop();
  };
}
