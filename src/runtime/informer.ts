import type { KubeObject } from '#kube/objects.ts';
import { describeError } from './describe-error.ts';
import type { ReflectorOptions } from './reflector.ts';
import { reflect } from './reflector.ts';
import { createStore, keyOf } from './store.ts';
import type { Change, IndexFunctions } from './store.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** A local copy of a collection, kept in step by a watch. */
export interface Informer<T extends KubeObject> {
  /** Runs until `signal` is aborted. May be called once. */
  run(signal: AbortSignal): Promise<void>;
  readonly hasSynced: boolean;
  /** Resolves with the first complete list; rejects when `signal` is aborted before. */
  synced(signal: AbortSignal): Promise<void>;
  get(key: string): T | undefined;
  list(): readonly T[];
  byIndex(index: string, value: string): readonly T[];
  /** `initial` marks changes of a list: there can be thousands, and none of them is urgent. */
  onChange(handler: (change: Change<T>, initial: boolean) => void): void;
  /**
   * Milliseconds since the server was last heard: an event, a bookmark, a list, an accepted watch or
   * a plain "forbidden". For a liveness check: stays below four minutes while the server answers,
   * however little happens.
   */
  lastActivityAgeMs(): number;
}

export interface InformerOptions<T extends KubeObject> extends Omit<
  ReflectorOptions<T>,
  'onAnswer'
> {
  readonly indexes?: IndexFunctions<T>;
  /** Slims or redacts an object before it is stored. An object it throws on is left out. */
  readonly transform?: (object: T) => T;
}

export function createInformer<T extends KubeObject>(options: InformerOptions<T>): Informer<T> {
  const { clock, log, metrics, resource, transform = (object: T) => object } = options;
  const store = createStore<T>(
    Object.fromEntries(
      Object.entries(options.indexes ?? {}).map(([name, valuesOf]) => [
        name,
        (object: T) => attempt(() => valuesOf(object), object, `index ${name}`) ?? [],
      ]),
    ),
  );
  const handlers: ((change: Change<T>, initial: boolean) => void)[] = [];
  const firstSync = Promise.withResolvers<void>();
  let hasSynced = false;
  let lastActivityMs = clock.monotonicMs();

  function touch(): void {
    lastActivityMs = clock.monotonicMs();
  }

  function publish(changes: readonly Change<T>[], initial: boolean): void {
    for (const change of changes) {
      for (const handler of handlers) {
        attempt(() => handler(change, initial), change.object, 'handler');
      }
    }
  }

  /** A bug in what was passed in costs one object, never the whole collection. */
  function attempt<R>(act: () => R, object: T, what: string): R | undefined {
    try {
      return act();
    } catch (error) {
      metrics?.callbackThrew(resource.plural);
      log.error(
        {
          resource: resource.plural,
          key: keyOf(object),
          callback: what,
          reason: describeError(error),
        },
        'Callback of an informer threw',
      );
      return undefined;
    }
  }

  const slim = (object: T): T | undefined =>
    attempt(() => transform(strip(object)), object, 'transform');

  return {
    async run(signal) {
      for await (const event of reflect({ ...options, onAnswer: touch }, signal)) {
        touch();
        switch (event.type) {
          case 'Replace':
            publish(store.replace(event.objects.flatMap((object) => slim(object) ?? [])), true);
            hasSynced = true;
            firstSync.resolve();
            break;
          case 'Apply': {
            const object = slim(event.object);
            if (object !== undefined) publish(store.apply(object), false);
            break;
          }
          case 'Delete': {
            // What is gone must go, even if its last state cannot be shown.
            const object = slim(event.object) ?? store.get(keyOf(event.object));
            if (object !== undefined) publish(store.delete(object), false);
            break;
          }
          case 'Alive':
            break;
        }
      }
    },
    get hasSynced() {
      return hasSynced;
    },
    async synced(signal) {
      const aborted = Promise.withResolvers<never>();
      const onAbort = (): void => aborted.reject(signal.reason as Error);
      signal.addEventListener('abort', onAbort, { once: true });
      try {
        signal.throwIfAborted();
        await Promise.race([firstSync.promise, aborted.promise]);
      } finally {
        signal.removeEventListener('abort', onAbort);
      }
    },
    get: store.get,
    list: store.list,
    byIndex: store.byIndex,
    onChange: (handler) => void handlers.push(handler),
    lastActivityAgeMs: () => clock.monotonicMs() - lastActivityMs,
  };
}

/** Leaves out what nobody reads and what can be most of an object. */
function strip<T extends KubeObject>(object: T): T {
  const { managedFields: _managedFields, annotations, ...metadata } = object.metadata;
  if (annotations === undefined) return { ...object, metadata };
  const { [LAST_APPLIED]: _lastApplied, ...kept } = annotations;
  return { ...object, metadata: { ...metadata, annotations: kept } };
}
