import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  randomBytes,
} from 'node:crypto';
import type { webcrypto } from 'node:crypto';
import fc from 'fast-check';
import { CompactEncrypt } from 'jose/jwe/compact/encrypt';
import { describe, expect, it } from 'vitest';
import { isSealError } from '#vault/errors.ts';
import type { SealErrorCode } from '#vault/errors.ts';
import { createSealKeyring } from '#vault/seal-keys.ts';
import type { SealKeyPair } from '#vault/seal-keys.ts';
import type { SealTarget } from '#vault/sealing.ts';
import { inspect, MAX_SEALED_VALUE_BYTES, open, seal } from '#vault/sealing.ts';
import { MAX_SEALED_LENGTH } from '#vault/seal-header.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

const DAY_MS = 86_400_000;
const NOW = Date.parse('2026-11-24T00:00:00Z');
const POLICY = { rotateEveryMs: 90 * DAY_MS, acceptForMs: 365 * DAY_MS };

function keyPair(createdAt: number): SealKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const keyId = createHash('sha256').update(x).digest('base64url');
  return { keyId, x, createdAt: new Date(createdAt).toISOString(), privateKey };
}

const retiredPair = keyPair(NOW - 1000 * DAY_MS);
const replacement = keyPair(NOW - 900 * DAY_MS);
const acceptedPair = keyPair(NOW - 100 * DAY_MS);
const activePair = keyPair(NOW - DAY_MS);
const keyring = createSealKeyring(
  [acceptedPair, activePair, retiredPair, replacement],
  POLICY,
  NOW,
);

const TARGET: SealTarget = {
  namespace: 'trading',
  name: 'maker',
  field: 'apiSecret',
  exchange: 'Phemex',
  scope: 'strict',
};

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function headerOf(token: string): Record<string, unknown> {
  const [header = ''] = token.split('.');
  return JSON.parse(Buffer.from(header, 'base64url').toString()) as Record<string, unknown>;
}

function withHeader(token: string, change: Readonly<Record<string, unknown>>): string {
  const header = JSON.stringify({ ...headerOf(token), ...change });
  return [Buffer.from(header).toString('base64url'), ...token.split('.').slice(1)].join('.');
}

async function codeOf(promise: Promise<unknown>): Promise<SealErrorCode | 'opened'> {
  try {
    await promise;
    return 'opened';
  } catch (error) {
    if (isSealError(error)) return error.code;
    throw error;
  }
}

describe('seal and open', () => {
  it('give back any value', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ minLength: 1, maxLength: 500 }),
        fc.constantFrom('strict' as const, 'namespace' as const),
        async (bytes, scope) => {
          const token = await seal(
            SecretBytes.fromBytes(bytes),
            { ...TARGET, scope },
            keyring.active,
          );
          const opened = await open(token, TARGET, keyring);
          expect(opened.value.bytes()).toEqual(bytes);
          expect(opened).toMatchObject({ keyId: activePair.keyId, scope });
        },
      ),
      { numRuns: 50 },
    );
  });

  it('differ each time', async () => {
    const value = SecretBytes.fromUtf8('x');
    const tokens = [
      await seal(value, TARGET, keyring.active),
      await seal(value, TARGET, keyring.active),
    ];
    expect(new Set(tokens).size).toBe(2);
  });

  it('take the longest value within the limit of the schema, and none that is longer', async () => {
    const longest = {
      namespace: 'n'.repeat(63),
      name: 'n'.repeat(253),
      field: 'f'.repeat(63),
      exchange: 'é'.repeat(63),
      scope: 'strict',
    } as const;
    const value = SecretBytes.fromBytes(new Uint8Array(MAX_SEALED_VALUE_BYTES));
    const token = await seal(value, longest, keyring.active);
    expect(token.length).toBeLessThanOrEqual(MAX_SEALED_LENGTH);
    const { value: opened } = await open(token, longest, keyring);
    expect(opened.length).toBe(MAX_SEALED_VALUE_BYTES);
    const over = SecretBytes.fromBytes(new Uint8Array(MAX_SEALED_VALUE_BYTES + 1));
    expect(await codeOf(seal(over, longest, keyring.active))).toBe('ERR_SEAL_TOO_LARGE');
    expect(await codeOf(open('a'.repeat(MAX_SEALED_LENGTH + 1), TARGET, keyring))).toBe(
      'ERR_SEAL_TOO_LARGE',
    );
  });

  it('refuse an empty value', async () => {
    const empty = SecretBytes.fromUtf8('');
    expect(await codeOf(seal(empty, TARGET, keyring.active))).toBe('ERR_SEAL_EMPTY');
  });

  it('refuse a public key that is none', async () => {
    for (const x of ['AAAA', 'A'.repeat(43)]) {
      const key = { keyId: 'k', x, createdAt: '2026-01-01T00:00:00Z' };
      expect(await codeOf(seal(SecretBytes.fromUtf8('v'), TARGET, key))).toBe('ERR_SEAL_KEYS');
    }
  });
});

