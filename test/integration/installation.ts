import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import { CONFIG_MAPS, NAMESPACES } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { connect } from './cluster.ts';
import {
  buildProgram,
  installChart,
  kubeconfigOf,
  scratchDirectory,
  startOperator,
  uninstallChart,
} from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';

/** The chart in a namespace of its own, and the bundled program to run with its rights. */
export interface Installation extends AsyncDisposable {
  /** As the cluster's admin. */
  readonly client: KubeClient;
  readonly namespace: string;
  /** Path of the bundled program. */
  readonly program: string;
  /** A private directory that goes with the installation. */
  readonly scratch: string;
  start(identity: string, args?: readonly string[]): Promise<OperatorProcess>;
}

export async function createInstallation(): Promise<Installation> {
  await using building = new AsyncDisposableStack();
  const namespace = `strongroom-${randomBytes(3).toString('hex')}`;
  const admin = inject('kubeconfig');
  const client = building.use(await connect());
  const program = await buildProgram();
  const scratch = building.use(await scratchDirectory()).path;
  await installChart(admin, namespace);
  building.defer(async () => {
    await uninstallChart(admin, namespace);
    await client.delete(NAMESPACES, { name: namespace });
  });
  const kubeconfig = await kubeconfigOf(admin, namespace, 'strongroom-operator', scratch);
  const cleanup = building.move();
  return {
    client,
    namespace,
    program,
    scratch,
    async start(identity, args = []) {
      const operator = await startOperator({ program, kubeconfig, namespace, identity, args });
      await eventually(
        () => client.find(CONFIG_MAPS, { namespace, name: 'strongroom-seal-keys' }),
        { what: `the public seal keys; the operator printed ${operator.output()}` },
      );
      return operator;
    },
    [Symbol.asyncDispose]: () => cleanup.disposeAsync(),
  };
}
