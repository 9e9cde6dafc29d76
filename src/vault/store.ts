/**
 * The vault: one Secret a credential, in the operator's namespace. This file reads and writes
 * them; what they look like is in stored-entry.ts, how the table may change in entry.ts.
 */
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { Secret } from '#kube/objects.ts';
import { SECRETS } from '#kube/resources.ts';
import { withSignal } from '#vault/call-options.ts';
import type { CredentialIdentity, Origin, VaultEntry } from '#vault/entry.ts';
import { appendStaged } from '#vault/entry.ts';
import { isVaultError, VaultError } from '#vault/errors.ts';
import type { Fingerprints } from '#vault/fingerprint.ts';
import { computeFingerprints } from '#vault/fingerprint.ts';
import type { KeyProvider } from '#vault/key-provider.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import type { StoredEntry } from '#vault/stored-entry.ts';
import {
  decodeEntry,
  encodeEntry,
  entryName,
  isSameTable,
  MAX_STAGED_ENTRY_BYTES,
  openVersion,
  rewrapVersions,
  sealVersion,
  VAULT_ENTRY_SELECTOR,
} from '#vault/stored-entry.ts';
import type { VaultKeys } from '#vault/vault-keys.ts';

export type { StoredEntry } from '#vault/stored-entry.ts';

export interface CredentialName {
  readonly namespace: string;
  readonly name: string;
}

export interface ReadOptions {
  /** The newest revision that the caller knows of, such as the one in status. */
  readonly atLeastRevision?: number;
}

export interface StagedVersion {
  readonly origin: Origin;
  /** RFC 3339. */
  readonly at: string;
  readonly sealKey?: string;
  readonly reason?: string;
}

/** What a listing found: an entry, or a Secret that is none, with the reason. */
export type ListedEntry =
  | { readonly kind: 'entry'; readonly stored: StoredEntry }
  | { readonly kind: 'fault'; readonly secretName: string; readonly error: VaultError };

/**
 * Every method throws `KubeError` when the API server cannot be reached or refuses;
 * ERR_KUBE_CONFLICT when the entry was changed since it was read (read it again).
 */
export interface Vault {
  /**
   * The entry of a credential, or undefined when there is none.
   * @throws VaultError ERR_VAULT_TAMPERED, ERR_VAULT_SWAPPED, ERR_VAULT_ROLLED_BACK
   */
  read(
    at: CredentialName,
    options?: ReadOptions,
    signal?: AbortSignal,
  ): Promise<StoredEntry | undefined>;
  /** An empty entry. One that this call left behind when its answer was lost counts as made now. */
  create(
    identity: CredentialIdentity,
    namespaceUid: string,
    signal?: AbortSignal,
  ): Promise<StoredEntry>;
  /**
   * Stores an encrypted, Staged version. The fields stay the caller's to wipe.
   * @throws VaultError ERR_VAULT_TOO_LARGE
   */
  stage(
    stored: StoredEntry,
    fields: CredentialFields,
    about: StagedVersion,
    signal?: AbortSignal,
  ): Promise<StoredEntry>;
  /**
   * Stores a changed table. Ciphertexts of versions that are no longer in it go for good; it cannot
   * hold versions that were not there before.
   */
  save(stored: StoredEntry, next: VaultEntry, signal?: AbortSignal): Promise<StoredEntry>;
  /**
   * The values of a version; the caller wipes them.
   * @throws VaultError ERR_VAULT_TAMPERED, ERR_VAULT_UNKNOWN_VERSION; KeyProviderError ERR_KEY_UNKNOWN
   */
  open(stored: StoredEntry, version: number, signal?: AbortSignal): Promise<CredentialFields>;
  /** Ends the entry with all its versions. */
  remove(stored: StoredEntry, signal?: AbortSignal): Promise<void>;
  /**
   * Puts the data keys under the provider's present key. No payload is decrypted or changed, and
   * the revision stays: the table is the same. Without anything to do it writes nothing.
   */
  rewrap(stored: StoredEntry, signal?: AbortSignal): Promise<StoredEntry>;
  fingerprint(fields: CredentialFields): Fingerprints;
  /** All entries of the vault. One that does not authenticate is reported beside the others. */
  list(signal?: AbortSignal): Promise<readonly ListedEntry[]>;
}

export interface VaultOptions {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  readonly keyProvider: KeyProvider;
  readonly keys: VaultKeys;
}

