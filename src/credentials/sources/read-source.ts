import type { ExchangeCredential, Resealed } from '#api/exchange-credential.ts';
import type { KubeClient } from '#kube/client.ts';
import { SECRETS } from '#kube/resources.ts';
import type { VaultEntry } from '#vault/entry.ts';
import { versionIn } from '#vault/entry.ts';
import type { SealKeyring } from '#vault/seal-keys.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { wipeFields } from '#vault/secret-bytes.ts';
import type { Vault } from '#vault/store.ts';
import { isManagedByOther } from '../delivery.ts';
import { SourceRefusedError, verifyFields } from '../verify.ts';
import type { SourceView } from '../view.ts';
import { openSealed, reseal } from './sealed.ts';
import { readSecretRef } from './secret-ref.ts';

export interface ReadSource {
  readonly view: SourceView;
  /** Present when `view` is a value; the caller wipes them. */
  readonly fields?: CredentialFields;
  /** The same values under the active seal key, while the spec's are under another one. */
  readonly resealed?: Resealed;
}

export interface SourceDeps {
  readonly client: KubeClient;
  readonly vault: Vault;
  readonly keyring: () => SealKeyring;
}

/** Reads, opens and verifies the source. What is wrong with it is part of the result, not thrown. */
export async function readSource(
  deps: SourceDeps,
  credential: ExchangeCredential,
  entry: VaultEntry | undefined,
  signal: AbortSignal,
): Promise<ReadSource> {
  const { sealed, secretRef } = credential.spec.source;
  try {
    if (sealed !== undefined) return await readSealed(deps, credential, sealed);
    if (secretRef !== undefined) {
      return await readFromSecret(deps, credential, secretRef, entry, signal);
    }
    return { view: { kind: 'generate' } };
  } catch (error) {
    if (!(error instanceof SourceRefusedError)) throw error;
    const { resealed } = credential.status ?? {};
    return {
      view: { kind: 'refused', message: error.message },
      // A key that was retired meanwhile cannot open the value any more; this copy still helps.
      ...(sealed === undefined || resealed === undefined ? {} : { resealed }),
    };
  }
}

async function readSealed(
  { vault, keyring }: SourceDeps,
  credential: ExchangeCredential,
  sealed: Readonly<Record<string, string>>,
): Promise<ReadSource> {
  const keys = keyring();
  const { fields, sealKeys } = await openSealed(credential, sealed, keys);
  try {
    verifyFields(credential.spec.type, fields);
    const { fingerprint } = vault.fingerprint(fields);
    const view: SourceView = { kind: 'value', origin: 'Sealed', fingerprint, sealKeys };
    if (sealKeys.every((keyId) => keyId === keys.active.keyId)) return { view, fields };
    const kept = credential.status?.resealed;
    const resealed =
      kept !== undefined && (await holdsSame(vault, credential, kept, fingerprint, keys))
        ? kept
        : { keyId: keys.active.keyId, sealed: await reseal(credential, sealed, fields, keys) };
    return { view, fields, resealed };
  } catch (error) {
    wipeFields(fields);
    throw error;
  }
}

/** Whether an earlier reseal is of these values and under the key that is active now. */
async function holdsSame(
  vault: Vault,
  credential: ExchangeCredential,
  { keyId, sealed }: Resealed,
  fingerprint: string,
  keys: SealKeyring,
): Promise<boolean> {
  if (keyId !== keys.active.keyId) return false;
  try {
    const { fields } = await openSealed(credential, sealed, keys);
    try {
      return vault.fingerprint(fields).fingerprint === fingerprint;
    } finally {
      wipeFields(fields);
    }
  } catch (error) {
    if (error instanceof SourceRefusedError) return false;
    throw error;
  }
}

async function readFromSecret(
  { client, vault }: SourceDeps,
  credential: ExchangeCredential,
  ref: NonNullable<ExchangeCredential['spec']['source']['secretRef']>,
  entry: VaultEntry | undefined,
  signal: AbortSignal,
): Promise<ReadSource> {
  // The namespace is always the object's own: no field of the spec can name another.
  const { namespace = '' } = credential.metadata;
  const secret = await client.find(SECRETS, { namespace, name: ref.name }, { signal });
  if (secret === undefined) {
    const isImported =
      ref.afterImport === 'Delete' &&
      entry !== undefined &&
      versionIn(entry, 'Current')?.origin === 'SecretRef';
    return isImported
      ? { view: { kind: 'removed' } }
      : {
          view: {
            kind: 'missing',
            message: `Secret ${ref.name} of spec.source.secretRef does not exist; create it, or correct the name.`,
          },
        };
  }
  if (ref.afterImport === 'Delete' && isManagedByOther(secret)) {
    throw new SourceRefusedError(
      `Secret ${ref.name} is kept by another controller, which would make it anew; set afterImport: Keep.`,
    );
  }
  const fields = readSecretRef(credential.spec.type, ref, secret);
  try {
    verifyFields(credential.spec.type, fields);
  } catch (error) {
    wipeFields(fields);
    throw error;
  }
  return {
    fields,
    view: {
      kind: 'value',
      origin: 'SecretRef',
      fingerprint: vault.fingerprint(fields).fingerprint,
      sealKeys: [],
      secret: {
        name: ref.name,
        uid: secret.metadata.uid ?? '',
        resourceVersion: secret.metadata.resourceVersion ?? '',
      },
    },
  };
}
