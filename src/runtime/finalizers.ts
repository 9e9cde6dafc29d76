import type { JsonPatchOperation, KubeClient } from '#kube/client.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

export function hasFinalizer(object: KubeObject, finalizer: string): boolean {
  return object.metadata.finalizers?.includes(finalizer) ?? false;
}

/** Adds a finalizer. ERR_KUBE_CONFLICT when the object has changed since it was read. */
export async function addFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T> {
  if (hasFinalizer(object, finalizer)) return object;
  return patchFinalizers(
    client,
    resource,
    object,
    [...(object.metadata.finalizers ?? []), finalizer],
    signal,
  );
}

/**
 * Takes a finalizer off; the object may be gone then. Call it only when what it stands for has been
 * done. ERR_KUBE_CONFLICT when the object has changed since it was read.
 */
export async function removeFinalizer<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  finalizer: string,
  signal: AbortSignal,
): Promise<T> {
  if (!hasFinalizer(object, finalizer)) return object;
  const others = (object.metadata.finalizers ?? []).filter((name) => name !== finalizer);
  return patchFinalizers(client, resource, object, others, signal);
}

function patchFinalizers<T extends KubeObject>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  finalizers: readonly string[],
  signal: AbortSignal,
): Promise<T> {
  const { name, namespace, resourceVersion } = object.metadata;
  const operations: readonly JsonPatchOperation[] = [
    // The list is replaced whole, so nobody may have changed it since. A `test` would say so too,
    // but as a request that is invalid for ever (422), where this is a conflict (409).
    { op: 'replace', path: '/metadata/resourceVersion', value: resourceVersion },
    {
      op: object.metadata.finalizers === undefined ? 'add' : 'replace',
      path: '/metadata/finalizers',
      value: finalizers,
    },
  ];
  return client.jsonPatch(
    resource,
    namespace === undefined ? { name } : { namespace, name },
    operations,
    { signal },
  );
}
