export { type BinaryName, type ComponentName, type KubernetesVersion, binary } from './build.ts';
export { type ControlPlane, type ControlPlaneOptions, startControlPlane } from './control-plane.ts';
export { type NodeSupport, externalCluster, nodeSupport } from './support.ts';
export { type ClusterNode, type NodeOptions, startNode } from './node.ts';
export { type BuildImageOptions, buildImage, testImages } from './image.ts';
export { type OutsideHost, type OutsideProcess, startOutsideHost } from './outside.ts';
