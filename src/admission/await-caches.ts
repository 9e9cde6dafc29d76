/**
 * A namespace that was made a moment ago is not in the cache yet, and neither are the pods of one
 * that became guarded a moment ago. What is about to be heard is worth a short wait; nothing is asked
 * for. Connections to pods that are still not known then are refused, as one of them may hold a key.
 */
import type { Clock } from '#runtime/clock.ts';
import type { AdmissionRequest } from './request.ts';
import { refuse } from './verdict.ts';
import type { Verdict } from './verdict.ts';
import type { AdmissionWorld } from './world.ts';

export interface AwaitCachesDeps {
  readonly world: Pick<AdmissionWorld, 'namespace' | 'guardedNamespaces'>;
  /** Whether all pods of a guarded namespace are known. */
  readonly knowsContents: (namespace: string) => boolean;
  readonly clock: Pick<Clock, 'sleep'>;
}

export interface AwaitCaches {
  /**
   * Undefined: nothing has to be waited for. Resolves with a refusal when what the decision needs is
   * still not known, else with undefined; never rejects.
   */
  prepare(request: AdmissionRequest, signal: AbortSignal): Promise<Verdict | undefined> | undefined;
  /** To be called when a namespace, or what is in one, came to be known. */
  heard(): void;
}

const MAX_WAIT_MS = 1_000;

export function createAwaitCaches(deps: AwaitCachesDeps): AwaitCaches {
  const { world, knowsContents, clock } = deps;
  let next = Promise.withResolvers<void>();
  let waiting = 0;

  /** The namespaces whose pods a connection may lead to. */
  function reached({ operation, resource, namespace }: AdmissionRequest): readonly string[] {
    if (operation !== 'CONNECT') return [];
    if (namespace !== undefined && namespace !== '') {
      return world.namespace(namespace)?.isGuarded === true ? [namespace] : [];
    }
    return resource.resource === 'nodes' ? world.guardedNamespaces().map(({ name }) => name) : [];
  }

  const lacks = (request: AdmissionRequest): string | undefined =>
    reached(request).find((name) => !knowsContents(name));

  function isNamespaceMissing({ namespace, kind }: AdmissionRequest): boolean {
    if (namespace === undefined || namespace === '') return false;
    // The API server names a Namespace as its own; one that is being made cannot be known.
    if (kind.group === '' && kind.kind === 'Namespace') return false;
    return world.namespace(namespace) === undefined;
  }

  async function wait(
    request: AdmissionRequest,
    signal: AbortSignal,
  ): Promise<Verdict | undefined> {
    const over = new AbortController();
    const late = clock
      .sleep(MAX_WAIT_MS, AbortSignal.any([signal, over.signal]))
      .catch(() => undefined)
      .then(() => true as const);
    waiting += 1;
    try {
      while (isNamespaceMissing(request) || lacks(request) !== undefined) {
        if ((await Promise.race([late, next.promise])) === true) break;
      }
    } finally {
      waiting -= 1;
      over.abort();
    }
    const unknown = lacks(request);
    return unknown === undefined
      ? undefined
      : refuse(
          'NotKnownYet',
          `the pods of namespace ${unknown} are not known yet, and one of them may hold a credential; try again in a few seconds`,
          { code: 503 },
        );
  }

  return {
    prepare(request, signal) {
      if (!isNamespaceMissing(request) && lacks(request) === undefined) return undefined;
      return wait(request, signal);
    },
    heard() {
      if (waiting === 0) return;
      next.resolve();
      next = Promise.withResolvers();
    },
  };
}
