import { isIP } from 'node:net';
import { expect, it } from 'vitest';
import { systemLookUp } from './system-look-up.ts';

const never = new AbortController().signal;

it('gives the addresses of a name that the hosts file has', async () => {
  const addresses = await systemLookUp('localhost', never);
  expect(addresses.length).toBeGreaterThan(0);
  expect(addresses.filter((address) => isIP(address) === 0)).toEqual([]);
});

it('rejects for a name that cannot be', async () => {
  await expect(systemLookUp('no such host.invalid', never)).rejects.toThrow(/ENOTFOUND|EAI/);
});
