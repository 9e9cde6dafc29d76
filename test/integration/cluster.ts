import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import { NAMESPACES } from '../../src/kube/resources.ts';

/** A client of the shared cluster, as its admin. */
export async function connect(): Promise<KubeClient> {
  return createKubeClient(await loadClusterConfig({ kubeconfig: inject('kubeconfig') }));
}

export interface TestNamespace extends AsyncDisposable {
  readonly name: string;
  readonly uid: string;
}

/** A namespace of its own for a test file; deleted when disposed of. */
export async function createNamespace(
  client: KubeClient,
  prefix: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<TestNamespace> {
  const name = `${prefix}-${randomBytes(4).toString('hex')}`;
  const created = await client.create(NAMESPACES, {
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name, labels },
  });
  return {
    name,
    uid: created.metadata.uid ?? '',
    [Symbol.asyncDispose]: () => client.delete(NAMESPACES, { name }),
  };
}
