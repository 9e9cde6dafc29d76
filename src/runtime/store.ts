import type { KubeObject } from '#kube/objects.ts';

export type Change<T> =
  | { readonly type: 'Added'; readonly object: T }
  | { readonly type: 'Updated'; readonly object: T; readonly previous: T }
  | { readonly type: 'Deleted'; readonly object: T };

export type IndexFunctions<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

/** `namespace/name`, or `name` for cluster-scoped objects. */
export function keyOf(object: {
  readonly metadata: { readonly namespace?: string; readonly name: string };
}): string {
  const { namespace, name } = object.metadata;
  return namespace === undefined || namespace === '' ? name : `${namespace}/${name}`;
}

/** The namespace of a key; empty for cluster-scoped objects. */
export function namespaceOf(key: string): string {
  const slash = key.indexOf('/');
  return slash === -1 ? '' : key.slice(0, slash);
}

export interface Store<T> {
  get(key: string): T | undefined;
  list(): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  /** Each returns what it changed. An object with another uid is a deletion and an addition. */
  apply(object: T): readonly Change<T>[];
  delete(object: T): readonly Change<T>[];
  replace(objects: readonly T[]): readonly Change<T>[];
}

/** Objects by key, with named indexes kept in step. */
export function createStore<T extends KubeObject>(indexes: IndexFunctions<T>): Store<T> {
  const objects = new Map<string, T>();
  const indexed = new Map<string, Map<string, Set<string>>>(
    Object.keys(indexes).map((name) => [name, new Map()]),
  );

  function reindex(key: string, previous: T | undefined, next: T | undefined): void {
    for (const [name, valuesOf] of Object.entries(indexes)) {
      const index = indexed.get(name);
      if (index === undefined) continue;
      for (const value of previous === undefined ? [] : valuesOf(previous)) {
        const keys = index.get(value);
        keys?.delete(key);
        if (keys?.size === 0) index.delete(value);
      }
      for (const value of next === undefined ? [] : valuesOf(next)) {
        const keys = index.get(value);
        if (keys === undefined) index.set(value, new Set([key]));
        else keys.add(key);
      }
    }
  }

  function apply(object: T): readonly Change<T>[] {
    const key = keyOf(object);
    const previous = objects.get(key);
    if (
      previous !== undefined &&
      previous.metadata.uid === object.metadata.uid &&
      previous.metadata.resourceVersion === object.metadata.resourceVersion
    ) {
      return [];
    }
    objects.set(key, object);
    reindex(key, previous, object);
    if (previous === undefined) return [{ type: 'Added', object }];
    if (previous.metadata.uid === object.metadata.uid)
      return [{ type: 'Updated', object, previous }];
    return [
      { type: 'Deleted', object: previous },
      { type: 'Added', object },
    ];
  }

  function remove(key: string, last: T): readonly Change<T>[] {
    const previous = objects.get(key);
    if (previous === undefined) return [];
    objects.delete(key);
    reindex(key, previous, undefined);
    return [{ type: 'Deleted', object: last }];
  }

  return {
    get: (key) => objects.get(key),
    list: () => [...objects.values()],
    byIndex(index, value) {
      const keys = indexed.get(index)?.get(value) ?? [];
      return [...keys].flatMap((key) => objects.get(key) ?? []);
    },
    apply,
    delete: (object) => remove(keyOf(object), object),
    replace(next) {
      const changes: Change<T>[] = [];
      const kept = new Set(next.map(keyOf));
      for (const [key, object] of objects) {
        if (!kept.has(key)) changes.push(...remove(key, object));
      }
      for (const object of next) changes.push(...apply(object));
      return changes;
    },
  };
}
