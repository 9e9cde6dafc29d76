import { createHmac } from 'node:crypto';
import { associatedData, decrypt, encrypt } from '#vault/envelope.ts';
import { KeyProviderError } from '#vault/errors.ts';
import type { WrappedKey } from '#vault/key-provider.ts';
import type { SecretBytes } from '#vault/secret-bytes.ts';

/** A key-encryption key that lies in this process. */
export interface KeyEncryptionKey {
  readonly keyId: string;
  readonly key: SecretBytes;
}

/**
 * Part of a key's id: eight hex digits derived from the key. A key that was exchanged for another
 * under the same name so is an unknown key, and not one under which everything looks tampered with.
 */
export function checkValue(key: SecretBytes): string {
  return createHmac('sha256', key.bytes())
    .update('strongroom.dev/key-id/v1')
    .digest('hex')
    .slice(0, 8);
}

export function wrapWith(provider: string, kek: KeyEncryptionKey, dek: SecretBytes): WrappedKey {
  const envelope = encrypt(kek.key, dek, binding(provider, kek.keyId));
  return { provider, keyId: kek.keyId, data: Buffer.from(envelope).toString('base64') };
}

/** @throws KeyProviderError ERR_KEY_CORRUPTED */
export function unwrapWith(kek: KeyEncryptionKey, wrapped: WrappedKey): SecretBytes {
  const envelope = Buffer.from(wrapped.data, 'base64');
  const dek = decrypt(kek.key, envelope, binding(wrapped.provider, wrapped.keyId));
  if (dek === undefined) {
    throw new KeyProviderError(
      'ERR_KEY_CORRUPTED',
      `a key wrapped under ${wrapped.provider} key ${wrapped.keyId} does not authenticate`,
    );
  }
  return dek;
}

export function unknownKey(provider: string, wrapped: WrappedKey): KeyProviderError {
  return new KeyProviderError(
    'ERR_KEY_UNKNOWN',
    `wrapped under ${wrapped.provider} key ${wrapped.keyId}, which the provider ${provider} does not have; restore that key`,
  );
}

function binding(provider: string, keyId: string): Uint8Array {
  return associatedData('strongroom.dev/wrapped-key/v1', provider, keyId);
}
