/**
 * What can go wrong in this folder. No message holds a secret value; names, field names, key ids
 * and bindings are public.
 */

export type SealErrorCode =
  /** Not a sealed value of ours: wrong form, algorithm or header. */
  | 'ERR_SEAL_MALFORMED'
  /** Sealed for another namespace, name, field or exchange. */
  | 'ERR_SEAL_WRONG_TARGET'
  /** No seal key of that id exists here; often a value sealed for another cluster. */
  | 'ERR_SEAL_UNKNOWN_KEY'
  /** The seal key's time of acceptance is over. */
  | 'ERR_SEAL_RETIRED_KEY'
  /** The key is right, the ciphertext does not authenticate. */
  | 'ERR_SEAL_CORRUPTED'
  | 'ERR_SEAL_TOO_LARGE'
  /** There is nothing to seal. */
  | 'ERR_SEAL_EMPTY'
  /** A file or object with seal keys cannot be used. */
  | 'ERR_SEAL_KEYS';

export class SealError extends Error {
  override readonly name = 'SealError';
  readonly code: SealErrorCode;
  readonly retryable = false;

  constructor(code: SealErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type VaultErrorCode =
  /** The entry, or a ciphertext in it, does not authenticate. */
  | 'ERR_VAULT_TAMPERED'
  /** An authentic entry, but another credential's. */
  | 'ERR_VAULT_SWAPPED'
  /** An authentic entry, but older than one that was seen before. */
  | 'ERR_VAULT_ROLLED_BACK'
  | 'ERR_VAULT_ILLEGAL_TRANSITION'
  | 'ERR_VAULT_UNKNOWN_VERSION'
  | 'ERR_VAULT_TOO_LARGE'
  /** The Secret with the vault's own keys is gone although entries exist. */
  | 'ERR_VAULT_KEYS_MISSING';

export class VaultError extends Error {
  override readonly name = 'VaultError';
  readonly code: VaultErrorCode;
  readonly retryable = false;

  constructor(code: VaultErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export type KeyProviderErrorCode =
  /** Wrapped by a provider or under a key that this one does not have. */
  | 'ERR_KEY_UNKNOWN'
  /** A wrapped key does not authenticate under the key it names. */
  | 'ERR_KEY_CORRUPTED'
  /** A stored key-encryption key, or its parameters, cannot be read, or is gone. */
  | 'ERR_KEY_STORE'
  /** The passphrase is not the one that the stored parameters belong to. */
  | 'ERR_KEY_PASSPHRASE';

export class KeyProviderError extends Error {
  override readonly name = 'KeyProviderError';
  readonly code: KeyProviderErrorCode;
  readonly retryable = false;

  constructor(code: KeyProviderErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export function isSealError(error: unknown, code?: SealErrorCode): error is SealError {
  return error instanceof SealError && (code === undefined || error.code === code);
}

export function isVaultError(error: unknown, code?: VaultErrorCode): error is VaultError {
  return error instanceof VaultError && (code === undefined || error.code === code);
}

export function isKeyProviderError(
  error: unknown,
  code?: KeyProviderErrorCode,
): error is KeyProviderError {
  return error instanceof KeyProviderError && (code === undefined || error.code === code);
}
