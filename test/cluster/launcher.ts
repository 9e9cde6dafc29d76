/**
 * For cluster.test.ts: starts a cluster, says what it is made of in one line of JSON, and waits to
 * be killed.
 *
 * usage: launcher.ts control-plane|node
 */
import { binary } from './build.ts';
import { startControlPlane } from './control-plane.ts';
import { testImages } from './image.ts';
import { startNode } from './node.ts';
import { run, until } from './process.ts';

const withNode = process.argv[2] === 'node';
const controlPlane = await startControlPlane({ reachableFromNodes: withNode });
let networkNamespace: string | undefined;
if (withNode) {
  const node = await startNode(controlPlane);
  ({ networkNamespace } = node);
  await node.loadImage((await testImages()).shell);
  const kubectl = await binary('kubectl');
  const admin = ['--kubeconfig', controlPlane.kubeconfigPath];
  const image = '--image=strongroom.test/shell:1';
  await run(kubectl, [...admin, 'run', 'sleeper', image, '--', 'sleep', '1000000']);
  await until('the pod runs', async () => {
    const phase = ['get', 'pod', 'sleeper', '--output=jsonpath={.status.phase}'];
    return (await run(kubectl, [...admin, ...phase])) === 'Running' ? true : undefined;
  });
}
console.log(JSON.stringify({ directory: controlPlane.directory, networkNamespace }));
setInterval(() => undefined, 3_600_000);
