import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isCanonicalAddress, isCanonicalCidr } from '#api/cidr.ts';

describe('isCanonicalCidr', () => {
  test.each(['0.0.0.0/0', '10.20.0.0/16', '10.20.128.0/17', '192.0.2.7/32', '224.0.0.0/3'])(
    'takes %s',
    (range) => expect(isCanonicalCidr(range)).toBe(true),
  );
  test.each([
    '::/0',
    '2001:db8::/33',
    '2001:db8:8000::/33',
    '::1/128',
    '1:0:0:2::/64',
    '1::8/125',
    '1:2:3:4:5:6:7:8/128',
  ])('takes %s', (range) => expect(isCanonicalCidr(range)).toBe(true));
  test.each(['1:2:3:4:5:6:7::/112', '1:2::4:0:0:0:8/128', '1::/0', '64:ff9b::1.2.3.4/128'])(
    'refuses %s',
    (range) => expect(isCanonicalCidr(range)).toBe(false),
  );

  test('has exactly one prefix a network', () => {
    const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
    fc.assert(
      fc.property(octets, fc.nat(32), (parts, length) => {
        const number = parts.reduce((sum, part) => sum * 256 + part, 0);
        const hasHostBits = number % 2 ** (32 - length) !== 0;
        expect(isCanonicalCidr(`${parts.join('.')}/${length}`)).toBe(!hasHostBits);
      }),
    );
  });

  test('answers for any text', () => {
    fc.assert(
      fc.property(
        fc.string(),
        fc.string({ unit: fc.constantFrom('0', '1', '9', 'a', 'f', ':', '.', '/', '%') }),
        (a, b) => {
          expect(isCanonicalCidr(a)).toBe(false);
          expect(() => isCanonicalCidr(b)).not.toThrow();
        },
      ),
    );
  });
});

describe('isCanonicalAddress', () => {
  test.each(['0.0.0.0', '198.51.100.7', '::', '::1', '2001:db8::7', '1:0:0:2::', '::ffff:0:0:1'])(
    'takes %s',
    (address) => expect(isCanonicalAddress(address)).toBe(true),
  );
  test.each([
    '198.51.100.07',
    '198.51.100.7/32',
    '::ffff:198.51.100.7',
    '::ffff:c633:6407',
    '64:ff9b::1.2.3.4',
    '2001:DB8::7',
    '2001:db8:0::7',
    'fe80::1%eth0',
    '[::1]',
    '',
  ])('refuses %j', (address) => expect(isCanonicalAddress(address)).toBe(false));
});
