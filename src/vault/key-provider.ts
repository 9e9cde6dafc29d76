import type { SecretBytes } from '#vault/secret-bytes.ts';

/** A data key, encrypted under a key-encryption key. Safe to store. */
export interface WrappedKey {
  /** {@link KeyProvider.name} of the provider that wrapped it. */
  readonly provider: string;
  /** Which of the provider's keys it is under. */
  readonly keyId: string;
  /** Base64; its form is the provider's own. */
  readonly data: string;
}

/**
 * Keeps key-encryption keys, and wraps data keys under them. What it wraps is 32 bytes long. All
 * methods throw `KeyProviderError`, or `KubeError` where the keys lie in the cluster.
 */
export interface KeyProvider {
  readonly name: string;
  /** The key that {@link KeyProvider.wrap} uses now. */
  readonly keyId: string;
  wrap(dek: SecretBytes, signal?: AbortSignal): Promise<WrappedKey>;
  /** The caller owns the result and wipes it. */
  unwrap(wrapped: WrappedKey, signal?: AbortSignal): Promise<SecretBytes>;
}

/** Whether `wrapped` is under the provider's present key. */
export function isCurrent(provider: KeyProvider, wrapped: WrappedKey): boolean {
  return wrapped.provider === provider.name && wrapped.keyId === provider.keyId;
}

/** As base64 of JSON: the form in which a Secret's data holds it. */
export function encodeWrappedKey({ provider, keyId, data }: WrappedKey): string {
  return Buffer.from(JSON.stringify({ provider, keyId, data }), 'utf8').toString('base64');
}

/** Undefined for anything that {@link encodeWrappedKey} did not make. */
export function decodeWrappedKey(encoded: string | undefined): WrappedKey | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(encoded ?? '', 'base64').toString('utf8'));
    return isWrappedKey(value) && isCanonical(value.data) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Node also reads base64url, stray characters and loose last bits: other texts of the same bytes. */
function isCanonical(base64: string): boolean {
  return Buffer.from(base64, 'base64').toString('base64') === base64;
}

function isWrappedKey(value: unknown): value is WrappedKey {
  return (
    typeof value === 'object' &&
    value !== null &&
    'provider' in value &&
    typeof value.provider === 'string' &&
    'keyId' in value &&
    typeof value.keyId === 'string' &&
    'data' in value &&
    typeof value.data === 'string'
  );
}
