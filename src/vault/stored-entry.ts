/**
 * A vault entry as a Secret. Its data:
 *
 *   table              the entry (entry.ts) as JSON
 *   mac                HMAC-SHA-256 over the bytes of the table
 *   dek.<version>      the version's data key, wrapped by the key provider, as JSON
 *   data.<version>.<field>   AES-256-GCM under that data key; the associated data are the
 *                      credential's identity, the version and the field
 *
 * So neither a ciphertext nor a whole version can be moved within an entry or to another one, and
 * a version that the table does not list does not exist.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { ObjectMeta, Secret } from '#kube/objects.ts';
import type { CredentialIdentity, VaultEntry, VersionRecord } from '#vault/entry.ts';
import { findVersion, ORIGINS, VERSION_STATES } from '#vault/entry.ts';
import { associatedData, decrypt, encrypt, generateKey } from '#vault/envelope.ts';
import { isKeyProviderError, VaultError } from '#vault/errors.ts';
import { computeFingerprints } from '#vault/fingerprint.ts';
import { decodeWrappedKey, encodeWrappedKey, isCurrent } from '#vault/key-provider.ts';
import type { KeyProvider, WrappedKey } from '#vault/key-provider.ts';
import { wipeFields } from '#vault/secret-bytes.ts';
import type { CredentialFields, SecretBytes } from '#vault/secret-bytes.ts';

/** An entry as it was read: authenticated, and tied to the stored copy it came from. */
export interface StoredEntry {
  readonly entry: VaultEntry;
  /** The Secret it lies in; its resourceVersion guards the next write. */
  readonly secret: Secret;
}

type SecretData = Readonly<Record<string, string>>;

const COMPONENT_LABEL = 'strongroom.dev/component';
const COMPONENT = 'vault-entry';
export const VAULT_ENTRY_SELECTOR: string = `${COMPONENT_LABEL}=${COMPONENT}`;

/** For people who look; authenticated is only the table. */
const CREDENTIAL_ANNOTATION = 'strongroom.dev/credential';

const TABLE = 'table';
const MAC = 'mac';

/**
 * What the kind of Secret says about itself, also to field selectors and admission rules. It cannot
 * be changed, so that nothing else can be turned into an entry.
 */
const SECRET_TYPE = 'strongroom.dev/vault-entry';

/** Kubernetes' limit for the data of a Secret, in bytes. */
const MAX_ENTRY_BYTES = 1_048_576;

/**
 * Limit for an entry that gets a new version. The rest is kept free for the table, which grows by
 * reasons and remembered fingerprints: revoking must never fail for lack of room.
 */
export const MAX_STAGED_ENTRY_BYTES = 950_000;

/** Names of any length and character set become one that a Secret can have. */
export function entryName({ namespace, name }: { namespace: string; name: string }): string {
  const digest = createHash('sha256').update(`${namespace}/${name}`).digest('hex');
  return `xc-${digest.slice(0, 40)}`;
}

/**
 * The Secret of `entry`. From `data` it takes the parts of the versions that the table lists, and
 * nothing else.
 *
 * @param maxBytes how large it may be; a Secret's own limit unless told
 * @throws VaultError ERR_VAULT_TOO_LARGE
 */
export function encodeEntry(
  entry: VaultEntry,
  data: SecretData,
  tableKey: SecretBytes,
  metadata: ObjectMeta,
  maxBytes: number = MAX_ENTRY_BYTES,
): Secret {
  const table = Buffer.from(JSON.stringify(entry), 'utf8');
  const encoded: Record<string, string> = {
    [TABLE]: table.toString('base64'),
    [MAC]: computeMac(table, tableKey).toString('base64'),
  };
  for (const record of entry.versions) {
    for (const part of partsOf(record)) {
      const content = data[part];
      if (content === undefined) throw new Error(`${part} is missing from the entry to be written`);
      encoded[part] = content;
    }
  }
  const bytes = Object.values(encoded).reduce(
    (sum, text) => sum + Buffer.byteLength(text, 'base64'),
    0,
  );
  if (bytes > maxBytes) {
    throw new VaultError(
      'ERR_VAULT_TOO_LARGE',
      `${entry.versions.length} versions need ${bytes} bytes, and a vault entry holds ${maxBytes}; ` +
        'make the value smaller or keep fewer versions (spec.history)',
    );
  }
  const { name, namespace, resourceVersion, uid } = metadata;
  const { identity } = entry;
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      labels: { [COMPONENT_LABEL]: COMPONENT },
      annotations: { [CREDENTIAL_ANNOTATION]: `${identity.namespace}/${identity.name}` },
    },
    type: SECRET_TYPE,
    data: encoded,
  };
}

