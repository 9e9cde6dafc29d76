/** Follows the vault for the fingerprints of what it holds: to notice a value that turns up elsewhere. */
import type { KubeClient } from '#kube/client.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import type { Clock } from '#runtime/clock.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';
import { entryFingerprints, valueFingerprints } from '#vault/managed-values.ts';
import { VAULT_ENTRY_SELECTOR } from '#vault/stored-entry.ts';
import type { VaultKeys } from '#vault/vault-keys.ts';

export interface ManagedValues {
  readonly informer: Runnable;
  /** `namespace/name` of the credential whose current or previous value this is. */
  ownerOf(value: Uint8Array): string | undefined;
  lastActivityAgeMs(): number;
}

export interface ManagedValuesDeps {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly keys: VaultKeys;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly metrics?: RuntimeMetrics;
}

const CREDENTIAL = 'credential';
const FINGERPRINTS = 'fingerprints';

export function createManagedValues(deps: ManagedValuesDeps): ManagedValues {
  const { namespace, keys, ...shared } = deps;
  /** Of an entry nothing is kept but fingerprints, and whose they are. */
  function slim({ apiVersion, kind, metadata, ...entry }: Secret): Secret {
    const { name, uid, resourceVersion } = metadata;
    const found = entryFingerprints({ apiVersion, kind, metadata, ...entry }, keys.tableKey);
    return {
      apiVersion,
      kind,
      metadata: {
        name,
        namespace,
        ...(uid === undefined ? {} : { uid }),
        ...(resourceVersion === undefined ? {} : { resourceVersion }),
      },
      data:
        found === undefined
          ? {}
          : { [CREDENTIAL]: found.credential, [FINGERPRINTS]: found.fingerprints.join(' ') },
    };
  }
  const entries = createInformer<Secret>({
    ...shared,
    resource: SECRETS,
    scope: { namespace },
    labelSelector: VAULT_ENTRY_SELECTOR,
    transform: slim,
    indexes: {
      fingerprint: ({ data }) =>
        (data?.[FINGERPRINTS] ?? '').split(' ').filter((one) => one !== ''),
    },
  });
  return {
    informer: { name: 'vault: fingerprints', run: entries.run, ready: entries.synced },
    ownerOf(value) {
      for (const fingerprint of valueFingerprints(keys.fingerprintKey, value)) {
        const [entry] = entries.byIndex('fingerprint', fingerprint);
        if (entry !== undefined) return entry.data?.[CREDENTIAL];
      }
      return undefined;
    },
    lastActivityAgeMs: entries.lastActivityAgeMs,
  };
}
