import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

/**
 * Deletes an object that was found, and none that took its name since. Resolves, too, when somebody
 * was faster, such as the garbage collector.
 */
export async function deleteFound(
  client: Pick<KubeClient, 'delete'>,
  resource: Resource,
  { metadata }: Pick<KubeObject, 'metadata'>,
  signal: AbortSignal,
): Promise<void> {
  const { namespace, name, uid } = metadata;
  try {
    await client.delete(
      resource,
      { ...(namespace === undefined ? {} : { namespace }), name },
      { signal, ...(uid === undefined ? {} : { uid }) },
    );
  } catch (error) {
    const isGone =
      isKubeError(error, 'ERR_KUBE_NOT_FOUND') || isKubeError(error, 'ERR_KUBE_CONFLICT');
    if (!isGone) throw error;
  }
}
