/**
 * The vault's own keys: one authenticates the tables, one makes fingerprints. Both are derived
 * from a master key in one Secret, wrapped by the key provider. It is made once: a new one would
 * make every table look tampered with and every fingerprint differ.
 */
import { hkdfSync } from 'node:crypto';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import { withSignal } from '#vault/call-options.ts';
import { generateKey, KEY_BYTES } from '#vault/envelope.ts';
import { KeyProviderError, VaultError } from '#vault/errors.ts';
import { decodeWrappedKey, encodeWrappedKey, isCurrent } from '#vault/key-provider.ts';
import type { KeyProvider, WrappedKey } from '#vault/key-provider.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';
import { VAULT_ENTRY_SELECTOR } from '#vault/stored-entry.ts';

export interface VaultKeys {
  readonly tableKey: SecretBytes;
  readonly fingerprintKey: SecretBytes;
}

export interface VaultKeysOptions {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly keyProvider: KeyProvider;
  readonly signal?: AbortSignal;
}

const NAME = 'strongroom-vault-keys';
const PART = 'master-key';

/**
 * Reads the keys, or makes them in an empty vault. Replicas that start together agree: the second
 * one to create reads what the first one made.
 *
 * @throws VaultError ERR_VAULT_KEYS_MISSING when entries exist but their keys do not
 * @throws KeyProviderError when the master key cannot be unwrapped
 */
export async function loadVaultKeys(options: VaultKeysOptions): Promise<VaultKeys> {
  const secret = (await find(options)) ?? (await create(options));
  using master = await options.keyProvider.unwrap(wrappedMaster(secret), options.signal);
  return {
    tableKey: derive(master, 'vault-table'),
    fingerprintKey: derive(master, 'fingerprint'),
  };
}

/**
 * Puts the master key under the provider's present key; the keys stay the same. Returns whether it
 * was under another one.
 */
export async function rewrapVaultKeys(options: VaultKeysOptions): Promise<boolean> {
  const { client, keyProvider, signal } = options;
  const secret = await find(options);
  if (secret === undefined) return false;
  const wrapped = wrappedMaster(secret);
  if (isCurrent(keyProvider, wrapped)) return false;
  using master = await keyProvider.unwrap(wrapped, signal);
  const data = { [PART]: encodeWrappedKey(await keyProvider.wrap(master, signal)) };
  await client.replace(SECRETS, { ...secret, data }, withSignal(signal));
  return true;
}

async function find({ client, namespace, signal }: VaultKeysOptions): Promise<Secret | undefined> {
  return await client.find(SECRETS, { namespace, name: NAME }, withSignal(signal));
}

async function create(options: VaultKeysOptions): Promise<Secret> {
  const { client, namespace, keyProvider, signal } = options;
  const entries = await client.listPage(
    SECRETS,
    { namespace },
    { labelSelector: VAULT_ENTRY_SELECTOR, limit: 1, ...withSignal(signal) },
  );
  if (entries.items.length > 0) {
    throw new VaultError(
      'ERR_VAULT_KEYS_MISSING',
      `Secret ${NAME} is gone from namespace ${namespace}, but vault entries exist; restore it from a backup`,
    );
  }
  using master = generateKey();
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: NAME, namespace, labels: { 'strongroom.dev/component': 'vault-keys' } },
    type: 'Opaque',
    data: { [PART]: encodeWrappedKey(await keyProvider.wrap(master, signal)) },
  };
  try {
    return await client.create(SECRETS, secret, withSignal(signal));
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
    return await client.get(SECRETS, { namespace, name: NAME }, withSignal(signal));
  }
}

function wrappedMaster(secret: Secret): WrappedKey {
  const wrapped = decodeWrappedKey(secret.data?.[PART]);
  if (wrapped === undefined) {
    throw new KeyProviderError(
      'ERR_KEY_STORE',
      `Secret ${NAME} does not hold a wrapped key; restore it from a backup`,
    );
  }
  return wrapped;
}

/** HKDF-SHA-256 (RFC 5869): keys for different purposes from one. */
function derive(master: SecretBytes, purpose: string): SecretBytes {
  const info = `strongroom.dev/${purpose}/v1`;
  const bytes = Buffer.from(hkdfSync('sha256', master.bytes(), Buffer.alloc(0), info, KEY_BYTES));
  try {
    return SecretBytes.fromBytes(bytes);
  } finally {
    bytes.fill(0);
  }
}
