import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { boundExchange } from '#api/exchanges.ts';
import { isSealError } from '#vault/errors.ts';
import type { SealKeyring } from '#vault/seal-keys.ts';
import { open, seal } from '#vault/sealing.ts';
import type { SealTarget } from '#vault/sealing.ts';
import { inspect } from '#vault/seal-header.ts';
import type { CredentialFields, SecretBytes } from '#vault/secret-bytes.ts';
import { wipeFields } from '#vault/secret-bytes.ts';
import { SourceRefusedError } from '../verify.ts';

export interface OpenedSealed {
  readonly fields: CredentialFields;
  /** Ids of the seal keys, without repetition, in a stable order. */
  readonly sealKeys: readonly string[];
}

/**
 * Opens every sealed field for the object it lies in.
 * @throws SourceRefusedError naming the first field that cannot be opened
 */
export async function openSealed(
  credential: ExchangeCredential,
  sealed: Readonly<Record<string, string>>,
  keyring: SealKeyring,
): Promise<OpenedSealed> {
  const fields = new Map<string, SecretBytes>();
  const sealKeys = new Set<string>();
  try {
    for (const [field, token] of Object.entries(sealed)) {
      const { value, keyId } = await open(token, targetOf(credential, field), keyring);
      fields.set(field, value);
      sealKeys.add(keyId);
    }
  } catch (error) {
    wipeFields(fields);
    if (!isSealError(error)) throw error;
    const [field = ''] = Object.keys(sealed).slice(fields.size);
    throw new SourceRefusedError(`Field "${field}" is refused: ${error.message}.`, {
      cause: error,
    });
  }
  return { fields, sealKeys: [...sealKeys].sort() };
}

/**
 * The same values under the active seal key, each with the scope its author chose. A new ciphertext
 * every time, so callers keep what they have while it is good.
 */
export async function reseal(
  credential: ExchangeCredential,
  sealed: Readonly<Record<string, string>>,
  fields: CredentialFields,
  keyring: SealKeyring,
): Promise<Readonly<Record<string, string>>> {
  const resealed: Record<string, string> = {};
  for (const [field, value] of fields) {
    const token = sealed[field];
    if (token === undefined) continue;
    const { scope } = inspect(token);
    const target = { ...targetOf(credential, field), scope };
    resealed[field] = await seal(value, target, keyring.active);
  }
  return resealed;
}

function targetOf(
  { metadata, spec }: ExchangeCredential,
  field: string,
): Omit<SealTarget, 'scope'> {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    field,
    exchange: boundExchange(spec),
  };
}
