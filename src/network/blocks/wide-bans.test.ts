import { describe, expect, it } from 'vitest';
import { addressSet } from '../cidr/address-set.ts';
import { wideBans } from './wide-bans.ts';

describe('wide bans', () => {
  it.each([
    [[], []],
    [['11.0.0.0/8', '2001::/19'], []],
    [['0.0.0.0/0'], ['0.0.0.0/0']],
    [['::/0', '192.0.2.1'], ['::/0']],
    [
      ['12.0.0.0/7', '2600::/18'],
      ['12.0.0.0/7', '2600::/18'],
    ],
    // Narrow each, and wide together.
    [['12.0.0.0/8', '13.0.0.0/8'], ['12.0.0.0/7']],
    [['2600::/19', '2600:2000::/19'], ['2600::/18']],
    [['11.0.0.0/8', '12.0.0.0/8'], []],
  ])('of %j are %j', (cidrs, expected) => {
    expect(wideBans(addressSet(cidrs))).toEqual(expected);
  });
});
