/**
 * Sealing: values encrypted so that only the operator can open them, and only for the place they
 * were made for. They are safe in git, and safe to move: a ciphertext that is copied to another
 * namespace, name, field or exchange is refused.
 *
 * The form is JWE (RFC 7516), compact: `ECDH-ES+A256KW` on X25519 with `A256GCM`. The protected
 * header, which the content encryption authenticates, holds the key id and what the value is bound to.
 */
import { createPublicKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import { compactDecrypt } from 'jose/jwe/compact/decrypt';
import { SealError } from '#vault/errors.ts';
import type { SealPublicKey } from '#vault/public-keys.ts';
import { CONTENT_ENCRYPTION, inspect, KEY_MANAGEMENT, SEAL_TYPE } from '#vault/seal-header.ts';
import type { SealHeader, SealScope } from '#vault/seal-header.ts';
import type { SealKeyring } from '#vault/seal-keys.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

export type { SealPublicKey } from '#vault/public-keys.ts';
export type { SealHeader, SealScope } from '#vault/seal-header.ts';
export { inspect } from '#vault/seal-header.ts';

export interface SealTarget {
  readonly namespace: string;
  readonly name: string;
  readonly field: string;
  /** Empty for a backing system; `exchangeName` for the exchange Other. */
  readonly exchange: string;
  /** `namespace` leaves the name open: any credential of the namespace may hold the value. */
  readonly scope: SealScope;
}

export interface OpenedSeal {
  /** The caller owns it and wipes it. */
  readonly value: SecretBytes;
  readonly keyId: string;
  readonly scope: SealScope;
}

/** Longest value that can be sealed: its JWE stays below the CRD's limit of 65,536 characters. */
export const MAX_SEALED_VALUE_BYTES = 48_000;

/**
 * A JWE in compact form. Two seals of one value differ.
 * @throws SealError ERR_SEAL_EMPTY, ERR_SEAL_TOO_LARGE, ERR_SEAL_KEYS
 */
export async function seal(
  value: SecretBytes,
  target: SealTarget,
  publicKey: SealPublicKey,
): Promise<string> {
  const { namespace, name, field, exchange, scope } = target;
  if (value.length === 0) {
    throw new SealError('ERR_SEAL_EMPTY', `${field} is empty; there is nothing to seal`);
  }
  if (value.length > MAX_SEALED_VALUE_BYTES) {
    throw new SealError(
      'ERR_SEAL_TOO_LARGE',
      `${field} has ${value.length} bytes; at most ${MAX_SEALED_VALUE_BYTES} can be sealed`,
    );
  }
  const header = {
    alg: KEY_MANAGEMENT,
    enc: CONTENT_ENCRYPTION,
    typ: SEAL_TYPE,
    kid: publicKey.keyId,
    sr: { v: 1, scope, ns: namespace, ...(scope === 'strict' ? { name } : {}), field, exchange },
  };
  try {
    return await new CompactEncrypt(value.bytes())
      .setProtectedHeader(header)
      .encrypt(importPublicKey(publicKey));
  } catch (error) {
    // Also a point of small order, with which anybody could compute the shared secret.
    throw new SealError('ERR_SEAL_KEYS', `nothing can be sealed with key ${publicKey.keyId}`, {
      cause: error,
    });
  }
}

function importPublicKey({ x }: SealPublicKey): KeyObject {
  return createPublicKey({ format: 'jwk', key: { kty: 'OKP', crv: 'X25519', x } });
}

/**
 * Opens a sealed value for `target`. What it is bound to is compared before any key is used, so a
 * ciphertext that was moved says so whether or not its key is known here.
 *
 * @throws SealError ERR_SEAL_MALFORMED, ERR_SEAL_TOO_LARGE, ERR_SEAL_WRONG_TARGET,
 *   ERR_SEAL_UNKNOWN_KEY, ERR_SEAL_RETIRED_KEY, ERR_SEAL_CORRUPTED
 */
export async function open(
  token: string,
  target: Omit<SealTarget, 'scope'>,
  keyring: SealKeyring,
): Promise<OpenedSeal> {
  const header = inspect(token);
  checkTarget(header, target);
  const key = keyring.find(header.keyId);
  if (key === undefined) {
    throw new SealError(
      'ERR_SEAL_UNKNOWN_KEY',
      `sealed under key ${header.keyId}, which does not exist here; seal the value anew with a key of this cluster`,
    );
  }
  if (key.state === 'Retired') {
    throw new SealError(
      'ERR_SEAL_RETIRED_KEY',
      `sealed under key ${header.keyId}, which is no longer accepted; seal the value anew`,
    );
  }
  try {
    const { plaintext } = await compactDecrypt(token, key.privateKey, {
      keyManagementAlgorithms: [KEY_MANAGEMENT],
      contentEncryptionAlgorithms: [CONTENT_ENCRYPTION],
    });
    const value = SecretBytes.fromBytes(plaintext);
    plaintext.fill(0);
    return { value, keyId: header.keyId, scope: header.scope };
  } catch {
    // Uniform on purpose: which step failed is of use to nobody but someone who probes.
    throw new SealError(
      'ERR_SEAL_CORRUPTED',
      `the sealed value does not authenticate under key ${header.keyId}; it was changed or cut off, seal it anew`,
    );
  }
}

/** Bindings are public, so the message may show both sides. */
function checkTarget(header: SealHeader, target: Omit<SealTarget, 'scope'>): void {
  const bindings = [
    ['namespace', header.namespace, target.namespace],
    ...(header.name === undefined ? [] : [['name', header.name, target.name] as const]),
    ['field', header.field, target.field],
    ['exchange', header.exchange, target.exchange],
  ] as const;
  const wrong = bindings
    .filter(([, found, expected]) => found !== expected)
    .map(([what, found, expected]) => `${what} ${quote(found)} instead of ${quote(expected)}`);
  if (wrong.length > 0) {
    throw new SealError(
      'ERR_SEAL_WRONG_TARGET',
      `sealed for ${wrong.join(', ')}; seal the value anew for this object`,
    );
  }
}

function quote(binding: string): string {
  return binding === '' ? 'none' : JSON.stringify(binding);
}
