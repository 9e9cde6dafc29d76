import { createPrivateKey } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Secret } from '#kube/objects.ts';
import { MAX_FIELD_BYTES, SourceRefusedError } from '../verify.ts';
import { generateFields } from './generate.ts';
import { readSecretRef } from './secret-ref.ts';

function secretOf(data: Readonly<Record<string, string>>, type = 'Opaque'): Secret {
  const encoded = Object.entries(data).map(([key, text]) => [
    key,
    Buffer.from(text).toString('base64'),
  ]);
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'import-me' },
    type,
    data: Object.fromEntries(encoded) as Record<string, string>,
  };
}

describe('readSecretRef', () => {
  it('reads the fields of the type under the keys that were named, and nothing else', () => {
    const secret = secretOf({ KEY: 'k', apiSecret: 's', unrelated: 'x' });
    const ref = { name: 'import-me', keys: { apiKey: 'KEY' } };
    const fields = readSecretRef('ApiKey', ref, secret);
    expect([...fields].map(([name, value]) => [name, value.utf8()])).toEqual([
      ['apiKey', 'k'],
      ['apiSecret', 's'],
    ]);
  });

  it.each<readonly [string, Secret, Readonly<Record<string, string>>, string]>([
    [
      'a key that is not there',
      secretOf({ apiKey: 'k' }),
      {},
      'Field "apiSecret" is missing: Secret import-me has no key "apiSecret".',
    ],
    [
      'an optional key that was named and is not there',
      secretOf({ apiKey: 'k', apiSecret: 's' }),
      { passphrase: 'PASS' },
      'Field "passphrase" is missing: Secret import-me has no key "PASS".',
    ],
    [
      'a value that is too large',
      secretOf({ apiKey: 'k'.repeat(MAX_FIELD_BYTES + 3), apiSecret: 's' }),
      {},
      'Field "apiKey" is larger than 48000 bytes, in key "apiKey" of Secret import-me.',
    ],
    [
      "a ServiceAccount's token",
      secretOf({ apiKey: 'k', apiSecret: 's' }, 'kubernetes.io/service-account-token'),
      {},
      'Secret import-me is of type kubernetes.io/service-account-token, which is not read; copy the value into an Opaque one.',
    ],
  ])('refuses %s', (_, secret, keys, message) => {
    expect(() => readSecretRef('ApiKey', { name: 'import-me', keys }, secret)).toThrow(
      new SourceRefusedError(message),
    );
  });
});

describe('generateFields', () => {
  const entropy = (bytes: number): Uint8Array => new Uint8Array(bytes).fill(7);
  const textOf = (fields: ReturnType<typeof generateFields>, name: string) =>
    fields.get(name)?.utf8();

  it('makes a password of 192 bits', () => {
    expect(textOf(generateFields({ type: 'Password', entropy }), 'password')).toMatch(
      /^[\w-]{32}$/,
    );
  });

  it('makes an encryption key of 256 bits', () => {
    expect(generateFields({ type: 'EncryptionKey', entropy }).get('key')?.length).toBe(32);
  });

  it('makes an Ed25519 key in PEM that others can read', () => {
    const pem = textOf(
      generateFields({ type: 'PrivateKey', exchange: 'Binance', entropy }),
      'privateKey',
    );
    expect(createPrivateKey(pem ?? '').asymmetricKeyType).toBe('ed25519');
  });

  it('makes a secp256k1 key for exchanges on a chain', () => {
    const text = textOf(
      generateFields({ type: 'PrivateKey', exchange: 'Hyperliquid', entropy }),
      'privateKey',
    );
    expect(text).toBe(`0x${'07'.repeat(32)}`);
  });

  it.each([
    ['zero', '00'.repeat(32)],
    ['the order of the group', 'fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141'],
    ['more than that', 'ff'.repeat(32)],
  ])('takes a secp256k1 key anew when it is %s', (_, hex) => {
    const draws = [hex, '01'.repeat(32)];
    const drawn = (): Uint8Array => Uint8Array.from(Buffer.from(draws.shift() ?? '', 'hex'));
    const fields = generateFields({ type: 'PrivateKey', exchange: 'dYdX', entropy: drawn });
    expect(textOf(fields, 'privateKey')).toBe(`0x${'01'.repeat(32)}`);
  });

  it.each(['ApiKey', 'Certificate', 'DatabaseCredentials'] as const)(
    'does not make up a %s',
    (type) => {
      expect(() => generateFields({ type, entropy })).toThrow(SourceRefusedError);
    },
  );

  it('wipes the random bytes it was given', () => {
    fc.assert(
      fc.property(fc.constantFrom('Password', 'EncryptionKey', 'PrivateKey'), (type) => {
        const given: Uint8Array[] = [];
        generateFields({
          type,
          entropy(bytes) {
            const random = entropy(bytes);
            given.push(random);
            return random;
          },
        });
        expect(given.every((bytes) => bytes.every((byte) => byte === 0))).toBe(true);
      }),
    );
  });
});
