import type { KubeClient } from '#kube/client.ts';

/** A write that was not sent because the lease is not held (any more). */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
  readonly code = 'ERR_LEASE_LOST';

  constructor() {
    super('the lease is not held, so nothing is written');
  }
}

/** A client whose writes are refused, before they are sent, unless the lease is held. */
export function guardWrites(client: KubeClient, holdsLease: () => boolean): KubeClient {
  function check(): void {
    if (!holdsLease()) throw new LeaseLostError();
  }
  return {
    get: client.get,
    find: client.find,
    list: client.list,
    listPage: client.listPage,
    watch: client.watch,
    async create(...call) {
      check();
      return client.create(...call);
    },
    async replace(...call) {
      check();
      return client.replace(...call);
    },
    async mergePatch(...call) {
      check();
      return client.mergePatch(...call);
    },
    async jsonPatch(...call) {
      check();
      return client.jsonPatch(...call);
    },
    async apply(...call) {
      check();
      return client.apply(...call);
    },
    async delete(...call) {
      check();
      return client.delete(...call);
    },
    [Symbol.asyncDispose]: () => client[Symbol.asyncDispose](),
  };
}
