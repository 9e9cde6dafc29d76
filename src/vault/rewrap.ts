/**
 * Rewrapping: after a new key-encryption key everything that lies under an older one is put under
 * the new one, so that the older one can go. No payload is decrypted or changed.
 */
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import { isKeyProviderError, isVaultError } from '#vault/errors.ts';
import type { KeyProvider } from '#vault/key-provider.ts';
import type { SealKeyStore } from '#vault/seal-key-store.ts';
import type { StoredEntry, Vault } from '#vault/store.ts';
import { rewrapVaultKeys } from '#vault/vault-keys.ts';

export interface RewrapOptions {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly keyProvider: KeyProvider;
  readonly sealKeys: SealKeyStore;
  readonly vault: Vault;
  /** Called after each entry; `done` of `total` were looked at. */
  readonly onProgress?: (progress: { readonly done: number; readonly total: number }) => void;
  readonly signal?: AbortSignal;
}

export interface RewrapReport {
  /** Secrets that were under another key and are under the present one now. */
  readonly rewrapped: number;
  /** Secrets that could not be; while there is one, no older key may be removed. */
  readonly faults: readonly { readonly secretName: string; readonly error: unknown }[];
}

/** An entry that changes under our hands is read again this often. */
const ATTEMPTS = 5;

/**
 * Stopped at any point it does no harm, and goes on where it was when it is called again. One entry
 * that cannot be rewrapped keeps no other from it.
 *
 * @throws KubeError; KeyProviderError when the vault's own keys cannot be unwrapped
 */
export async function rewrapAll(options: RewrapOptions): Promise<RewrapReport> {
  const { sealKeys, vault, onProgress, signal } = options;
  const ownKeys = (await rewrapVaultKeys(options)) ? 1 : 0;
  const sealed = await sealKeys.rewrap(signal);
  let rewrapped = ownKeys + sealed.rewrapped;
  const faults = [...sealed.faults];
  const entries = await vault.list(signal);
  for (const [index, listed] of entries.entries()) {
    if (listed.kind === 'fault') {
      faults.push(listed);
    } else {
      const { name } = listed.stored.secret.metadata;
      try {
        if (await rewrapEntry(vault, listed.stored, signal)) rewrapped += 1;
      } catch (error) {
        if (!isVaultError(error) && !isKeyProviderError(error)) throw error;
        faults.push({ secretName: name, error });
      }
    }
    onProgress?.({ done: index + 1, total: entries.length });
  }
  return { rewrapped, faults };
}

/** Whether the entry was under another key, and still existed. */
async function rewrapEntry(
  vault: Vault,
  listed: StoredEntry,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  let stored: StoredEntry | undefined = listed;
  for (let attempt = 1; stored !== undefined; attempt += 1) {
    try {
      return (await vault.rewrap(stored, signal)) !== stored;
    } catch (error) {
      if (isKubeError(error, 'ERR_KUBE_NOT_FOUND')) return false;
      if (!isKubeError(error, 'ERR_KUBE_CONFLICT') || attempt >= ATTEMPTS) throw error;
      stored = await vault.read(stored.entry.identity, {}, signal);
    }
  }
  return false;
}
