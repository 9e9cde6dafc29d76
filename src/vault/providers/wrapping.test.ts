import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateKey } from '#vault/envelope.ts';
import { checkValue, unwrapWith, wrapWith } from '#vault/providers/wrapping.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

const kek = { keyId: '1-0', key: generateKey() };

describe('wrapWith and unwrapWith', () => {
  it('give back the data key', () => {
    const dek = generateKey();
    const wrapped = wrapWith('local', kek, dek);
    expect(unwrapWith(kek, wrapped).equals(dek)).toBe(true);
    expect(Buffer.from(wrapped.data, 'base64').includes(dek.bytes())).toBe(false);
  });

  it('refuse a wrapped key with any bit turned', () => {
    const wrapped = wrapWith('local', kek, generateKey());
    const bytes = Buffer.from(wrapped.data, 'base64');
    fc.assert(
      fc.property(fc.nat(bytes.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(bytes);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        const data = Buffer.from(changed).toString('base64');
        expect(() => unwrapWith(kek, { ...wrapped, data })).toThrow('does not authenticate');
      }),
    );
  });

  it('refuse another key, provider or key id, with a code', () => {
    const wrapped = wrapWith('local', kek, generateKey());
    const code = expect.objectContaining({ code: 'ERR_KEY_CORRUPTED' });
    expect(() => unwrapWith({ ...kek, key: generateKey() }, wrapped)).toThrow(code);
    expect(() => unwrapWith(kek, { ...wrapped, provider: 'passphrase' })).toThrow(code);
    expect(() => unwrapWith(kek, { ...wrapped, keyId: '2-0' })).toThrow(code);
  });
});

describe('checkValue', () => {
  it('differs between keys, and does not change for one: it stands in what is stored', () => {
    // printf strongroom.dev/key-id/v1 | openssl dgst -sha256 -mac HMAC -macopt hexkey:0101…
    expect(checkValue(SecretBytes.fromBytes(new Uint8Array(32).fill(1)))).toBe('5a7ada25');
    expect(checkValue(generateKey())).not.toBe(checkValue(generateKey()));
  });
});
