import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  associatedData,
  decrypt,
  encrypt,
  ENVELOPE_OVERHEAD,
  generateKey,
} from '#vault/envelope.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

const bytes = fc.uint8Array({ maxLength: 300 });

describe('encrypt and decrypt', () => {
  it('give back any value under any associated data', () => {
    fc.assert(
      fc.property(bytes, bytes, (value, aad) => {
        const key = generateKey();
        const envelope = encrypt(key, SecretBytes.fromBytes(value), aad);
        expect(envelope.length).toBe(value.length + ENVELOPE_OVERHEAD);
        expect(decrypt(key, envelope, aad)?.bytes()).toEqual(value);
      }),
    );
  });

  it('never encrypt twice to the same bytes', () => {
    const key = generateKey();
    const value = SecretBytes.fromUtf8('x');
    const seen = new Set(
      Array.from({ length: 200 }, () =>
        Buffer.from(encrypt(key, value, new Uint8Array())).toString('hex'),
      ),
    );
    expect(seen.size).toBe(200);
  });

  it('refuse an envelope with any bit turned', () => {
    const key = generateKey();
    const aad = associatedData('test', 'a');
    const envelope = encrypt(key, SecretBytes.fromUtf8('value'), aad);
    fc.assert(
      fc.property(fc.nat(envelope.length * 8 - 1), (bit) => {
        const changed = Uint8Array.from(envelope);
        changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7));
        expect(decrypt(key, changed, aad)).toBeUndefined();
      }),
    );
  });

  it('refuse an envelope cut to any length', () => {
    const key = generateKey();
    const envelope = encrypt(key, SecretBytes.fromUtf8('value'), new Uint8Array());
    for (let length = 0; length < envelope.length; length += 1) {
      expect(decrypt(key, envelope.subarray(0, length), new Uint8Array())).toBeUndefined();
    }
  });

  it('refuse another key or other associated data', () => {
    const key = generateKey();
    const envelope = encrypt(key, SecretBytes.fromUtf8('value'), associatedData('p', 'a'));
    expect(decrypt(generateKey(), envelope, associatedData('p', 'a'))).toBeUndefined();
    expect(decrypt(key, envelope, associatedData('p', 'b'))).toBeUndefined();
  });
});

describe('associatedData', () => {
  it('is the same for equal lists only', () => {
    const names = fc.array(fc.string(), { maxLength: 4 });
    fc.assert(
      fc.property(names, names, (a, b) => {
        const equal = Buffer.compare(associatedData('p', ...a), associatedData('p', ...b)) === 0;
        expect(equal).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(associatedData('p', 'a', 'b')).not.toEqual(associatedData('p', 'a","b'));
  });
});
