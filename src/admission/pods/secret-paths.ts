/**
 * Every field of a PodSpec that can name a Secret: the one table from which requests are judged,
 * here and in the cluster's own policies. A test compares it with what the API server publishes.
 */

/** How a pod gets at the Secret. */
export type SecretUseKind = 'Environment' | 'Volume' | 'ImagePull' | 'VolumePlugin';

export interface SecretPath {
  /** From the PodSpec to the name; `[]` stands for every item of a list. */
  readonly path: readonly string[];
  readonly use: SecretUseKind;
  /** A key of a free map that volume drivers read: no schema has it. */
  readonly byConvention?: true;
}

const CONTAINER_LISTS = ['containers', 'initContainers', 'ephemeralContainers'] as const;

/** Volume plugins whose `secretRef` has a `name`. */
const PLUGINS = ['cephfs', 'cinder', 'flexVolume', 'iscsi', 'rbd', 'scaleIO', 'storageos'] as const;

const volume = (...path: readonly string[]): readonly string[] => ['volumes', '[]', ...path];

export const SECRET_PATHS: readonly SecretPath[] = [
  ...CONTAINER_LISTS.flatMap((list): readonly SecretPath[] => [
    { path: [list, '[]', 'env', '[]', 'valueFrom', 'secretKeyRef', 'name'], use: 'Environment' },
    { path: [list, '[]', 'envFrom', '[]', 'secretRef', 'name'], use: 'Environment' },
  ]),
  { path: volume('secret', 'secretName'), use: 'Volume' },
  { path: volume('projected', 'sources', '[]', 'secret', 'name'), use: 'Volume' },
  ...PLUGINS.map((plugin): SecretPath => ({
    path: volume(plugin, 'secretRef', 'name'),
    use: 'VolumePlugin',
  })),
  { path: volume('azureFile', 'secretName'), use: 'VolumePlugin' },
  { path: volume('csi', 'nodePublishSecretRef', 'name'), use: 'VolumePlugin' },
  {
    path: volume('csi', 'volumeAttributes', 'secretName'),
    use: 'VolumePlugin',
    byConvention: true,
  },
  { path: ['imagePullSecrets', '[]', 'name'], use: 'ImagePull' },
];
