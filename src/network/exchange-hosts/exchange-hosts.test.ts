import { describe, expect, it } from 'vitest';
import { EXCHANGES } from '#api/exchanges.ts';
import { EXCHANGE_HOSTS, EXCHANGE_TESTNET_HOSTS } from './exchange-hosts.ts';

const HOST_NAME = /^(?=.{4,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,}$/;
const known = EXCHANGES.filter((exchange) => exchange !== 'Other');

describe('the table of exchange hosts', () => {
  it('has every exchange, and knows nothing of Other', () => {
    expect(Object.keys(EXCHANGE_HOSTS)).toEqual([...EXCHANGES]);
    expect(Object.keys(EXCHANGE_TESTNET_HOSTS)).toEqual([...EXCHANGES]);
    expect(EXCHANGE_HOSTS.Other).toEqual([]);
    expect(EXCHANGE_TESTNET_HOSTS.Other).toEqual([]);
  });

  it.each(known)('opens something for %s, and no host of its testnet', (exchange) => {
    const production = EXCHANGE_HOSTS[exchange];
    const testnet = EXCHANGE_TESTNET_HOSTS[exchange];
    expect(production).not.toEqual([]);
    expect(production.filter((host) => testnet.includes(host))).toEqual([]);
    expect(production.filter((host) => /testnet|sandbox|demo|^test/.test(host))).toEqual([]);
  });

  it('holds host names: no scheme, port, path, wildcard or address, each once', () => {
    const all = known.flatMap((exchange) => [
      ...EXCHANGE_HOSTS[exchange],
      ...EXCHANGE_TESTNET_HOSTS[exchange],
    ]);
    expect(all.filter((host) => !HOST_NAME.test(host))).toEqual([]);
    expect(all.filter((host, index) => all.indexOf(host) !== index)).toEqual([]);
  });
});
