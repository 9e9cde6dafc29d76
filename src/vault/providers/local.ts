/**
 * Key-encryption keys that lie in Secrets of the operator's namespace, beside the vault. That
 * protects backups of single Secrets, and against readers of single Secrets; it does not protect
 * against whoever reads the whole namespace.
 */
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import { withSignal } from '#vault/call-options.ts';
import { generateKey, KEY_BYTES } from '#vault/envelope.ts';
import { KeyProviderError } from '#vault/errors.ts';
import type { KeyProvider } from '#vault/key-provider.ts';
import { findDependent, lostKey } from '#vault/providers/dependent.ts';
import { checkValue, unknownKey, unwrapWith, wrapWith } from '#vault/providers/wrapping.ts';
import type { KeyEncryptionKey } from '#vault/providers/wrapping.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

export interface LocalKeyProvider extends KeyProvider {
  /** Makes a new key, which wraps from now on; the older ones go on unwrapping. Returns its id. */
  rotate(signal?: AbortSignal): Promise<string>;
}

export interface LocalKeyProviderOptions {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly signal?: AbortSignal;
}

const PROVIDER = 'local';
const COMPONENT_LABEL = 'strongroom.dev/component';
const COMPONENT = 'key-encryption-key';
const NAME_PATTERN = /^strongroom-kek-([1-9][0-9]{0,8})$/;
const PART = 'key';

interface NumberedKey extends KeyEncryptionKey {
  readonly number: number;
}

/**
 * Reads the keys, and makes the first one where there is none. Replicas that start together agree:
 * keys are numbered, and a number can be created only once. Where something lies under a key that is
 * gone no new one is made, for it would be in the way of the backup.
 *
 * @throws KeyProviderError ERR_KEY_STORE
 */
export async function createLocalKeyProvider({
  client,
  namespace,
  signal,
}: LocalKeyProviderOptions): Promise<LocalKeyProvider> {
  /** Every key that was ever read: this process goes on when one is deleted under it. */
  const known = new Map<string, NumberedKey>();
  // Before the keys, because they are made before what lies under them.
  const dependent = await findDependent(client, namespace, signal);
  let keys = await load(signal);
  if (keys.length === 0) {
    if (dependent !== undefined) {
      throw lostKey('the Secrets strongroom-kek-*', namespace, dependent);
    }
    await add(1, signal);
    keys = await load(signal);
  }

  async function load(abort: AbortSignal | undefined): Promise<readonly NumberedKey[]> {
    const { items } = await client.list(
      SECRETS,
      { namespace },
      { labelSelector: `${COMPONENT_LABEL}=${COMPONENT}`, ...withSignal(abort) },
    );
    return items
      .map(decodeKey)
      .map(remember)
      .sort((a, b) => b.number - a.number);
  }

  function remember(read: NumberedKey): NumberedKey {
    const kept = known.get(read.keyId);
    if (kept === undefined) {
      known.set(read.keyId, read);
      return read;
    }
    read.key.wipe();
    return kept;
  }

  async function add(number: number, abort: AbortSignal | undefined): Promise<void> {
    using key = generateKey();
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: `strongroom-kek-${number}`,
        namespace,
        labels: { [COMPONENT_LABEL]: COMPONENT },
      },
      type: 'Opaque',
      immutable: true,
      data: { [PART]: Buffer.from(key.bytes()).toString('base64') },
    };
    try {
      await client.create(SECRETS, secret, withSignal(abort));
    } catch (error) {
      // Another replica was first; its key is as good.
      if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
    }
  }

  function newest(): NumberedKey {
    const [key] = keys;
    if (key === undefined) {
      throw new KeyProviderError(
        'ERR_KEY_STORE',
        `there is no key-encryption key in namespace ${namespace}; restore the Secrets strongroom-kek-*`,
      );
    }
    return key;
  }
  newest();

  return {
    name: PROVIDER,
    get keyId() {
      return newest().keyId;
    },
    async wrap(dek, abort) {
      // Another process may have rotated, and the older key may be about to go.
      keys = await load(abort);
      return wrapWith(PROVIDER, newest(), dek);
    },
    async unwrap(wrapped, abort) {
      if (wrapped.provider !== PROVIDER) throw unknownKey(PROVIDER, wrapped);
      // Another process may have rotated since.
      if (!known.has(wrapped.keyId)) keys = await load(abort);
      const key = known.get(wrapped.keyId);
      if (key === undefined) throw unknownKey(PROVIDER, wrapped);
      return unwrapWith(key, wrapped);
    },
    async rotate(abort) {
      keys = await load(abort);
      await add(newest().number + 1, abort);
      keys = await load(abort);
      return newest().keyId;
    },
  };
}

function decodeKey(secret: Secret): NumberedKey {
  const { name } = secret.metadata;
  const number = NAME_PATTERN.exec(name)?.[1];
  const bytes = Buffer.from(secret.data?.[PART] ?? '', 'base64');
  if (number === undefined || bytes.length !== KEY_BYTES) {
    throw new KeyProviderError(
      'ERR_KEY_STORE',
      `Secret ${name} is labelled as a key-encryption key but does not hold one; restore or delete it`,
    );
  }
  const key = SecretBytes.fromBytes(bytes);
  bytes.fill(0);
  return { number: Number(number), keyId: `${number}-${checkValue(key)}`, key };
}
