import { isDeepStrictEqual } from 'node:util';
import type { KubeClient } from '#kube/client.ts';
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';

type WithStatus = KubeObject & { readonly status?: unknown };

/**
 * Writes the whole status by server-side apply, unless it already says so. Returns whether it wrote.
 * `undefined` members count as absent.
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
  await client.apply<WithStatus>(
    resource,
    {
      apiVersion: apiVersionOf(resource),
      kind: resource.kind,
      metadata: {
        name,
        ...(namespace === undefined ? {} : { namespace }),
        // An object deleted and made anew meanwhile must not get this one's status.
        ...(uid === undefined ? {} : { uid }),
      },
      status: next,
    },
    { fieldManager, force: true, subresource: 'status', signal },
  );
  return true;
}
