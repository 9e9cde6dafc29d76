import type { ObjectName, Scope } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { Resource } from '#kube/resource.ts';

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** The path of a collection: `/apis/<group>/<version>/namespaces/<namespace>/<plural>`. */
export function collectionPath(resource: Resource, scope: Scope, query: Query = {}): string {
  const { group, version, plural, namespaced } = resource;
  const root = group === '' ? `/api/${version}` : `/apis/${group}/${version}`;
  if ('allNamespaces' in scope || !namespaced) return `${root}/${plural}${queryString(query)}`;
  return `${root}/namespaces/${segment(scope.namespace)}/${plural}${queryString(query)}`;
}

export function objectPath(
  resource: Resource,
  at: ObjectName,
  subresource: string | undefined,
  query: Query = {},
): string {
  const tail = subresource === undefined ? '' : `/${segment(subresource)}`;
  return `${collectionPath(resource, scopeOf(resource, at))}/${segment(at.name)}${tail}${queryString(query)}`;
}

/** The collection that an object belongs to. Throws for a namespaced object without namespace. */
export function scopeOf(resource: Resource, at: { readonly namespace?: string }): Scope {
  if (!resource.namespaced) return { allNamespaces: true };
  if (at.namespace === undefined || at.namespace === '') {
    throw new KubeError('ERR_KUBE_INVALID', `${resource.kind}: a namespace is needed`);
  }
  return { namespace: at.namespace };
}

/** Names are checked, not only encoded: proxies decode `%2F` and `..` on their way. */
function segment(name: string): string {
  if (name === '' || name === '.' || name === '..' || /[/%]/.test(name) || !name.isWellFormed()) {
    throw new KubeError('ERR_KUBE_INVALID', `${JSON.stringify(name)} is no name of an object`);
  }
  return encodeURIComponent(name);
}

function queryString(query: Query): string {
  const parameters = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(key, String(value));
  }
  return parameters.size === 0 ? '' : `?${parameters.toString()}`;
}
