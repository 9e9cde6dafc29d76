/**
 * Whose value this is: keyed fingerprints of what the vault holds, without the values. Kept of
 * fields alone that nobody can guess: whoever could ask for a passphrase of their choice would learn
 * whether it is right.
 */
import type { Secret } from '#kube/objects.ts';
import { isVaultError } from '#vault/errors.ts';
import { fieldFingerprint } from '#vault/fingerprint.ts';
import type { SecretBytes } from '#vault/secret-bytes.ts';
import { decodeEntry } from '#vault/stored-entry.ts';

/** Fields whose values are random, with 128 bits or more. */
const UNGUESSABLE_FIELDS = ['apiSecret', 'privateKey', 'tls.key', 'key'] as const;

export interface EntryFingerprints {
  /** `namespace/name` of the ExchangeCredential. */
  readonly credential: string;
  readonly fingerprints: readonly string[];
}

/**
 * Of the current version and the one before it, as far as the authenticated table of a vault entry
 * has them; undefined for an entry that does not authenticate.
 */
export function entryFingerprints(
  secret: Secret,
  tableKey: SecretBytes,
): EntryFingerprints | undefined {
  try {
    const { identity, versions } = decodeEntry(secret, tableKey);
    return {
      credential: `${identity.namespace}/${identity.name}`,
      fingerprints: versions
        .filter(({ state }) => state === 'Current' || state === 'Previous')
        .flatMap(({ fieldFingerprints }) =>
          UNGUESSABLE_FIELDS.flatMap((field) => fieldFingerprints[field] ?? []),
        ),
    };
  } catch (error) {
    if (isVaultError(error)) return undefined;
    throw error;
  }
}

/** The fingerprints that a value has as any of the fields that are looked up. */
export function valueFingerprints(key: SecretBytes, value: Uint8Array): readonly string[] {
  return UNGUESSABLE_FIELDS.map((field) => fieldFingerprint(key, field, value));
}