/**
 * The table of a stored entry, once it authenticates and is complete.
 * @throws VaultError ERR_VAULT_TAMPERED
 */
export function decodeEntry(secret: Secret, tableKey: SecretBytes): VaultEntry {
  const { name } = secret.metadata;
  const data = secret.data ?? {};
  const table = Buffer.from(data[TABLE] ?? '', 'base64');
  const mac = Buffer.from(data[MAC] ?? '', 'base64');
  const expected = computeMac(table, tableKey);
  if (mac.length !== expected.length || !timingSafeEqual(mac, expected)) {
    throw tampered(`the table of vault entry ${name} does not authenticate`);
  }
  const entry: unknown = JSON.parse(table.toString('utf8'));
  if (!isVaultEntry(entry)) {
    throw tampered(`the table of vault entry ${name} is authentic, but of a form not known here`);
  }
  const lost = entry.versions.flatMap(partsOf).find((part) => data[part] === undefined);
  if (lost !== undefined) throw tampered(`vault entry ${name} has lost its part ${lost}`);
  return entry;
}

/** Whether two Secrets hold the very same table; says nothing about its authenticity. */
export function isSameTable(a: Secret, b: Secret): boolean {
  return a.data?.[TABLE] === b.data?.[TABLE];
}

function computeMac(table: Uint8Array, tableKey: SecretBytes): Buffer {
  return createHmac('sha256', tableKey.bytes())
    .update('strongroom.dev/vault-table/v1\0')
    .update(table)
    .digest();
}

/** Encrypts the fields of a version under a new data key: the parts to be stored. */
export async function sealVersion(
  identity: CredentialIdentity,
  version: number,
  fields: CredentialFields,
  provider: KeyProvider,
  signal?: AbortSignal,
): Promise<SecretData> {
  using dek = generateKey();
  const parts: Record<string, string> = {
    [dekPart(version)]: encodeWrappedKey(await provider.wrap(dek, signal)),
  };
  for (const [field, value] of fields) {
    const envelope = encrypt(dek, value, bindingOf(identity, version, field));
    parts[fieldPart(version, field)] = Buffer.from(envelope).toString('base64');
  }
  return parts;
}

/**
 * Decrypts a version, and compares what comes out with the fingerprint in the table. Version numbers
 * start anew when an entry was removed and made again; a ciphertext that was kept from before is
 * bound to the same names, but not in this table.
 *
 * @throws VaultError ERR_VAULT_UNKNOWN_VERSION, ERR_VAULT_TAMPERED; KeyProviderError ERR_KEY_UNKNOWN
 */
export async function openVersion(
  { entry, secret }: StoredEntry,
  version: number,
  provider: KeyProvider,
  fingerprintKey: SecretBytes,
  signal?: AbortSignal,
): Promise<CredentialFields> {
  const record = findVersion(entry, version);
  if (record === undefined) {
    throw new VaultError('ERR_VAULT_UNKNOWN_VERSION', `version ${version} is not in the vault`);
  }
  const data = secret.data ?? {};
  using dek = await unwrap(provider, wrappedKeyOf(data, version), version, signal);
  const fields = new Map<string, SecretBytes>();
  for (const field of record.fields) {
    const envelope = Buffer.from(data[fieldPart(version, field)] ?? '', 'base64');
    const value = decrypt(dek, envelope, bindingOf(entry.identity, version, field));
    if (value === undefined) {
      wipeFields(fields);
      throw tampered(`field ${field} of version ${version} does not authenticate`);
    }
    fields.set(field, value);
  }
  if (computeFingerprints(fingerprintKey, fields).fingerprint !== record.fingerprint) {
    wipeFields(fields);
    throw tampered(`version ${version} holds an authentic value, but not the one in its table`);
  }
  return fields;
}

