import type { KubeClient, WriteOptions } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

/**
 * Applies an object, and creates it where applying finds none to change: Calico's API server up to
 * 3.32.0 answers so (projectcalico/calico#12841). Whatever else is missing, creating says too.
 */
export async function putObject(
  client: Pick<KubeClient, 'apply' | 'create'>,
  resource: Resource,
  object: KubeObject,
  options: WriteOptions & { readonly fieldManager: string },
): Promise<void> {
  try {
    await client.apply(resource, object, { ...options, force: true });
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND') || error.reason !== 'NotFound') throw error;
    await client.create(resource, object, options);
  }
}
