/** Our client against `@kubernetes/client-node`, on the same real API server. */
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { loadClusterConfig } from '../src/kube/config.ts';
import { createKubeClient } from '../src/kube/create-client.ts';
import { CONFIG_MAPS, NAMESPACES } from '../src/kube/resources.ts';
import { externalCluster, startControlPlane } from '../test/cluster/index.ts';
import { sample } from './benchmark.ts';
import type { Benchmark } from './benchmark.ts';

const SEQUENTIAL = 300;
const AT_ONCE = 32;
const BATCHES = 20;
const OBJECTS = 2000;

export const client: Benchmark = {
  name: 'client',
  async run() {
    await using own =
      externalCluster() === undefined ? await startControlPlane({ progress: console.error }) : null;
    const kubeconfig = own?.kubeconfigPath ?? externalCluster()?.kubeconfig ?? '';
    await using ours = createKubeClient(await loadClusterConfig({ kubeconfig }));
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const theirs = config.makeApiClient(CoreV1Api);

    const namespace = `bench-${process.pid}`;
    await ours.create(NAMESPACES, {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace },
    });
    try {
      const name = 'object-0';
      for (let from = 0; from < OBJECTS; from += AT_ONCE) {
        await Promise.all(
          Array.from({ length: AT_ONCE }, (_, index) =>
            ours.create(CONFIG_MAPS, {
              apiVersion: 'v1',
              kind: 'ConfigMap',
              metadata: { name: `object-${from + index}`, namespace },
              data: { key: 'x'.repeat(200) },
            }),
          ),
        );
      }
      const get = (): Promise<unknown> => ours.get(CONFIG_MAPS, { namespace, name });
      const theirGet = (): Promise<unknown> => theirs.readNamespacedConfigMap({ namespace, name });
      const batch = (one: () => Promise<unknown>) => (): Promise<unknown> =>
        Promise.all(Array.from({ length: AT_ONCE }, one));
      const peer = 'client-node';
      return [
        {
          what: 'get one object, one after the other',
          ours: await sample(SEQUENTIAL, get),
          peers: { [peer]: await sample(SEQUENTIAL, theirGet) },
        },
        {
          what: `get one object, ${AT_ONCE} at once`,
          ours: await sample(BATCHES, batch(get)),
          peers: { [peer]: await sample(BATCHES, batch(theirGet)) },
        },
        {
          what: `list ${OBJECTS} objects`,
          ours: await sample(BATCHES, () => ours.list(CONFIG_MAPS, { namespace })),
          peers: {
            [peer]: await sample(BATCHES, () => theirs.listNamespacedConfigMap({ namespace })),
          },
        },
      ];
    } finally {
      await ours.delete(NAMESPACES, { name: namespace });
    }
  },
};
