/** Seal keys in the cluster: private halves in Secrets, encrypted; public halves in a ConfigMap. */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync } from 'node:crypto';
import type { KubeClient } from '#kube/client.ts';
import type { ConfigMap, Secret } from '#kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '#kube/resources.ts';
import { isKubeError } from '#kube/errors.ts';
import { withSignal } from '#vault/call-options.ts';
import { associatedData, decrypt, encrypt, generateKey } from '#vault/envelope.ts';
import { isKeyProviderError, isSealError, SealError } from '#vault/errors.ts';
import { decodeWrappedKey, encodeWrappedKey, isCurrent } from '#vault/key-provider.ts';
import type { KeyProvider, WrappedKey } from '#vault/key-provider.ts';
import { formatPublicKeys, PUBLISHED_KEY, PUBLISHED_NAME, thumbprint } from '#vault/public-keys.ts';
import type { SealKeyPair, SealKeyring } from '#vault/seal-keys.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

export interface SealKeyFault {
  readonly secretName: string;
  readonly error: unknown;
}

export interface SealKeyListing {
  readonly pairs: readonly SealKeyPair[];
  /** Secrets labelled as seal keys that are none, or cannot be opened. They harm no other key. */
  readonly faults: readonly SealKeyFault[];
}

export interface SealKeyRewrap {
  /** How many were under another key. */
  readonly rewrapped: number;
  readonly faults: readonly SealKeyFault[];
}

/** All methods throw `KubeError`; `create` and `rewrap` also `KeyProviderError`. */
export interface SealKeyStore {
  load(signal?: AbortSignal): Promise<SealKeyListing>;
  /** @param now ms since the epoch; becomes the key's createdAt */
  create(now: number, signal?: AbortSignal): Promise<SealKeyPair>;
  /** Writes the public keys where everybody may read them; only if they differ. */
  publish(keyring: SealKeyring, signal?: AbortSignal): Promise<void>;
  /** Puts the keys under the key provider's present key. */
  rewrap(signal?: AbortSignal): Promise<SealKeyRewrap>;
}

export interface SealKeyStoreOptions {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly keyProvider: KeyProvider;
}

const COMPONENT_LABEL = 'strongroom.dev/component';
const COMPONENT = 'seal-key';
const SELECTOR = `${COMPONENT_LABEL}=${COMPONENT}`;

/** Parts of the Secret: the public half as JSON, the private half encrypted under its data key. */
const PUBLIC_PART = 'public.json';
const PRIVATE_PART = 'private';
const DEK_PART = 'dek';

interface PublicHalf {
  readonly keyId: string;
  readonly x: string;
  readonly createdAt: string;
}

export function createSealKeyStore(options: SealKeyStoreOptions): SealKeyStore {
  const { client, namespace, keyProvider } = options;

  async function list(signal: AbortSignal | undefined): Promise<readonly Secret[]> {
    const found = await client.list(
      SECRETS,
      { namespace },
      { labelSelector: SELECTOR, ...withSignal(signal) },
    );
    return found.items;
  }

  return {
    async load(signal) {
      const pairs: SealKeyPair[] = [];
      const faults: SealKeyFault[] = [];
      for (const secret of await list(signal)) {
        try {
          pairs.push(await decodePair(secret, keyProvider, signal));
        } catch (error) {
          signal?.throwIfAborted();
          faults.push({ secretName: secret.metadata.name, error });
        }
      }
      return { pairs, faults };
    },

    async create(now, signal) {
      const secret = await encodePair(now, namespace, keyProvider, signal);
      return await decodePair(
        await client.create(SECRETS, secret, withSignal(signal)),
        keyProvider,
        signal,
      );
    },

    async publish(keyring, signal) {
      const text = formatPublicKeys(keyring.published);
      const at = { namespace, name: PUBLISHED_NAME };
      const found = await client.find(CONFIG_MAPS, at, withSignal(signal));
      if (found?.data?.[PUBLISHED_KEY] === text) return;
      if (found !== undefined) {
        const next = { ...found, data: { ...found.data, [PUBLISHED_KEY]: text } };
        await client.replace(CONFIG_MAPS, next, withSignal(signal));
        return;
      }
      const published: ConfigMap = {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { ...at, labels: { [COMPONENT_LABEL]: 'seal-keys' } },
        data: { [PUBLISHED_KEY]: text },
      };
      try {
        await client.create(CONFIG_MAPS, published, withSignal(signal));
      } catch (error) {
        // Somebody was first; the next round compares with what they wrote.
        if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
      }
    },

    async rewrap(signal) {
      let rewrapped = 0;
      const faults: SealKeyFault[] = [];
      for (const secret of await list(signal)) {
        const { name } = secret.metadata;
        try {
          const wrapped = wrappedKeyOf(secret);
          if (isCurrent(keyProvider, wrapped)) continue;
          using dek = await keyProvider.unwrap(wrapped, signal);
          const dekPart = encodeWrappedKey(await keyProvider.wrap(dek, signal));
          const data = { ...secret.data, [DEK_PART]: dekPart };
          await client.replace(SECRETS, { ...secret, data }, withSignal(signal));
          rewrapped += 1;
        } catch (error) {
          if (!isSealError(error) && !isKeyProviderError(error)) throw error;
          faults.push({ secretName: name, error });
        }
      }
      return { rewrapped, faults };
    },
  };
}

