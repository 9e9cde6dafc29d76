/**
 * A key-encryption key derived from a passphrase with scrypt (RFC 7914). The passphrase is handed
 * to the operator from outside; in the cluster lie only a random salt and the cost parameters, so
 * that whoever reads the namespace has to guess, at the price of one scrypt a guess.
 */
import { randomBytes, scrypt } from 'node:crypto';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import { withSignal } from '#vault/call-options.ts';
import { KEY_BYTES } from '#vault/envelope.ts';
import { KeyProviderError } from '#vault/errors.ts';
import type { KeyProvider } from '#vault/key-provider.ts';
import { findDependent, lostKey } from '#vault/providers/dependent.ts';
import { checkValue, unknownKey, unwrapWith, wrapWith } from '#vault/providers/wrapping.ts';
import type { KeyEncryptionKey } from '#vault/providers/wrapping.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

export interface ScryptCost {
  /** CPU and memory cost, a power of two. */
  readonly N: number;
  /** Block size. */
  readonly r: number;
  /** Parallelisation. */
  readonly p: number;
}

/** 128 MiB and about half a second, once at the start: what OWASP recommends for N with r = 8. */
const DEFAULT_COST: ScryptCost = { N: 2 ** 17, r: 8, p: 1 };

/** Stored parameters beyond this are refused: they would end the operator for lack of memory. */
const MAX_MEMORY_BYTES = 256 * 1024 * 1024;

export interface PassphraseKeyProviderOptions {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly passphrase: SecretBytes;
  /** Before a change of passphrase: unwraps what is under it until all was rewrapped. */
  readonly previousPassphrase?: SecretBytes;
  /** For a new salt; stored ones keep theirs. */
  readonly cost?: ScryptCost;
  readonly signal?: AbortSignal;
}

const PROVIDER = 'passphrase';
const COMPONENT_LABEL = 'strongroom.dev/component';
const COMPONENT = 'passphrase-parameters';
const NAME_PATTERN = /^strongroom-passphrase-([1-9][0-9]{0,8})$/;
const PART = 'scrypt.json';
const SALT_BYTES = 16;
const MIN_PASSPHRASE_BYTES = 16;

/** What a Secret holds for one passphrase. */
interface Parameters {
  readonly number: number;
  readonly salt: Uint8Array;
  readonly cost: ScryptCost;
  /** {@link checkValue} of the derived key. */
  readonly check: string;
}

/**
 * Derives the keys. A passphrase that matches no stored parameters is taken only where there are
 * none yet, or beside a previous one that does match: a typing mistake must not found a second vault.
 *
 * @throws KeyProviderError ERR_KEY_PASSPHRASE, ERR_KEY_STORE
 */
export async function createPassphraseKeyProvider(
  options: PassphraseKeyProviderOptions,
): Promise<KeyProvider> {
  const { passphrase, previousPassphrase } = options;
  if (passphrase.length < MIN_PASSPHRASE_BYTES) {
    throw new KeyProviderError(
      'ERR_KEY_PASSPHRASE',
      `the passphrase has fewer than ${MIN_PASSPHRASE_BYTES} bytes; choose a longer one`,
    );
  }
  // Before the parameters, because they are made before what lies under their key.
  const dependent = await findDependent(options.client, options.namespace, options.signal);
  const stored = await load(options);
  if (stored.length === 0 && dependent !== undefined) {
    throw lostKey('the Secrets strongroom-passphrase-*', options.namespace, dependent);
  }
  const previous =
    previousPassphrase === undefined ? undefined : await match(previousPassphrase, stored);
  if (previousPassphrase !== undefined && previous === undefined) {
    throw wrongPassphrase('previous passphrase');
  }
  let current = await match(passphrase, stored);
  if (current === undefined) {
    if (stored.length > 0 && previous === undefined) throw wrongPassphrase('passphrase');
    const number = Math.max(0, ...stored.map((parameters) => parameters.number)) + 1;
    current = await add(options, number);
  }
  const wrapping = current;
  const keys = previous === undefined ? [wrapping] : [wrapping, previous];

  return {
    name: PROVIDER,
    keyId: wrapping.keyId,
    async wrap(dek) {
      return wrapWith(PROVIDER, wrapping, dek);
    },
    async unwrap(wrapped) {
      const key = keys.find(({ keyId }) => keyId === wrapped.keyId);
      if (wrapped.provider !== PROVIDER || key === undefined) throw unknownKey(PROVIDER, wrapped);
      return unwrapWith(key, wrapped);
    },
  };
}

