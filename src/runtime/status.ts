import { isDeepStrictEqual } from 'node:util';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';

type WithStatus = KubeObject & { readonly status?: unknown };

/** Others write to the object, too; whoever is this unlucky tries again later. */
const MAX_ATTEMPTS = 5;

/**
 * Writes the whole status by server-side apply, unless it already says so. Returns whether it wrote.
 * `undefined` members count as absent. What others changed meanwhile does not matter, but for one
 * thing: ERR_KUBE_CONFLICT when the object was deleted and made anew, ERR_KUBE_NOT_FOUND when it
 * was only deleted.
 */
export async function writeStatus<T extends WithStatus>(
  client: KubeClient,
  resource: Resource<T>,
  object: T,
  status: NonNullable<T['status']>,
  fieldManager: string,
  signal: AbortSignal,
): Promise<boolean> {
  const next: unknown = JSON.parse(JSON.stringify(status));
  if (isDeepStrictEqual(object.status, next)) return false;
  const { name, namespace, uid } = object.metadata;
  const at = namespace === undefined ? { name } : { namespace, name };
  let { resourceVersion } = object.metadata;
  for (let attempt = 1; ; attempt += 1) {
    try {
      await client.apply<WithStatus>(
        resource,
        {
          apiVersion: apiVersionOf(resource),
          kind: resource.kind,
          // The status subresource does not look at a uid, so that only the resource version keeps
          // the status from an object that was made anew.
          metadata: { ...at, ...(resourceVersion === undefined ? {} : { resourceVersion }) },
          status: next,
        },
        { fieldManager, force: true, subresource: 'status', signal },
      );
      return true;
    } catch (error) {
      if (!isKubeError(error, 'ERR_KUBE_CONFLICT') || attempt === MAX_ATTEMPTS) throw error;
      const present = await client.get(resource, at, { signal });
      if (present.metadata.uid !== uid) throw error;
      ({ resourceVersion } = present.metadata);
    }
  }
}
