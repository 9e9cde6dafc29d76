import type {
  ApplyOptions,
  CallOptions,
  DeleteOptions,
  KubeClient,
  ListOptions,
  ObjectName,
  Scope,
  WriteOptions,
} from '#kube/client.ts';
import type { ClusterConfig } from '#kube/config.ts';
import { DISCOVERY_TYPE, readDiscovery } from '#kube/discovery.ts';
import { KubeError, isKubeError } from '#kube/errors.ts';
import type { KubeList, KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';
import { createTransport } from '#kube/transport.ts';
import type { HttpCall, TransportOptions } from '#kube/transport.ts';
import { collectionPath, objectPath, scopeOf } from '#kube/url.ts';
import { decodeWatch } from '#kube/watch.ts';

const PAGE_SIZE = 500;
/** What a call is about: an object, or all of a scope. */
type Target = Scope | ObjectName;

const JSON_TYPE = 'application/json';

export function createKubeClient(
  config: ClusterConfig,
  options: TransportOptions = {},
): KubeClient {
  const transport = createTransport(config, options);

  async function call<T>(
    verb: string,
    resource: Resource,
    at: Target,
    request: Pick<HttpCall, 'method' | 'path'> & Partial<HttpCall>,
  ): Promise<T> {
    const name = callName(verb, resource, at);
    const body = await transport.request({
      name,
      verb,
      resource: resource.plural,
      quotable: isQuotable(resource),
      ...request,
    });
    return parse(name, body) as T;
  }

  async function patch<T>(
    verb: string,
    resource: Resource,
    at: ObjectName,
    contentType: string,
    body: unknown,
    o: WriteOptions & { readonly force?: boolean },
  ): Promise<T> {
    return call<T>(verb, resource, at, {
      method: 'PATCH',
      path: objectPath(resource, at, o.subresource, { ...writeQuery(o), force: o.force }),
      contentType,
      body: JSON.stringify(body),
      ...callOptions(o),
    });
  }

  async function listPage<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    o: ListOptions = {},
  ): Promise<KubeList<T>> {
    const { items, metadata } = await call<KubeList<T>>('list', resource, scope, {
      method: 'GET',
      path: collectionPath(resource, scope, {
        labelSelector: o.labelSelector,
        fieldSelector: o.fieldSelector,
        limit: o.limit ?? PAGE_SIZE,
        continue: o.continue,
        // A continued list is pinned by its token.
        resourceVersion: o.continue === undefined ? o.resourceVersion : undefined,
        resourceVersionMatch: o.continue === undefined ? o.resourceVersionMatch : undefined,
      }),
      ...callOptions(o),
    });
    // Items of a list come without their kind.
    const apiVersion = apiVersionOf(resource);
    const { kind } = resource;
    return { metadata, items: (items ?? []).map((item) => ({ ...item, apiVersion, kind })) };
  }

  async function listAll<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    o: Omit<ListOptions, 'continue'>,
  ): Promise<KubeList<T>> {
    const items: T[] = [];
    let page = await listPage(resource, scope, o);
    items.push(...page.items);
    while (page.metadata.continue !== undefined && page.metadata.continue !== '') {
      page = await listPage(resource, scope, { ...o, continue: page.metadata.continue });
      items.push(...page.items);
    }
    return { items, metadata: { resourceVersion: page.metadata.resourceVersion } };
  }

  const client: KubeClient = {
    get: async (resource, at, o: CallOptions = {}) =>
      call('get', resource, at, {
        method: 'GET',
        path: objectPath(resource, at, undefined),
        ...callOptions(o),
      }),

    async find(resource, at, o) {
      try {
        return await client.get(resource, at, o);
      } catch (error) {
        // Only when the API server says so: a 404 of a proxy, or of an API that is not served,
        // does not mean that the object is gone.
        if (isKubeError(error, 'ERR_KUBE_NOT_FOUND') && error.reason === 'NotFound') {
          return undefined;
        }
        throw error;
      }
    },

    async list(resource, scope, o = {}) {
      try {
        return await listAll(resource, scope, o);
      } catch (error) {
        if (!isKubeError(error, 'ERR_KUBE_GONE') || o.resourceVersionMatch === 'Exact') throw error;
        const { resourceVersion: _from, resourceVersionMatch: _match, ...latest } = o;
        return listAll(resource, scope, latest);
      }
    },

    listPage,

    async *watch(resource, scope, o) {
      const name = callName('watch', resource, scope);
      const controller = new AbortController();
      const signal =
        o.signal === undefined ? controller.signal : AbortSignal.any([o.signal, controller.signal]);
      // Covers the time until the server's headers as well as the silence after them.
      const opening = setTimeout(
        () => controller.abort(new KubeError('ERR_KUBE_TIMEOUT', `${name}: no answer`)),
        o.idleTimeoutMs,
      );
      try {
        const chunks = await transport
          .stream({
            name,
            verb: 'watch',
            resource: resource.plural,
            quotable: isQuotable(resource),
            method: 'GET',
            path: collectionPath(resource, scope, {
              watch: true,
              allowWatchBookmarks: true,
              labelSelector: o.labelSelector,
              fieldSelector: o.fieldSelector,
              resourceVersion: o.resourceVersion,
              timeoutSeconds: o.timeoutSeconds,
              sendInitialEvents: o.sendInitialEvents,
              resourceVersionMatch: o.sendInitialEvents === true ? 'NotOlderThan' : undefined,
            }),
            signal,
          })
          .finally(() => clearTimeout(opening));
        o.onOpen?.();
        yield* decodeWatch(chunks, {
          name,
          idleTimeoutMs: o.idleTimeoutMs,
          abort: (reason) => controller.abort(reason),
          signal,
          quotable: isQuotable(resource),
        });
      } finally {
        // Ends the connection when the consumer stops early.
        controller.abort();
      }
    },

    create: async (resource, object, o: WriteOptions = {}) => {
      const at = object.metadata;
      const collection = scopeOf(resource, at);
      return call('create', resource, at, {
        method: 'POST',
        path:
          o.subresource === undefined
            ? collectionPath(resource, collection, writeQuery(o))
            : objectPath(resource, at, o.subresource, writeQuery(o)),
        contentType: JSON_TYPE,
        body: JSON.stringify(object),
        ...callOptions(o),
      });
    },

    replace: async (resource, object, o: WriteOptions = {}) =>
      call('update', resource, object.metadata, {
        method: 'PUT',
        path: objectPath(resource, object.metadata, o.subresource, writeQuery(o)),
        contentType: JSON_TYPE,
        body: JSON.stringify(object),
        ...callOptions(o),
      }),

    mergePatch: (resource, at, body, o = {}) =>
      patch('patch', resource, at, 'application/merge-patch+json', body, o),

    jsonPatch: (resource, at, operations, o = {}) =>
      patch('patch', resource, at, 'application/json-patch+json', operations, o),

    apply: (resource, object, o: ApplyOptions) =>
      patch('apply', resource, object.metadata, 'application/apply-patch+yaml', object, o),

    async delete(resource, at, o: DeleteOptions = {}) {
      const preconditions = {
        ...(o.uid === undefined ? {} : { uid: o.uid }),
        ...(o.resourceVersion === undefined ? {} : { resourceVersion: o.resourceVersion }),
      };
      await call('delete', resource, at, {
        method: 'DELETE',
        path: objectPath(resource, at, undefined),
        contentType: JSON_TYPE,
        body: JSON.stringify({
          apiVersion: 'v1',
          kind: 'DeleteOptions',
          preconditions,
          propagationPolicy: o.propagationPolicy,
          gracePeriodSeconds: o.gracePeriodSeconds,
        }),
        ...callOptions(o),
      });
    },

    async discover(o: CallOptions = {}) {
      const name = 'discover groups';
      const body = await transport.request({
        name,
        verb: 'discover',
        resource: 'groups',
        quotable: true,
        method: 'GET',
        path: '/apis',
        accept: DISCOVERY_TYPE,
        ...callOptions(o),
      });
      return readDiscovery(parse(name, body));
    },

    [Symbol.asyncDispose]: () => transport[Symbol.asyncDispose](),
  };
  return client;
}

function parse(name: string, body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    throw new KubeError('ERR_KUBE_PROTOCOL', `${name}: the answer is not JSON`);
  }
}

function callOptions({ signal, timeoutMs }: CallOptions): CallOptions {
  return {
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
}

function writeQuery({ fieldManager, dryRun }: WriteOptions): {
  fieldManager?: string;
  dryRun?: string;
} {
  return {
    ...(fieldManager === undefined ? {} : { fieldManager }),
    ...(dryRun === true ? { dryRun: 'All' } : {}),
  };
}

/** The server quotes refused values, and those of a Secret must stay out of errors and logs. */
function isQuotable(resource: Resource): boolean {
  return resource.kind !== 'Secret';
}

function callName(verb: string, resource: Resource, at: Target): string {
  const where = ['namespace' in at ? at.namespace : '', 'name' in at ? at.name : '']
    .filter((part) => part !== undefined && part !== '')
    .join('/');
  return where === '' ? `${verb} ${resource.kind}` : `${verb} ${resource.kind} ${where}`;
}