async function load({
  client,
  namespace,
  signal,
}: PassphraseKeyProviderOptions): Promise<readonly Parameters[]> {
  const { items } = await client.list(
    SECRETS,
    { namespace },
    { labelSelector: `${COMPONENT_LABEL}=${COMPONENT}`, ...withSignal(signal) },
  );
  return items.map(decodeParameters).sort((a, b) => b.number - a.number);
}

/** Stores parameters for the passphrase; when another replica did so first, those must match it. */
async function add(
  options: PassphraseKeyProviderOptions,
  number: number,
): Promise<KeyEncryptionKey> {
  const { client, namespace, passphrase, cost = DEFAULT_COST, signal } = options;
  const salt = randomBytes(SALT_BYTES);
  const key = await derive(passphrase, salt, cost);
  const check = checkValue(key);
  const document = { N: cost.N, r: cost.r, p: cost.p, salt: salt.toString('base64'), check };
  const secret: Secret = {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: `strongroom-passphrase-${number}`,
      namespace,
      labels: { [COMPONENT_LABEL]: COMPONENT },
    },
    type: 'Opaque',
    immutable: true,
    data: { [PART]: Buffer.from(JSON.stringify(document), 'utf8').toString('base64') },
  };
  try {
    await client.create(SECRETS, secret, withSignal(signal));
    return { keyId: `${number}-${check}`, key };
  } catch (error) {
    key.wipe();
    if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
  }
  const found = await match(passphrase, await load(options));
  if (found === undefined) throw wrongPassphrase('passphrase');
  return found;
}

/** The key of the newest parameters that belong to the passphrase. */
async function match(
  passphrase: SecretBytes,
  stored: readonly Parameters[],
): Promise<KeyEncryptionKey | undefined> {
  for (const { number, salt, cost, check } of stored) {
    const key = await derive(passphrase, salt, cost);
    if (checkValue(key) === check) return { keyId: `${number}-${check}`, key };
    key.wipe();
  }
  return undefined;
}

async function derive(
  passphrase: SecretBytes,
  salt: Uint8Array,
  { N, r, p }: ScryptCost,
): Promise<SecretBytes> {
  const { promise, resolve, reject } = Promise.withResolvers<SecretBytes>();
  // Node counts a little more than the 128·N·r bytes of the main table.
  const maxmem = MAX_MEMORY_BYTES + 1024 * 1024;
  scrypt(passphrase.bytes(), salt, KEY_BYTES, { N, r, p, maxmem }, (error, bytes) => {
    if (error !== null) {
      reject(error);
      return;
    }
    resolve(SecretBytes.fromBytes(bytes));
    bytes.fill(0);
  });
  return await promise;
}

function decodeParameters(secret: Secret): Parameters {
  const { name } = secret.metadata;
  const number = NAME_PATTERN.exec(name)?.[1];
  const document = parseJson(Buffer.from(secret.data?.[PART] ?? '', 'base64').toString('utf8'));
  const { N, r, p, salt, check } = document;
  if (
    number === undefined ||
    !isCount(N) ||
    !isPowerOfTwo(N) ||
    !isCount(r) ||
    !isCount(p) ||
    128 * N * r * p > MAX_MEMORY_BYTES ||
    typeof salt !== 'string' ||
    typeof check !== 'string'
  ) {
    throw new KeyProviderError(
      'ERR_KEY_STORE',
      `Secret ${name} does not hold usable scrypt parameters; restore it from a backup`,
    );
  }
  return { number: Number(number), salt: Buffer.from(salt, 'base64'), cost: { N, r, p }, check };
}

function parseJson(text: string): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return { ...value };
  } catch {
    // Falls through: the caller refuses what has no members.
  }
  return {};
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function isPowerOfTwo(value: number): boolean {
  return Number.isInteger(Math.log2(value)) && value > 1;
}

function wrongPassphrase(which: string): KeyProviderError {
  return new KeyProviderError(
    'ERR_KEY_PASSPHRASE',
    `the ${which} does not belong to this vault; to change it, give the one before as well`,
  );
}
