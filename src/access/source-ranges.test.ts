import { BlockList, isIPv4 } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRange, parseAddress } from './source-ranges.ts';

function isIn(range: string, text: string): boolean | undefined {
  const address = parseAddress(text);
  return address === undefined ? undefined : compileRange(range)?.contains(address);
}

describe('source ranges', () => {
  it.each([
    ['10.20.0.0/16', '10.20.255.255', true],
    ['10.20.0.0/16', '10.21.0.0', false],
    ['10.20.0.0/16', '::ffff:10.20.0.1', true],
    ['10.20.0.0/16', '::ffff:0a14:0001', true],
    ['::ffff:10.20.0.0/112', '10.20.0.1', true],
    ['::ffff:10.20.0.0/112', '10.21.0.1', false],
    ['0.0.0.0/0', '255.255.255.255', true],
    ['0.0.0.0/0', '2001:db8::1', false],
    ['::/0', '2001:db8::1', true],
    ['::/0', '10.20.0.1', false],
    ['::/0', '::ffff:10.20.0.1', false],
    ['2001:db8::/32', '2001:DB8:0:0::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
    ['2001:db8::1/128', '2001:db8:0:0:0:0:0:1', true],
    ['64:ff9b::10.20.0.0/112', '64:ff9b::a14:1', true],
    ['10.20.0.1/32', '10.20.0.1', true],
    ['10.20.3.4/16', '10.20.0.1', true],
  ])('%s with %s: %s', (range, address, expected) => {
    expect(isIn(range, address)).toBe(expected);
  });

  it.each(['', '10.20.0.1', '10.20.0.0/', '10.20.0.0/33', '10.20.0.0/016', '10.20.0.0/-1'])(
    'refuse %j',
    (range) => expect(compileRange(range)).toBeUndefined(),
  );
  it.each([
    '::/129',
    '::ffff:10.0.0.0/95',
    'fe80::%eth0/64',
    '10.020.0.0/16',
    '/8',
    '10/8',
    'a/b/8',
  ])('refuse %j', (range) => expect(compileRange(range)).toBeUndefined());
  it.each([
    '',
    '10.20.0',
    '10.20.0.256',
    ' 10.20.0.1',
    '10.20.0.1:443',
    'fe80::1%eth0',
    '[::1]',
    '0x0a.1.1.1',
  ])('take %j for no address', (text) => expect(parseAddress(text)).toBeUndefined());

  it('agree with BlockList of Node', () => {
    const anyAddress = fc.oneof(fc.ipV4(), fc.ipV6());
    fc.assert(
      fc.property(anyAddress, anyAddress, fc.nat(128), fc.boolean(), (one, other, bits, isNear) => {
        const length = Math.min(bits, isIPv4(one) ? 32 : 128);
        const address = isNear ? one : other;
        const list = new BlockList();
        list.addSubnet(one, length, isIPv4(one) ? 'ipv4' : 'ipv6');
        // BlockList takes `::/0` for a range of mapped addresses, too.
        fc.pre(
          isIPv4(address) === isIPv4(one) &&
            parseAddress(one)?.bits === parseAddress(address)?.bits,
        );
        fc.pre(!(parseAddress(one)?.bits === 32 && !isIPv4(one)));
        expect(isIn(`${one}/${length}`, address)).toBe(
          list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6'),
        );
      }),
      { numRuns: 3000 },
    );
  });
});
