import { isDeepStrictEqual } from 'node:util';
import type { KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { KubeObject, ObjectMeta } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

type Stored = KubeObject & Readonly<Record<string, unknown>>;

/**
 * As much of an API server as the life of a credential touches: uids, resourceVersions, generations,
 * preconditions, finalizers, garbage collection by owner, apply and merge patch. It can stop
 * answering after any write, which is what being killed looks like from the outside.
 */
export interface MemoryCluster {
  readonly client: KubeClient;
  /** Writes so far. */
  readonly writes: number;
  /** After this many more writes every call fails, until it is called again. */
  dieAfter(writes: number | undefined): void;
  /** Not copies: they are not to be changed. */
  all(resource: Resource): readonly Stored[];
}

export class KilledError extends Error {
  override readonly name = 'KilledError';
}

export function createMemoryCluster(nowMs: () => number): MemoryCluster {
  const objects = new Map<string, Stored>();
  let counter = 0;
  let writes = 0;
  let left: number | undefined;

  const keyOf = (resource: Resource, at: { namespace?: string; name: string }): string =>
    `${resource.plural}/${at.namespace ?? ''}/${at.name}`;

  function alive(): void {
    if (left !== undefined && left <= 0) throw new KilledError('killed');
  }

  function fail(code: ConstructorParameters<typeof KubeError>[0], key: string): never {
    throw new KubeError(code, key);
  }

  function found(key: string): Stored {
    return objects.get(key) ?? fail('ERR_KUBE_NOT_FOUND', key);
  }

  function check(object: Stored, uid: unknown, resourceVersion: unknown, key: string): void {
    const { metadata } = object;
    if (uid !== undefined && uid !== metadata.uid) fail('ERR_KUBE_CONFLICT', key);
    if (resourceVersion !== undefined && resourceVersion !== metadata.resourceVersion) {
      fail('ERR_KUBE_CONFLICT', key);
    }
  }

  /** Stores a change; the same content again is no change. */
  function write(key: string, next: Stored): Stored {
    const before = objects.get(key);
    if (before !== undefined && isDeepStrictEqual(before, next)) return before;
    writes += 1;
    if (left !== undefined) left -= 1;
    counter += 1;
    const isSpecChanged =
      before !== undefined && !isDeepStrictEqual(before['spec'], next['spec']) ? 1 : 0;
    const stored = structuredClone({
      ...next,
      metadata: {
        ...next.metadata,
        resourceVersion: String(counter),
        generation: (before?.metadata.generation ?? 1) + isSpecChanged,
      },
    });
    if (stored.metadata.deletionTimestamp !== undefined && !stored.metadata.finalizers?.length) {
      remove(key, stored);
    } else {
      objects.set(key, stored);
    }
    return stored;
  }

  function remove(key: string, object: Stored): void {
    objects.delete(key);
    for (const [other, { metadata }] of objects) {
      if (metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid) === true) {
        objects.delete(other);
      }
    }
  }

  const client: KubeClient = {
    async get(resource, at) {
      alive();
      return structuredClone(found(keyOf(resource, at))) as never;
    },
    async find(resource, at) {
      alive();
      return structuredClone(objects.get(keyOf(resource, at))) as never;
    },
    async list(resource, scope, options) {
      alive();
      const [label, value] = (options?.labelSelector ?? '').split('=');
      const namespace = 'namespace' in scope ? scope.namespace : undefined;
      const items = [...objects]
        .filter(([key]) => key.startsWith(`${resource.plural}/`))
        .map(([, object]) => object)
        .filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace)
        .filter(({ metadata }) => label === '' || metadata.labels?.[label ?? ''] === value);
      return { items: structuredClone(items) as never, metadata: { resourceVersion: '1' } };
    },
    listPage: (resource, scope, options) => client.list(resource, scope, options),
    async *watch() {
      yield* [];
    },
    discover: async () => [],
    async create(resource, object) {
      alive();
      const key = keyOf(resource, object.metadata);
      if (objects.has(key)) fail('ERR_KUBE_ALREADY_EXISTS', key);
      counter += 1;
      const metadata: ObjectMeta = {
        ...object.metadata,
        uid: `uid-${counter}`,
        creationTimestamp: new Date(nowMs()).toISOString(),
      };
      return write(key, { ...(object as unknown as Stored), metadata }) as never;
    },
    async replace(resource, object) {
      alive();
      const key = keyOf(resource, object.metadata);
      const { uid, resourceVersion } = object.metadata;
      check(found(key), uid, resourceVersion, key);
      return write(key, object as unknown as Stored) as never;
    },
    async mergePatch(resource, at, patch) {
      alive();
      const key = keyOf(resource, at);
      const { metadata } = patch as { metadata?: ObjectMeta };
      check(found(key), metadata?.uid, metadata?.resourceVersion, key);
      return write(key, merge(found(key), patch) as Stored) as never;
    },
    async jsonPatch(resource, at, operations) {
      alive();
      const key = keyOf(resource, at);
      const before = found(key);
      let { metadata } = before;
      for (const { op, path, value } of operations) {
        if (op === 'test' && path === '/metadata/uid') check(before, value, undefined, key);
        else if (op === 'test') check(before, undefined, value, key);
        else metadata = { ...metadata, finalizers: value as readonly string[] };
      }
      return write(key, { ...before, metadata }) as never;
    },
    async apply(resource, object, options) {
      alive();
      const key = keyOf(resource, object.metadata);
      const before = found(key);
      check(before, object.metadata.uid, undefined, key);
      const applied = object as unknown as Stored;
      const next =
        options.subresource === 'status'
          ? { ...before, status: applied['status'] }
          : merge(before, applied);
      return write(key, next as Stored) as never;
    },
    async delete(resource, at, options = {}) {
      alive();
      const key = keyOf(resource, at);
      const before = found(key);
      check(before, options.uid, options.resourceVersion, key);
      const deletionTimestamp = new Date(nowMs()).toISOString();
      write(key, { ...before, metadata: { ...before.metadata, deletionTimestamp } });
    },
    async [Symbol.asyncDispose]() {
      objects.clear();
    },
  };

  return {
    client,
    get writes() {
      return writes;
    },
    dieAfter(count) {
      left = count;
    },
    all: (resource) =>
      [...objects]
        .filter(([key]) => key.startsWith(`${resource.plural}/`))
        .map(([, object]) => object),
  };
}

/** JSON merge patch (RFC 7396). */
function merge(before: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const merged: Record<string, unknown> = isObject(before) ? { ...before } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete merged[name];
    else merged[name] = merge(merged[name], value);
  }
  return merged;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