/** The data with every data key under the provider's present key; undefined when all are already. */
export async function rewrapVersions(
  { entry, secret }: StoredEntry,
  provider: KeyProvider,
  signal?: AbortSignal,
): Promise<SecretData | undefined> {
  const data = secret.data ?? {};
  const rewrapped: Record<string, string> = {};
  for (const { version } of entry.versions) {
    const wrapped = wrappedKeyOf(data, version);
    if (isCurrent(provider, wrapped)) continue;
    using dek = await unwrap(provider, wrapped, version, signal);
    rewrapped[dekPart(version)] = encodeWrappedKey(await provider.wrap(dek, signal));
  }
  return Object.keys(rewrapped).length === 0 ? undefined : { ...data, ...rewrapped };
}

async function unwrap(
  provider: KeyProvider,
  wrapped: WrappedKey,
  version: number,
  signal: AbortSignal | undefined,
): Promise<SecretBytes> {
  try {
    return await provider.unwrap(wrapped, signal);
  } catch (error) {
    if (!isKeyProviderError(error, 'ERR_KEY_CORRUPTED')) throw error;
    throw tampered(`the data key of version ${version} does not authenticate`, error);
  }
}

function partsOf({ version, fields }: VersionRecord): readonly string[] {
  return [dekPart(version), ...fields.map((field) => fieldPart(version, field))];
}

function dekPart(version: number): string {
  return `dek.${version}`;
}

function fieldPart(version: number, field: string): string {
  return `data.${version}.${field}`;
}

function bindingOf(identity: CredentialIdentity, version: number, field: string): Uint8Array {
  const { namespace, name, exchange, type } = identity;
  return associatedData(
    'strongroom.dev/vault/v1',
    namespace,
    name,
    exchange,
    type,
    String(version),
    field,
  );
}

function wrappedKeyOf(data: SecretData, version: number): WrappedKey {
  const wrapped = decodeWrappedKey(data[dekPart(version)]);
  if (wrapped === undefined) throw tampered(`the data key of version ${version} cannot be read`);
  return wrapped;
}

function tampered(message: string, cause?: unknown): VaultError {
  return new VaultError('ERR_VAULT_TAMPERED', message, cause === undefined ? undefined : { cause });
}

/**
 * Form only: the MAC has proved who wrote the table, so this tells a later form from this one
 * rather than a friend from a foe.
 */
function isVaultEntry(value: unknown): value is VaultEntry {
  if (!isRecord(value)) return false;
  const { identity, namespaceUid, revision, nextVersion, versions } = value;
  return (
    isRecord(identity) &&
    ['namespace', 'name', 'exchange', 'type'].every((part) => typeof identity[part] === 'string') &&
    typeof namespaceUid === 'string' &&
    Number.isSafeInteger(revision) &&
    Number.isSafeInteger(nextVersion) &&
    Array.isArray(versions) &&
    versions.every(isVersionRecord)
  );
}

function isVersionRecord(value: unknown): value is VersionRecord {
  if (!isRecord(value)) return false;
  const { version, state, origin, fields, fingerprint, fieldFingerprints } = value;
  return (
    Number.isSafeInteger(version) &&
    VERSION_STATES.some((known) => known === state) &&
    ORIGINS.some((known) => known === origin) &&
    Array.isArray(fields) &&
    fields.every((field) => typeof field === 'string') &&
    typeof fingerprint === 'string' &&
    isRecord(fieldFingerprints)
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