/** The steps of RFC 7516 and RFC 7518 §4.6 in plain node:crypto, to hold jose against. */
describe('the form', () => {
  /** RFC 7518 §4.6.2: one round of Concat KDF with SHA-256, without PartyUInfo and PartyVInfo. */
  function wrappingKey(secret: Uint8Array): Buffer {
    const number = (value: number): Buffer => {
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(value);
      return bytes;
    };
    const algorithm = Buffer.from('ECDH-ES+A256KW');
    return createHash('sha256')
      .update(number(1))
      .update(secret)
      .update(Buffer.concat([number(algorithm.length), algorithm, number(0), number(0)]))
      .update(number(256))
      .digest();
  }
  /** RFC 3394 §2.2.3.1 */
  const WRAP_IV = Buffer.alloc(8, 0xa6);

  it('can be opened with node:crypto alone', async () => {
    const token = await seal(SecretBytes.fromUtf8('value'), TARGET, keyring.active);
    const [encoded = '', ...parts] = token.split('.');
    const [wrapped, nonce, ciphertext, tag] = parts.map((part) => Buffer.from(part, 'base64url'));
    if (!wrapped || !nonce || !ciphertext || !tag) throw new Error('five parts expected');
    const publicKey = createPublicKey({
      format: 'jwk',
      key: headerOf(token)['epk'] as webcrypto.JsonWebKey,
    });
    const secret = diffieHellman({ privateKey: activePair.privateKey, publicKey });
    const unwrap = createDecipheriv('id-aes256-wrap', wrappingKey(secret), WRAP_IV);
    const key = Buffer.concat([unwrap.update(wrapped), unwrap.final()]);
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: 16 });
    decipher.setAAD(Buffer.from(encoded, 'ascii')).setAuthTag(tag);
    expect(Buffer.concat([decipher.update(ciphertext), decipher.final()]).toString()).toBe('value');
  });

  it('can be made with node:crypto alone', async () => {
    const ephemeral = generateKeyPairSync('x25519');
    const publicKey = createPublicKey(activePair.privateKey);
    const secret = diffieHellman({ privateKey: ephemeral.privateKey, publicKey });
    const { namespace: ns, name, field, exchange, scope } = TARGET;
    const header = Buffer.from(
      JSON.stringify({
        alg: 'ECDH-ES+A256KW',
        enc: 'A256GCM',
        typ: 'strongroom-sealed+jwe',
        kid: activePair.keyId,
        sr: { v: 1, scope, ns, name, field, exchange },
        epk: ephemeral.publicKey.export({ format: 'jwk' }),
      }),
    ).toString('base64url');
    const key = randomBytes(32);
    const wrap = createCipheriv('id-aes256-wrap', wrappingKey(secret), WRAP_IV);
    const wrapped = Buffer.concat([wrap.update(key), wrap.final()]);
    const nonce = randomBytes(12);
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(header, 'ascii'));
    const ciphertext = Buffer.concat([cipher.update('value'), cipher.final()]);
    const parts = [wrapped, nonce, ciphertext, cipher.getAuthTag()];
    const token = [header, ...parts.map((part) => part.toString('base64url'))].join('.');
    expect((await open(token, TARGET, keyring)).value.utf8()).toBe('value');
  });
});

