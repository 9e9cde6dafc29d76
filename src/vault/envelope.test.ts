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

  it('open what the inventors of GCM publish as encrypted (test case 16)', () => {
    const hex = (text: string): Buffer => Buffer.from(text, 'hex');
    const key = hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308');
    const envelope = hex(
      'cafebabefacedbaddecaf888' +
        '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    );
    const opened = decrypt(
      SecretBytes.fromBytes(key),
      envelope,
      hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
    );
    expect(opened && Buffer.from(opened.bytes()).toString('hex')).toBe(
      'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
        '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
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
    // Any UTF-16, so that halves of surrogate pairs do not all become U+FFFD.
    const unit = fc.integer({ min: 0, max: 0xffff }).map((code) => String.fromCharCode(code));
    const names = fc.array(fc.oneof(fc.string(), fc.string({ unit })), { maxLength: 4 });
    fc.assert(
      fc.property(names, names, (a, b) => {
        const equal = Buffer.compare(associatedData('p', ...a), associatedData('p', ...b)) === 0;
        expect(equal).toBe(JSON.stringify(a) === JSON.stringify(b));
      }),
    );
    expect(associatedData('p', '\ud800')).not.toEqual(associatedData('p', '\ud801'));
    expect(associatedData('p', 'a', 'b')).not.toEqual(associatedData('p', 'a","b'));
  });
});
