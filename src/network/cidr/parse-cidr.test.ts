import { isIP } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isCanonicalCidr } from '#api/cidr.ts';
import { parseCidr } from './parse-cidr.ts';
import { anyBlocks, blockAround, textOf } from './testing/naive.ts';

describe('parseCidr', () => {
  it.each([
    ['10.20.0.0/16', '10.20.0.0/16'],
    ['10.20.0.1', '10.20.0.1/32'],
    ['0.0.0.0/0', '0.0.0.0/0'],
    ['255.255.255.255', '255.255.255.255/32'],
    ['::/0', '::/0'],
    ['::', '::/128'],
    ['1::', '1::/128'],
    ['::1', '::1/128'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0/128'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8/128'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221/128'],
    ['::192.0.2.33', '::c000:221/128'],
    ['1:2:3:4:5:6:192.0.2.33', '1:2:3:4:5:6:c000:221/128'],
  ])('%s is %s', (text, cidr) => expect(parseCidr(text)).toMatchObject({ ok: true, cidr }));

  // RFC 5952: ways of writing one address (§2.1 to §2.3), and what §4 makes of them.
  it.each([
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8::0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:0db8::1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:db8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:0000:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:DB8:0:0:1::1', '2001:db8::1:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd::1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:0:1', '2001:db8:aaaa:bbbb:cccc:dddd:0:1'],
    ['2001:db8:0:0:0::1', '2001:db8::1'],
    ['2001:db8:0:0::1', '2001:db8::1'],
    ['2001:db8:0::1', '2001:db8::1'],
    ['2001:db8::1', '2001:db8::1'],
    ['2001:db8::aaaa:0:0:1', '2001:db8::aaaa:0:0:1'],
    ['2001:db8:0:0:aaaa::1', '2001:db8::aaaa:0:0:1'],
    ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:AaAa', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:aaaa'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8::1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
  ])('writes %s as RFC 5952 does: %s', (text, address) => {
    expect(parseCidr(text)).toMatchObject({ ok: true, cidr: `${address}/128` });
  });

  it.each([
    ['10.20.0.1/16', 'bits set behind its prefix', '10.20.0.0/16'],
    ['2001:db8::1/64', 'bits set behind its prefix', '2001:db8::/64'],
    ['128.0.0.0/0', 'bits set behind its prefix', '0.0.0.0/0'],
    ['8000::/0', 'bits set behind its prefix', '::/0'],
    ['010.0.0.0/8', 'leading zeros', '10.0.0.0/8'],
    ['10.000.0.00/8', 'leading zeros', '10.0.0.0/8'],
    ['64:ff9b::192.000.2.033', 'leading zeros', '64:ff9b::c000:221/128'],
    ['10.0.0.0/08', 'leading zeros in its prefix', '10.0.0.0/8'],
    ['::/00', 'leading zeros in its prefix', '::/0'],
    ['fe80::1%eth0', 'zone', 'fe80::1/128'],
    ['fe80::%25eth0/64', 'zone', 'fe80::/64'],
    ['::ffff:192.0.2.0/120', 'IPv4 written as IPv6', '192.0.2.0/24'],
    ['::FFFF:c000:0201', 'IPv4 written as IPv6', '192.0.2.1/32'],
    ['::ffff:0:0/96', 'IPv4 written as IPv6', '0.0.0.0/0'],
    ['::ffff:192.0.2.1/120', 'bits set behind its prefix', '192.0.2.0/24'],
    ['::ffff:192.0.2.1/90', 'bits set behind its prefix', '::ffc0:0:0/90'],
    ['10.0.0.0/255.0.0.0', 'netmask', '10.0.0.0/8'],
    ['10.0.0.0/0.0.0.0', 'netmask', '0.0.0.0/0'],
    ['10.0.0.0/255.255.255.255', 'netmask', '10.0.0.0/32'],
    [' 10.0.0.0/8\r', 'spaces', '10.0.0.0/8'],
    ['10.0.0.0/33', 'longer than the 32 bits', undefined],
    ['2001:db8::/129', 'longer than the 128 bits', undefined],
    ['10.0.0.0/999999999', 'longer than the 32 bits', undefined],
    ['10.0.0.0/', 'no number of bits', undefined],
    ['10.0.0.0/-1', 'no number of bits', undefined],
    ['10.0.0.0/8/8', 'no number of bits', undefined],
    ['10.0.0.0/8.', 'no number of bits', undefined],
    ['10.0.0.0/255.0.255.0', 'no number of bits', undefined],
    ['2001:db8::/255.0.0.0', 'no number of bits', undefined],
    ['', 'neither', undefined],
    ['/8', 'neither', undefined],
    ['10/8', 'neither', undefined],
    ['256.0.0.1', 'neither', undefined],
    ['10.0.0.0.0/8', 'neither', undefined],
    ['10..0.0', 'neither', undefined],
    ['0x0a.0.0.0', 'neither', undefined],
    ['1.2.3.4:443', 'neither', undefined],
    ['[::1]', 'neither', undefined],
    ['1::2::3', 'neither', undefined],
    [':1:2:3:4:5:6:7', 'neither', undefined],
    ['1:2:3:4:5:6:7:', 'neither', undefined],
    ['1:2:3:4:5:6:7', 'neither', undefined],
    ['1:2:3:4:5:6:7:1.2.3.4', 'neither', undefined],
    ['12345::', 'neither', undefined],
    ['::1.2.3.4:5', 'neither', undefined],
    ['１０.0.0.1', 'neither', undefined],
    ['example.com', 'neither', undefined],
    ['9'.repeat(1_000_000), 'neither', undefined],
  ])('refuses %.40j: %s', (text, fault, corrected) => {
    expect(parseCidr(text)).toEqual({
      ok: false,
      fault: expect.stringContaining(fault) as string,
      ...(corrected !== undefined && { corrected }),
    });
  });

  it('takes every block however it is written, and says where it begins and ends', () => {
    fc.assert(
      fc.property(anyBlocks(), ({ text, family, first, last }) => {
        const parsed = parseCidr(text);
        expect(parsed).toMatchObject({ ok: true, interval: { family, first, last } });
      }),
    );
  });

  it('corrects to what has the address, and is taken', () => {
    fc.assert(
      fc.property(anyBlocks(), fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }), (block, noise) => {
        const address = block.first + (noise % (block.last - block.first + 1n));
        const parsed = parseCidr(`${textOf(block.family, address)}/${block.prefix}`);
        const cidr = parsed.ok ? parsed.cidr : parsed.corrected;
        const { first, last } = blockAround(block.family, address, block.prefix);
        expect(parseCidr(cidr ?? '')).toMatchObject({ ok: true, cidr, interval: { first, last } });
      }),
    );
  });

  it('writes CIDRs as the API server wants them', () => {
    fc.assert(
      fc.property(anyBlocks(), ({ text }) => {
        const parsed = parseCidr(text);
        expect(parsed.ok && isCanonicalCidr(parsed.cidr)).toBe(true);
        expect(isCanonicalCidr(text)).toBe(parsed.ok && parsed.cidr === text);
      }),
    );
  });

  it('agrees with Node on what an address is', () => {
    const pieces = fc.constantFrom(
      '0',
      '1',
      'ffff',
      '00a',
      '255',
      '256',
      ':',
      '::',
      '.',
      '.1',
      ':1',
      ':0',
      'g',
    );
    const almost = fc.array(pieces, { minLength: 1, maxLength: 17 }).map((parts) => parts.join(''));
    const near = fc
      .tuple(fc.oneof(fc.ipV4(), fc.ipV6()), fc.nat(45), fc.constantFrom('', ':', '.', '0', 'f'))
      .map(([text, place, piece]) => text.slice(0, place) + piece + text.slice(place + 1));
    let taken = 0;
    fc.assert(
      fc.property(fc.oneof(almost, near, fc.ipV4(), fc.ipV6()), (text) => {
        const parsed = parseCidr(text);
        const isAddress = parsed.ok || /written as IPv6/.test(parsed.fault);
        taken += isAddress ? 1 : 0;
        expect(isAddress).toBe(isIP(text) !== 0);
      }),
      { numRuns: 20_000 },
    );
    expect(taken).toBeGreaterThan(1000);
  });
});