describe('a ciphertext that is moved', () => {
  const part = fc.constantFrom('a', 'b', 'c', '');
  const place = fc.record({
    namespace: fc.constantFrom('a', 'b'),
    name: fc.constantFrom('a', 'b'),
    field: fc.constantFrom('a', 'b'),
    exchange: part,
  });

  it('opens in the place it was sealed for and in no other', async () => {
    await fc.assert(
      fc.asyncProperty(
        place,
        place,
        fc.constantFrom('strict' as const, 'namespace' as const),
        async (from, to, scope) => {
          const token = await seal(SecretBytes.fromUtf8('v'), { ...from, scope }, keyring.active);
          const same =
            from.namespace === to.namespace &&
            from.field === to.field &&
            from.exchange === to.exchange &&
            (scope === 'namespace' || from.name === to.name);
          expect(await codeOf(open(token, to, keyring))).toBe(
            same ? 'opened' : 'ERR_SEAL_WRONG_TARGET',
          );
        },
      ),
      { numRuns: 150 },
    );
  });

  it.each([
    ['namespace', { namespace: 'other' }, 'namespace "trading" instead of "other"'],
    ['name', { name: 'taker' }, 'name "maker" instead of "taker"'],
    ['field', { field: 'apiKey' }, 'field "apiSecret" instead of "apiKey"'],
    ['exchange', { exchange: 'Binance' }, 'exchange "Phemex" instead of "Binance"'],
    ['exchange, taken away', { exchange: '' }, 'exchange "Phemex" instead of none'],
  ])('says that the %s differs', async (_, change, message) => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    await expect(open(token, { ...TARGET, ...change }, keyring)).rejects.toThrow(message);
  });

  it('says so even when its key is not known here', async () => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyPair(NOW));
    expect(await codeOf(open(token, { ...TARGET, name: 'taker' }, keyring))).toBe(
      'ERR_SEAL_WRONG_TARGET',
    );
  });

  it('does not open when its header is rewritten for the other place', async () => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    const { sr } = headerOf(token);
    const moved = withHeader(token, { sr: { ...(sr as object), name: 'taker' } });
    expect(await codeOf(open(moved, { ...TARGET, name: 'taker' }, keyring))).toBe(
      'ERR_SEAL_CORRUPTED',
    );
  });
});

describe('the keyring', () => {
  it.each([
    ['active', activePair, 'opened'],
    ['accepted', acceptedPair, 'opened'],
    ['retired', retiredPair, 'ERR_SEAL_RETIRED_KEY'],
    ['unknown', keyPair(NOW), 'ERR_SEAL_UNKNOWN_KEY'],
  ])('decides on a value under the %s key', async (_, pair, expected) => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, pair);
    expect(await codeOf(open(token, TARGET, keyring))).toBe(expected);
  });
});

