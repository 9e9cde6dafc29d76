import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { SecretBytes } from '#vault/secret-bytes.ts';

const ALGORITHM = 'aes-256-gcm';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
export const KEY_BYTES = 32;

/** Bytes that encryption adds to a plaintext. */
export const ENVELOPE_OVERHEAD: number = NONCE_BYTES + TAG_BYTES;

/** A fresh random key for {@link encrypt}. */
export function generateKey(): SecretBytes {
  const bytes = randomBytes(KEY_BYTES);
  try {
    return SecretBytes.fromBytes(bytes);
  } finally {
    bytes.fill(0);
  }
}

/**
 * AES-256-GCM with a random nonce (NIST SP 800-38D §8.2.2): nonce ‖ ciphertext ‖ tag. A key stays far below the
 * 2^32 encryptions that random nonces allow, because every version has a key of its own.
 */
export function encrypt(key: SecretBytes, plaintext: SecretBytes, aad: Uint8Array): Uint8Array {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv(ALGORITHM, key.bytes(), nonce, { authTagLength: TAG_BYTES });
  cipher.setAAD(aad);
  return Buffer.concat([
    nonce,
    cipher.update(plaintext.bytes()),
    cipher.final(),
    cipher.getAuthTag(),
  ]);
}

/** The plaintext, or undefined when key, associated data or any byte of the envelope is wrong. */
export function decrypt(
  key: SecretBytes,
  envelope: Uint8Array,
  aad: Uint8Array,
): SecretBytes | undefined {
  if (envelope.length < ENVELOPE_OVERHEAD) return undefined;
  const nonce = envelope.subarray(0, NONCE_BYTES);
  const body = envelope.subarray(NONCE_BYTES, envelope.length - TAG_BYTES);
  const decipher = createDecipheriv(ALGORITHM, key.bytes(), nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(aad);
  decipher.setAuthTag(envelope.subarray(envelope.length - TAG_BYTES));
  const plaintext = decipher.update(body);
  try {
    decipher.final();
    return SecretBytes.fromBytes(plaintext);
  } catch {
    return undefined;
  } finally {
    // Also what was deciphered but not authenticated.
    plaintext.fill(0);
  }
}

/**
 * Associated data: an unambiguous encoding of a purpose and the names that a ciphertext is bound to.
 * JSON of an array of strings has one form for each list, so no two lists give the same bytes.
 */
export function associatedData(purpose: string, ...names: readonly string[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify([purpose, ...names]));
}