async function encodePair(
  now: number,
  namespace: string,
  keyProvider: KeyProvider,
  signal: AbortSignal | undefined,
): Promise<Secret> {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const half = { keyId: thumbprint(x), x, createdAt: new Date(now).toISOString() };
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  using plaintext = SecretBytes.fromBytes(der);
  der.fill(0);
  using dek = generateKey();
  const envelope = encrypt(dek, plaintext, bindingOf(half));
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: nameOf(x),
      namespace,
      labels: { [COMPONENT_LABEL]: COMPONENT },
    },
    type: 'Opaque',
    data: {
      [PUBLIC_PART]: Buffer.from(JSON.stringify(half), 'utf8').toString('base64'),
      [PRIVATE_PART]: Buffer.from(envelope).toString('base64'),
      [DEK_PART]: encodeWrappedKey(await keyProvider.wrap(dek, signal)),
    },
  };
}

async function decodePair(
  secret: Secret,
  keyProvider: KeyProvider,
  signal: AbortSignal | undefined,
): Promise<SealKeyPair> {
  const { name } = secret.metadata;
  const half = decodePublicHalf(secret.data?.[PUBLIC_PART]);
  if (half === undefined) throw noSealKey(name);
  const wrapped = wrappedKeyOf(secret);
  using dek = await keyProvider.unwrap(wrapped, signal);
  const envelope = Buffer.from(secret.data?.[PRIVATE_PART] ?? '', 'base64');
  using der = decrypt(dek, envelope, bindingOf(half));
  if (der === undefined) {
    throw new SealError('ERR_SEAL_KEYS', `the seal key in Secret ${name} does not authenticate`);
  }
  const privateKey = createPrivateKey({
    key: Buffer.from(der.bytes().buffer),
    format: 'der',
    type: 'pkcs8',
  });
  const { x } = createPublicKey(privateKey).export({ format: 'jwk' });
  if (x !== half.x || half.keyId !== thumbprint(half.x)) {
    throw new SealError('ERR_SEAL_KEYS', `the halves of the seal key in Secret ${name} differ`);
  }
  return { ...half, privateKey };
}

function wrappedKeyOf({ metadata, data }: Secret): WrappedKey {
  const wrapped = decodeWrappedKey(data?.[DEK_PART]);
  if (wrapped === undefined) throw noSealKey(metadata.name);
  return wrapped;
}

function noSealKey(secretName: string): SealError {
  return new SealError('ERR_SEAL_KEYS', `Secret ${secretName} does not hold a seal key`);
}

function decodePublicHalf(encoded: string | undefined): PublicHalf | undefined {
  try {
    const half: unknown = JSON.parse(Buffer.from(encoded ?? '', 'base64').toString('utf8'));
    if (typeof half !== 'object' || half === null) return undefined;
    const { keyId, x, createdAt }: Partial<Record<keyof PublicHalf, unknown>> = half;
    if (typeof keyId !== 'string' || typeof x !== 'string' || typeof createdAt !== 'string') {
      return undefined;
    }
    return Number.isFinite(Date.parse(createdAt)) ? { keyId, x, createdAt } : undefined;
  } catch {
    return undefined;
  }
}

/** The time is bound as well: with another one a retired key would be accepted again. */
function bindingOf({ keyId, x, createdAt }: PublicHalf): Uint8Array {
  return associatedData('strongroom.dev/seal-key/v1', keyId, x, createdAt);
}

function nameOf(x: string): string {
  return `strongroom-seal-key-${createHash('sha256').update(x).digest('hex').slice(0, 16)}`;
}
