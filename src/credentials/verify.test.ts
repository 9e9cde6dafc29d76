import { generateKeyPairSync } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CREDENTIAL_TYPES } from '#api/fields.ts';
import type { CredentialType } from '#api/fields.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';
import { MAX_FIELD_BYTES, SourceRefusedError, verifyFields } from './verify.ts';

/** In every value: no message may hold it. */
const CANARY = 'canary-7f3a';

function fieldsOf(values: Readonly<Record<string, string | Uint8Array>>): Map<string, SecretBytes> {
  return new Map(
    Object.entries(values).map(([name, value]) => [
      name,
      typeof value === 'string' ? SecretBytes.fromUtf8(value) : SecretBytes.fromBytes(value),
    ]),
  );
}

function refusal(type: CredentialType, fields: Map<string, SecretBytes>): string {
  try {
    verifyFields(type, fields);
  } catch (error) {
    if (error instanceof SourceRefusedError) return error.message;
    throw error;
  }
  return 'taken';
}

const utf16 = Buffer.from(`\ufeff${CANARY}`, 'utf16le');
const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' });

describe('verifyFields', () => {
  it.each<readonly [what: string, value: string | Uint8Array, message: string]>([
    ['an empty value', '', 'Field "password" is empty.'],
    [
      'a trailing line feed',
      `${CANARY}\n`,
      'Field "password" ends with a line break; write it without one, for example with printf %s.',
    ],
    [
      'a trailing CRLF',
      `${CANARY}\r\n`,
      'Field "password" ends with a line break; write it without one, for example with printf %s.',
    ],
    ['a leading space', ` ${CANARY}`, 'Field "password" begins or ends with white space.'],
    [
      'a no-break space at the end',
      `${CANARY}\u00a0`,
      'Field "password" begins or ends with white space.',
    ],
    [
      'a tab inside',
      `${CANARY}\t${CANARY}`,
      'Field "password" holds a control character such as a line break or tab.',
    ],
    [
      'a UTF-8 byte order mark',
      `\ufeff${CANARY}`,
      'Field "password" begins with a byte order mark; save it as UTF-8 without one.',
    ],
    [
      'UTF-16, little endian',
      utf16,
      'Field "password" is UTF-16; save it as UTF-8 without a byte order mark.',
    ],
    [
      'UTF-16, big endian',
      Buffer.from(utf16).swap16(),
      'Field "password" is UTF-16; save it as UTF-8 without a byte order mark.',
    ],
    [
      'UTF-16 without a mark',
      Buffer.from(CANARY, 'utf16le'),
      'Field "password" holds a NUL byte; it is binary, or text in UTF-16.',
    ],
    ['NUL', `${CANARY}\0`, 'Field "password" holds a NUL byte; it is binary, or text in UTF-16.'],
    ['Latin-1', Buffer.from(`${CANARY}é`, 'latin1'), 'Field "password" is not valid UTF-8.'],
    [
      'one byte too many',
      CANARY + 'a'.repeat(MAX_FIELD_BYTES - CANARY.length + 1),
      'Field "password" is larger than 48000 bytes.',
    ],
    ['1 MiB', 'a'.repeat(1024 * 1024), 'Field "password" is larger than 48000 bytes.'],
    ['the largest value', 'a'.repeat(MAX_FIELD_BYTES), 'taken'],
    ['text beyond ASCII', 'pässwörd with spaces', 'taken'],
  ])('%s', (_, value, message) => {
    expect(refusal('Password', fieldsOf({ password: value }))).toBe(message);
  });

  it.each<readonly [CredentialType, Readonly<Record<string, string | Uint8Array>>, string]>([
    ['ApiKey', { apiKey: 'k' }, 'Field "apiSecret" is missing; ApiKey needs apiKey, apiSecret.'],
    [
      'ApiKey',
      { apiKey: 'k', apiSecret: 's', extra: 'x' },
      'Field "extra" is not a field of ApiKey.',
    ],
    ['ApiKey', { apiKey: 'k', apiSecret: 's', passphrase: '' }, 'Field "passphrase" is empty.'],
    ['ApiKey', { apiKey: 'k', apiSecret: 's', passphrase: 'p' }, 'taken'],
    ['PrivateKey', { privateKey: pem }, 'taken'],
    ['PrivateKey', { privateKey: `0x${'1'.repeat(64)}` }, 'taken'],
    ['DatabaseCredentials', { username: 'u', password: 'p', port: '5432' }, 'taken'],
    ...['0', '65536', '05432', '54x', '-1'].map(
      (port) =>
        [
          'DatabaseCredentials',
          { username: 'u', password: 'p', port },
          'Field "port" is not a port number from 1 to 65535.',
        ] as const,
    ),
    ['EncryptionKey', { key: Uint8Array.from([0, 1, 255, 10]) }, 'taken'],
    ['EncryptionKey', { key: '' }, 'Field "key" is empty.'],
    [
      'Certificate',
      { 'tls.crt': CANARY, 'tls.key': pem },
      'Field "tls.crt" cannot be read; it must be PEM, and a private key must not be encrypted.',
    ],
    [
      'Certificate',
      { 'tls.crt': `${CANARY}\0`, 'tls.key': pem },
      'Field "tls.crt" is not PEM: it holds NUL bytes.',
    ],
  ])('%s of %j: %s', (type, values, message) => {
    expect(refusal(type, fieldsOf(values))).toBe(message);
  });

  it('never says a part of a value, whatever it is', () => {
    const value = fc.oneof(
      fc.uint8Array({ minLength: 1, maxLength: 40 }),
      fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }).map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(
        fc.constantFrom(...CREDENTIAL_TYPES),
        fc.constantFrom(
          'apiKey',
          'apiSecret',
          'privateKey',
          'password',
          'tls.crt',
          'tls.key',
          'key',
          'port',
        ),
        value,
        (type, name, bytes) => {
          const message = refusal(
            type,
            fieldsOf({
              username: CANARY,
              [name]: Buffer.concat([Buffer.from(CANARY), bytes, Buffer.from(CANARY)]),
            }),
          );
          expect(message).not.toContain(CANARY);
        },
      ),
    );
  });
});
