import { createPrivateKey } from 'node:crypto';
import type { Exchange } from '#api/exchanges.ts';
import type { CredentialType } from '#api/fields.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';
import { SourceRefusedError } from '../verify.ts';

export interface GenerateInput {
  readonly type: CredentialType;
  readonly exchange?: Exchange;
  /** Cryptographically strong random bytes. */
  readonly entropy: (bytes: number) => Uint8Array;
}

/**
 * A new value: for Password 192 bits in base64url; for EncryptionKey 256 bits; for PrivateKey what
 * the exchange signs with: a secp256k1 scalar (0x, hex) for the ones on a chain, else an Ed25519 key
 * (PKCS #8, PEM).
 *
 * @throws SourceRefusedError for the types whose values are given by somebody else
 */
export function generateFields({ type, exchange, entropy }: GenerateInput): CredentialFields {
  switch (type) {
    case 'Password': {
      using random = take(entropy, 24);
      const text = Buffer.from(random.bytes()).toString('base64url');
      return new Map([['password', SecretBytes.fromUtf8(text)]]);
    }
    case 'EncryptionKey':
      return new Map([['key', take(entropy, 32)]]);
    case 'PrivateKey':
      return new Map([
        ['privateKey', isOnChain(exchange) ? secp256k1Key(entropy) : ed25519Key(entropy)],
      ]);
    case 'ApiKey':
    case 'Certificate':
    case 'DatabaseCredentials':
      throw new SourceRefusedError(
        `spec.source.generate cannot make a ${type}: its value is given by somebody else. Use sealed or secretRef.`,
      );
  }
}

function isOnChain(exchange: Exchange | undefined): boolean {
  return exchange === 'Hyperliquid' || exchange === 'dYdX';
}

function take(entropy: GenerateInput['entropy'], bytes: number): SecretBytes {
  const random = entropy(bytes);
  const value = SecretBytes.fromBytes(random);
  random.fill(0);
  return value;
}

/** Order of the group of secp256k1 (SEC 2, 2.4.1): a private key is a number from 1 below it. */
const SECP256K1_ORDER = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141n;

function secp256k1Key(entropy: GenerateInput['entropy']): SecretBytes {
  for (;;) {
    using random = take(entropy, 32);
    const hex = Buffer.from(random.bytes()).toString('hex');
    const scalar = BigInt(`0x${hex}`);
    // Taken anew instead of reduced, so that every key is equally likely.
    if (scalar > 0n && scalar < SECP256K1_ORDER) return SecretBytes.fromUtf8(`0x${hex}`);
  }
}

/** PKCS #8 of an Ed25519 key up to its 32 bytes (RFC 8410, 7). */
const ED25519_PKCS8_PREFIX = Buffer.from('302e020100300506032b657004220420', 'hex');

function ed25519Key(entropy: GenerateInput['entropy']): SecretBytes {
  using seed = take(entropy, 32);
  const der = Buffer.concat([ED25519_PKCS8_PREFIX, seed.bytes()]);
  const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  der.fill(0);
  return SecretBytes.fromUtf8(key.export({ format: 'pem', type: 'pkcs8' }));
}
