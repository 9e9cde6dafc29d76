import { describe, expect, it } from 'vitest';
import { addressSet } from './address-set.ts';
import { PRIVATE_RANGES, WHOLE_IPV4, WHOLE_IPV6 } from './special-ranges.ts';

describe('private and special ranges', () => {
  it.each([
    '0.0.0.0',
    '10.1.2.3',
    '100.64.0.1',
    '100.127.255.255',
    '127.0.0.53',
    '169.254.169.254',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '192.0.0.170',
    '198.19.0.1',
    '224.0.0.1',
    '239.255.255.255',
    '255.255.255.255',
    '::',
    '::1',
    '64:ff9b::1.1.1.1',
    '::ffff:10.0.0.1',
    '64:ff9b:1::1',
    'fc00::1',
    'fd12:3456::1',
    'fe80::1',
    'ff02::1',
    'fec0::1',
    '5f00::1',
  ])('have %s', (address) => {
    expect(PRIVATE_RANGES.contains(address)).toBe(true);
  });

  it.each([
    '1.1.1.1',
    '9.255.255.255',
    '11.0.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '223.255.255.255',
    '::ffff:1.1.1.1',
    '192.0.2.1',
    '198.51.100.1',
    '203.0.113.1',
    '2001:db8::1',
    '2606:4700::1111',
    '2001::1',
  ])('do not have %s', (address) => {
    expect(PRIVATE_RANGES.contains(address)).toBe(false);
  });

  it('are small in what is left of each family', () => {
    expect(WHOLE_IPV4.minus(PRIVATE_RANGES).cidrs().length).toBeLessThan(100);
    expect(WHOLE_IPV6.minus(PRIVATE_RANGES).cidrs().length).toBeLessThan(50);
    expect(WHOLE_IPV4.union(WHOLE_IPV6).equals(addressSet(['::/0', '0.0.0.0/0']))).toBe(true);
  });
});
