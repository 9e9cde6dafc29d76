/** As much of an API server as one Secret needs: writes with their preconditions, and watches. */
import type { KubeClient, WatchEvent } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { KubeObject, Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';

export interface SecretServer {
  readonly client: KubeClient;
  /** All writes that were made, in their order. */
  readonly writes: readonly string[];
  get(name: string): Secret | undefined;
  /** By somebody else; undefined deletes. */
  put(name: string, data: Readonly<Record<string, string>> | undefined): void;
  /** From now on writes fail with this, until it is called again. */
  failWrites(error: Error | undefined): void;
}

export function createSecretServer(namespace: string): SecretServer {
  const secrets = new Map<string, Secret>();
  const log: WatchEvent<Secret>[] = [];
  const writes: string[] = [];
  let revision = 0;
  let failure: Error | undefined;
  let wake = Promise.withResolvers<void>();

  function tell(type: 'ADDED' | 'MODIFIED' | 'DELETED', object: Secret): void {
    log.push({ type, object });
    wake.resolve();
    wake = Promise.withResolvers();
  }

  function store(secret: Secret): Secret {
    revision += 1;
    const { name } = secret.metadata;
    const metadata = { ...secret.metadata, namespace, resourceVersion: String(revision) };
    const stored: Secret = { ...secret, metadata };
    tell(secrets.has(name) ? 'MODIFIED' : 'ADDED', stored);
    secrets.set(name, stored);
    return stored;
  }

  function write(object: KubeObject, act: string): Secret {
    if (failure !== undefined) throw failure;
    writes.push(`${act} ${object.metadata.name}`);
    return store(object);
  }

  const unused = (): never => {
    throw new Error('not part of this server');
  };

  const client: KubeClient = {
    get: unused,
    find: async (_, { name }) => secrets.get(name) as never,
    list: unused,
    listPage: unused,
    async *watch(_, __, { fieldSelector = '', signal }) {
      const name = fieldSelector.replace('metadata.name=', '');
      const now = secrets.get(name);
      let at = log.length;
      if (now !== undefined) yield { type: 'ADDED', object: now } as never;
      yield { type: 'BOOKMARK', resourceVersion: String(revision), initialEventsEnd: true };
      const ended = Promise.withResolvers<boolean>();
      signal?.addEventListener('abort', () => ended.resolve(false), { once: true });
      let goesOn = signal?.aborted !== true;
      while (goesOn) {
        for (; at < log.length; at += 1) {
          const event = log[at];
          if (event !== undefined && 'object' in event && event.object.metadata.name === name) {
            yield event as never;
          }
        }
        goesOn = await Promise.race([wake.promise.then(() => true), ended.promise]);
      }
    },
    async create(_, object) {
      if (secrets.has(object.metadata.name)) {
        throw new KubeError('ERR_KUBE_ALREADY_EXISTS', object.metadata.name);
      }
      return write(object, 'create') as never;
    },
    async replace(_, object) {
      const { name, resourceVersion } = object.metadata;
      if (secrets.get(name)?.metadata.resourceVersion !== resourceVersion) {
        throw new KubeError('ERR_KUBE_CONFLICT', name);
      }
      return write(object, 'replace') as never;
    },
    mergePatch: unused,
    jsonPatch: unused,
    apply: unused,
    delete: unused,
    discover: unused,
    [Symbol.asyncDispose]: async () => undefined,
  };

  return {
    client,
    writes,
    get: (name) => secrets.get(name),
    put(name, data) {
      const known = secrets.get(name);
      if (data !== undefined) {
        store({ apiVersion: 'v1', kind: SECRETS.kind, metadata: { name }, ...known, data });
      } else if (known !== undefined) {
        secrets.delete(name);
        tell('DELETED', known);
      }
    },
    failWrites(error) {
      failure = error;
    },
  };
}
