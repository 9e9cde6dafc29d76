import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatRange, parseRange } from './range-text.ts';

describe('ranges as text', () => {
  it('comes back as it was', () => {
    const interval = fc.oneof(
      fc.record({
        family: fc.constant('IPv4' as const),
        a: fc.bigInt({ min: 0n, max: 2n ** 32n - 1n }),
        bits: fc.nat(32),
      }),
      fc.record({
        family: fc.constant('IPv6' as const),
        a: fc.bigInt({ min: 0n, max: 2n ** 128n - 1n }),
        bits: fc.nat(128),
      }),
    );
    fc.assert(
      fc.property(
        interval,
        fc.bigInt({ min: 0n, max: 300n }),
        fc.boolean(),
        (o, extra, aligned) => {
          const top = o.family === 'IPv4' ? 2n ** 32n - 1n : 2n ** 128n - 1n;
          const mask = (1n << BigInt(o.bits)) - 1n;
          const first = aligned ? o.a & ~mask & top : o.a;
          const end = aligned ? first | (mask & top) : first + extra;
          const range = { family: o.family, first, last: end > top ? top : end };
          expect(parseRange(formatRange(range))).toEqual(range);
        },
      ),
    );
  });

  it.each([
    ['192.0.2.7', 'IPv4', 1n],
    ['192.0.2.0/24', 'IPv4', 256n],
    ['192.0.2.3-192.0.2.9', 'IPv4', 7n],
    ['0.0.0.0/0', 'IPv4', 2n ** 32n],
    ['2001:db8::/32', 'IPv6', 2n ** 96n],
    ['2001:db8::1', 'IPv6', 1n],
    ['2001:db8::1-2001:db8::5', 'IPv6', 5n],
  ])('reads and writes %s', (text, family, size) => {
    const range = parseRange(text);
    expect(range?.family).toBe(family);
    expect((range?.last ?? 0n) - (range?.first ?? 0n) + 1n).toBe(size);
    expect(range === undefined ? '' : formatRange(range)).toBe(text);
  });

  it.each([
    '',
    '192.0.2.0/24;',
    '192.0.2.1 timeout 1s',
    '192.0.2.1, 192.0.2.2',
    '192.0.2.1/24',
    '192.0.2.0/33',
    '192.0.2.0/024',
    '192.0.2.9-192.0.2.3',
    '192.0.2.9-2001:db8::1',
    '192.0.2.1-192.0.2.3-192.0.2.9',
    '192.0.2.1 }\nflush ruleset',
    'fe80::1%eth0',
    '192.0.2.010',
  ])('refuses %j', (text) => {
    expect(parseRange(text)).toBeUndefined();
  });
});