describe('bad input', () => {
  it('never opens when any character is changed, and says nothing of the value', async () => {
    const token = await seal(SecretBytes.fromUtf8('canary-77'), TARGET, keyring.active);
    await fc.assert(
      fc.asyncProperty(
        fc.nat(token.length - 1),
        fc.constantFrom(...ALPHABET.split(''), '.'),
        async (at, character) => {
          const changed = token.slice(0, at) + character + token.slice(at + 1);
          fc.pre(changed !== token);
          const error: unknown = await open(changed, TARGET, keyring).catch((e: unknown) => e);
          expect(isSealError(error)).toBe(true);
          expect(String(error)).not.toContain('canary');
        },
      ),
      { numRuns: 300 },
    );
  });

  it('with bits in a last character that its bytes do not use is malformed', async () => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    // The tag: 16 bytes in 22 characters, of whose last one four bits are spare.
    const last = ALPHABET.indexOf(token.at(-1) ?? '');
    const twin = token.slice(0, -1) + ALPHABET.charAt(last + 1);
    expect(Buffer.from(twin.split('.')[4] ?? '', 'base64url')).toEqual(
      Buffer.from(token.split('.')[4] ?? '', 'base64url'),
    );
    expect(await codeOf(open(twin, TARGET, keyring))).toBe('ERR_SEAL_MALFORMED');
  });

  it('with an ephemeral key of small order is refused', async () => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    const x = Buffer.alloc(32).toString('base64url');
    const forged = withHeader(token, { epk: { kty: 'OKP', crv: 'X25519', x } });
    expect(await codeOf(open(forged, TARGET, keyring))).toBe('ERR_SEAL_CORRUPTED');
  });

  it('of any length makes no error that a condition could not hold', async () => {
    const long = 'x'.repeat(20_000);
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    const sr = { v: 1, scope: 'strict', ns: long, name: 'maker', field: 'f', exchange: '' };
    for (const forged of [
      withHeader(token, { sr }),
      withHeader(token, { kid: long }),
      withHeader(token, { kid: 'line\nbreak' }),
    ]) {
      const error: unknown = await open(forged, TARGET, keyring).catch((e: unknown) => e);
      expect(isSealError(error, 'ERR_SEAL_MALFORMED')).toBe(true);
      expect(String(error).length).toBeLessThan(500);
    }
  });

  it('of any kind is refused with a code', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => {
        expect(await codeOf(open(text, TARGET, keyring))).toBe('ERR_SEAL_MALFORMED');
      }),
    );
  });

  it.each<[string, Record<string, unknown>]>([
    ['another type', { typ: 'JWE' }],
    ['another content encryption', { enc: 'A128GCM' }],
    ['a zip member', { zip: 'DEF' }],
    ['apu', { apu: 'QQ' }],
    ['another form of bindings', { sr: { v: 2 } }],
    ['no bindings', { sr: undefined }],
    ['bindings that are a list', { sr: [] }],
    [
      'an unknown binding',
      {
        sr: {
          v: 1,
          scope: 'strict',
          ns: 'trading',
          name: 'maker',
          field: 'apiSecret',
          exchange: 'Phemex',
          x: 1,
        },
      },
    ],
    [
      'an unknown scope',
      { sr: { v: 1, scope: 'cluster', ns: 'trading', field: 'f', exchange: '' } },
    ],
    [
      'a name where the scope has none',
      { sr: { v: 1, scope: 'namespace', ns: 'trading', name: 'maker', field: 'f', exchange: '' } },
    ],
    [
      'no name where the scope has one',
      { sr: { v: 1, scope: 'strict', ns: 'a', field: 'f', exchange: '' } },
    ],
  ])('with %s in the header is malformed', async (_, change) => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    const forged = withHeader(token, change);
    expect(await codeOf(open(forged, TARGET, keyring))).toBe('ERR_SEAL_MALFORMED');
  });

  it('made with a weaker algorithm by somebody who knows the public key is malformed', async () => {
    const token = await new CompactEncrypt(Buffer.from('v'))
      .setProtectedHeader({ alg: 'dir', enc: 'A256GCM', typ: 'strongroom-sealed+jwe' })
      .encrypt(new Uint8Array(32));
    expect(await codeOf(open(token, TARGET, keyring))).toBe('ERR_SEAL_MALFORMED');
  });
});

describe('inspect', () => {
  it('shows what a value is bound to, without a key', async () => {
    const token = await seal(SecretBytes.fromUtf8('v'), TARGET, keyring.active);
    expect(inspect(token)).toEqual({ ...TARGET, keyId: activePair.keyId });
  });

  it('has no name for the scope namespace', async () => {
    const token = await seal(
      SecretBytes.fromUtf8('v'),
      { ...TARGET, scope: 'namespace' },
      keyring.active,
    );
    expect(inspect(token)).not.toHaveProperty('name');
  });
});
