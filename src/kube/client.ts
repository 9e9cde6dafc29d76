import type { ServedVersion } from '#kube/discovery.ts';
import type { KubeError } from '#kube/errors.ts';
import type { KubeList, KubeObject, ObjectMeta } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';

/**
 * Lists and watches must say how far they look. Every use of `allNamespaces` stands on a reviewed
 * list that a test compares with the code.
 */
export type Scope = { readonly namespace: string } | { readonly allNamespaces: true };

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** For the whole call and what is repeated of it, but each page of a list; 30 s unless told. */
  readonly timeoutMs?: number;
}

export interface ObjectName {
  readonly namespace?: string;
  readonly name: string;
}

export interface ListOptions extends CallOptions {
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Page size; 500 unless told. */
  readonly limit?: number;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly continue?: string;
}

export interface WatchOptions {
  readonly signal?: AbortSignal;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion?: string;
  /** After this the server ends the watch cleanly. */
  readonly timeoutSeconds: number;
  readonly sendInitialEvents?: boolean;
  /** With no byte for this long the connection counts as dead: ERR_KUBE_TIMEOUT. */
  readonly idleTimeoutMs: number;
  /** Called when the server has accepted the watch; the first event can be minutes away. */
  readonly onOpen?: () => void;
}

export interface WriteOptions extends CallOptions {
  readonly fieldManager?: string;
  readonly dryRun?: boolean;
  readonly subresource?: string;
}

export interface ApplyOptions extends WriteOptions {
  readonly fieldManager: string;
  /** Takes fields over from other managers instead of answering ERR_KUBE_CONFLICT. */
  readonly force?: boolean;
}

export interface DeleteOptions extends CallOptions {
  /** Preconditions: an object that was replaced or changed meanwhile stays. */
  readonly uid?: string;
  readonly resourceVersion?: string;
  readonly propagationPolicy?: 'Background' | 'Foreground' | 'Orphan';
  readonly gracePeriodSeconds?: number;
}

export interface JsonPatchOperation {
  readonly op: 'add' | 'remove' | 'replace' | 'test';
  readonly path: string;
  readonly value?: unknown;
}

export type WatchEvent<T> =
  | { readonly type: 'ADDED' | 'MODIFIED' | 'DELETED'; readonly object: T }
  | {
      readonly type: 'BOOKMARK';
      readonly resourceVersion: string;
      readonly initialEventsEnd: boolean;
    }
  | { readonly type: 'ERROR'; readonly error: KubeError };

/** What server-side apply sends: the fields its manager wants to own, and the object's identity. */
export type ApplyConfiguration<T extends KubeObject> = {
  readonly [K in keyof T]?: K extends 'metadata' ? unknown : T[K];
} & {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Partial<ObjectMeta> & { readonly name: string };
};

/**
 * Typed access to the API server. Every method throws {@link KubeError} and nothing else, but for
 * programming errors.
 */
export interface KubeClient extends AsyncDisposable {
  get<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    options?: CallOptions,
  ): Promise<T>;
  /**
   * Like `get`; an object that does not exist is `undefined`. A 404 that is not the API server's
   * word on this object (the kind is not served, a proxy answers) is thrown.
   */
  find<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    options?: CallOptions,
  ): Promise<T | undefined>;
  /**
   * All pages. When one has expired on the way the list starts anew at the newest state, once; but
   * not where `resourceVersionMatch` is `Exact`.
   */
  list<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    options?: Omit<ListOptions, 'continue'>,
  ): Promise<KubeList<T>>;
  listPage<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    options?: ListOptions,
  ): Promise<KubeList<T>>;
  /**
   * Connects at the first `next()`. Ends when the server does; throws when the connection breaks
   * (ERR_KUBE_NETWORK), falls silent (ERR_KUBE_TIMEOUT) or is aborted (ERR_KUBE_ABORTED).
   */
  watch<T extends KubeObject>(
    resource: Resource<T>,
    scope: Scope,
    options: WatchOptions,
  ): AsyncIterable<WatchEvent<T>>;
  create<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  /** PUT; with `metadata.resourceVersion` it is refused when the object has changed since. */
  replace<T extends KubeObject>(
    resource: Resource<T>,
    object: T,
    options?: WriteOptions,
  ): Promise<T>;
  mergePatch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    patch: unknown,
    options?: WriteOptions,
  ): Promise<T>;
  jsonPatch<T extends KubeObject>(
    resource: Resource<T>,
    at: ObjectName,
    patch: readonly JsonPatchOperation[],
    options?: WriteOptions,
  ): Promise<T>;
  apply<T extends KubeObject>(
    resource: Resource<T>,
    object: ApplyConfiguration<T>,
    options: ApplyOptions,
  ): Promise<T>;
  delete(resource: Resource, at: ObjectName, options?: DeleteOptions): Promise<void>;
  /** The named groups of the API and what is served of them; the core group is not among them. */
  discover(options?: CallOptions): Promise<readonly ServedVersion[]>;
}
