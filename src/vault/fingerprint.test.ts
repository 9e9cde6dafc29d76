import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { generateKey } from '#vault/envelope.ts';
import { computeFingerprints } from '#vault/fingerprint.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';

const key = generateKey();

function fieldsOf(values: Readonly<Record<string, string>>): Map<string, SecretBytes> {
  return new Map(Object.entries(values).map(([k, v]) => [k, SecretBytes.fromUtf8(v)]));
}

describe('computeFingerprints', () => {
  it('is equal for equal fields in any order, and for no others', () => {
    const values = fc.dictionary(fc.constantFrom('a', 'b', 'ab'), fc.string({ maxLength: 3 }), {
      noNullPrototype: true,
    });
    fc.assert(
      fc.property(values, values, (left, right) => {
        const reversed = Object.fromEntries(Object.entries(right).reverse());
        const equal =
          computeFingerprints(key, fieldsOf(left)).fingerprint ===
          computeFingerprints(key, fieldsOf(reversed)).fingerprint;
        const sorted = (of: object): string => JSON.stringify(of, ['a', 'ab', 'b']);
        expect(equal).toBe(sorted(left) === sorted(right));
      }),
    );
  });

  it('does not confuse where one value ends and the next begins', () => {
    const seen = [
      { a: 'x', b: 'y' },
      { a: 'x1:b1:y' },
      { a: 'xb', b: 'y' },
      { ab: 'x', b: 'y' },
      { a: 'xy', b: '' },
      { a: '', b: 'xy' },
    ].map((values) => computeFingerprints(key, fieldsOf(values)).fingerprint);
    expect(new Set(seen).size).toBe(seen.length);
  });

  it('depends on the key, and is no plain hash', () => {
    const fields = fieldsOf({ passphrase: 'hunter2' });
    const { fingerprint, fieldFingerprints } = computeFingerprints(key, fields);
    const other = computeFingerprints(generateKey(), fields);
    expect(other.fingerprint).not.toBe(fingerprint);
    expect(other.fieldFingerprints['passphrase']).not.toBe(fieldFingerprints['passphrase']);
    for (const algorithm of ['md5', 'sha1', 'sha256', 'sha512']) {
      const plain = createHash(algorithm).update('hunter2').digest('base64url');
      expect([fingerprint, fieldFingerprints['passphrase']]).not.toContain(plain);
    }
  });

  it('tells which field changed', () => {
    const before = computeFingerprints(key, fieldsOf({ a: 'x', b: 'y' })).fieldFingerprints;
    const after = computeFingerprints(key, fieldsOf({ a: 'x', b: 'z' })).fieldFingerprints;
    expect(after['a']).toBe(before['a']);
    expect(after['b']).not.toBe(before['b']);
  });

  it('tells apart equal values in different fields', () => {
    const { fieldFingerprints } = computeFingerprints(key, fieldsOf({ a: 'x', b: 'x' }));
    expect(fieldFingerprints['a']).not.toBe(fieldFingerprints['b']);
  });
});
