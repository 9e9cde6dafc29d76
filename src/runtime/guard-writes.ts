import type { CallOptions, KubeClient } from '#kube/client.ts';

/** A write that was not sent because the lease is not held (any more). */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  readonly code = 'ERR_LEASE_LOST';

  constructor() {
    super('the lease is not held, so nothing is written');
  }
}

/**
 * A client whose writes are refused with {@link LeaseLostError}, before anything is sent, unless
 * the lease is held. `lost` gives the signal of the present lease: a write that is under way (or
 * waits for a connection, or to be repeated after a 429) ends with ERR_KUBE_ABORTED when the lease
 * is lost. Reads pass.
 */
export function guardWrites(
  client: KubeClient,
  holdsLease: () => boolean,
  lost?: () => AbortSignal,
): KubeClient {
  /** The options of a write that may be sent. */
  function checked<O extends CallOptions>(options: O): O {
    if (!holdsLease()) throw new LeaseLostError();
    if (lost === undefined) return options;
    const signals = options.signal === undefined ? [lost()] : [options.signal, lost()];
    return { ...options, signal: AbortSignal.any(signals) };
  }
  return {
    get: client.get,
    find: client.find,
    list: client.list,
    listPage: client.listPage,
    watch: client.watch,
    discover: client.discover,
    async create(resource, object, options = {}) {
      return client.create(resource, object, checked(options));
    },
    async replace(resource, object, options = {}) {
      return client.replace(resource, object, checked(options));
    },
    async mergePatch(resource, at, patch, options = {}) {
      return client.mergePatch(resource, at, patch, checked(options));
    },
    async jsonPatch(resource, at, patch, options = {}) {
      return client.jsonPatch(resource, at, patch, checked(options));
    },
    async apply(resource, object, options) {
      return client.apply(resource, object, checked(options));
    },
    async delete(resource, at, options = {}) {
      return client.delete(resource, at, checked(options));
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
