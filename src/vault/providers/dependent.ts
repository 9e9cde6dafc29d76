import type { KubeClient } from '#kube/client.ts';
import { SECRETS } from '#kube/resources.ts';
import { withSignal } from '#vault/call-options.ts';
import { KeyProviderError } from '#vault/errors.ts';

/** Labels of all that lies under a key-encryption key. */
const DEPENDENTS = 'strongroom.dev/component in (vault-keys, vault-entry, seal-key)';

/** The name of a Secret that can only be opened with a key-encryption key; undefined in a new vault. */
export async function findDependent(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal | undefined,
): Promise<string | undefined> {
  const { items } = await client.listPage(
    SECRETS,
    { namespace },
    { labelSelector: DEPENDENTS, limit: 1, ...withSignal(signal) },
  );
  return items[0]?.metadata.name;
}

/** @param gone what the key was, or was derived from */
export function lostKey(gone: string, namespace: string, dependent: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_KEY_STORE',
    `namespace ${namespace} has none of ${gone}, but Secret ${dependent} was encrypted before: restore them from a backup, or go back to the key provider that was used`,
  );
}