export function createVault({ client, namespace, keyProvider, keys }: VaultOptions): Vault {
  /** Revisions that this process has seen, by `namespace/name`: none may come back. */
  const seen = new Map<string, number>();

  /**
   * @param least revision known when the request was sent; one learnt while it was under way says
   *   nothing about its answer
   */
  function accept(secret: Secret, at: CredentialName, least: number): StoredEntry {
    const entry = decodeEntry(secret, keys.tableKey);
    const found = keyOf(entry.identity);
    const expected = keyOf(at);
    if (found !== expected) {
      throw new VaultError(
        'ERR_VAULT_SWAPPED',
        `Secret ${secret.metadata.name} holds the vault entry of ${found} in the place of ${expected}`,
      );
    }
    if (entry.revision < least) {
      throw new VaultError(
        'ERR_VAULT_ROLLED_BACK',
        `the vault entry of ${expected} is at revision ${entry.revision}, but was at ${least} before`,
      );
    }
    seen.set(expected, Math.max(seen.get(expected) ?? 0, entry.revision));
    return { entry, secret };
  }

  /** Writes the next table over `stored`; `versions` are the encrypted parts to go with it. */
  async function write(
    stored: StoredEntry,
    next: VaultEntry,
    versions: Readonly<Record<string, string>>,
    signal: AbortSignal | undefined,
    maxBytes?: number,
  ): Promise<StoredEntry> {
    const entry = { ...next, revision: stored.entry.revision + 1 };
    const secret = encodeEntry(entry, versions, keys.tableKey, stored.secret.metadata, maxBytes);
    const written = await client.replace(SECRETS, secret, withSignal(signal));
    return accept(written, entry.identity, entry.revision);
  }

  return {
    async read(at, options = {}, signal) {
      const place = { namespace, name: entryName(at) };
      const least = Math.max(options.atLeastRevision ?? 0, seen.get(keyOf(at)) ?? 0);
      const secret = await client.find(SECRETS, place, withSignal(signal));
      return secret === undefined ? undefined : accept(secret, at, least);
    },

    async create(identity, namespaceUid, signal) {
      // After a removal it goes on counting: an old copy that is put back is still an old copy.
      const revision = (seen.get(keyOf(identity)) ?? 0) + 1;
      const entry = { identity, namespaceUid, revision, nextVersion: 1, versions: [] };
      const place = { namespace, name: entryName(identity) };
      const secret = encodeEntry(entry, {}, keys.tableKey, place);
      let created: Secret | undefined;
      try {
        created = await client.create(SECRETS, secret, withSignal(signal));
      } catch (error) {
        if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
        // Perhaps by this very call, when an earlier one took effect but its answer was lost.
        created = await client.find(SECRETS, place, withSignal(signal));
        if (created === undefined || !isSameTable(created, secret)) throw error;
      }
      return accept(created, identity, revision);
    },

    async stage(stored, fields, about, signal) {
      const { entry, secret } = stored;
      const version = entry.nextVersion;
      const parts = await sealVersion(entry.identity, version, fields, keyProvider, signal);
      const next = appendStaged(entry, {
        createdAt: about.at,
        origin: about.origin,
        fields: [...fields.keys()].sort(),
        ...computeFingerprints(keys.fingerprintKey, fields),
        ...(about.reason === undefined ? {} : { reason: about.reason }),
        ...(about.sealKey === undefined ? {} : { sealKey: about.sealKey }),
      });
      const data = { ...secret.data, ...parts };
      return await write(stored, next, data, signal, MAX_STAGED_ENTRY_BYTES);
    },

    async save(stored, next, signal) {
      return await write(stored, next, stored.secret.data ?? {}, signal);
    },

    async open(stored, version, signal) {
      return await openVersion(stored, version, keyProvider, keys.fingerprintKey, signal);
    },

    async remove(stored, signal) {
      const { identity, revision } = stored.entry;
      const { name, uid, resourceVersion } = stored.secret.metadata;
      try {
        await client.delete(
          SECRETS,
          { namespace, name },
          {
            ...withSignal(signal),
            ...(uid === undefined ? {} : { uid }),
            ...(resourceVersion === undefined ? {} : { resourceVersion }),
          },
        );
      } catch (error) {
        if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
      }
      seen.set(keyOf(identity), Math.max(seen.get(keyOf(identity)) ?? 0, revision + 1));
    },

    async rewrap(stored, signal) {
      const data = await rewrapVersions(stored, keyProvider, signal);
      if (data === undefined) return stored;
      const written = await client.replace(SECRETS, { ...stored.secret, data }, withSignal(signal));
      return accept(written, stored.entry.identity, stored.entry.revision);
    },

    fingerprint: (fields) => computeFingerprints(keys.fingerprintKey, fields),

    async list(signal) {
      const before = new Map(seen);
      const { items } = await client.list(
        SECRETS,
        { namespace },
        { labelSelector: VAULT_ENTRY_SELECTOR, ...withSignal(signal) },
      );
      return items.map((secret): ListedEntry => {
        try {
          const entry = decodeEntry(secret, keys.tableKey);
          if (entryName(entry.identity) !== secret.metadata.name) {
            throw new VaultError(
              'ERR_VAULT_SWAPPED',
              `Secret ${secret.metadata.name} holds the vault entry of ${keyOf(entry.identity)}`,
            );
          }
          return {
            kind: 'entry',
            stored: accept(secret, entry.identity, before.get(keyOf(entry.identity)) ?? 0),
          };
        } catch (error) {
          if (!isVaultError(error)) throw error;
          return { kind: 'fault', secretName: secret.metadata.name, error };
        }
      });
    },
  };
}

function keyOf({ namespace, name }: CredentialName): string {
  return `${namespace}/${name}`;
}
