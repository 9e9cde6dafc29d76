import { BlockList, isIP } from 'node:net';

/**
 * Tells whether an address is in one of the ranges; undefined when a range cannot be read. An IPv4
 * address that is written as IPv6 (`::ffff:10.0.0.1`) is the IPv4 address.
 */
export function compileRanges(
  ranges: readonly string[],
): ((address: string) => boolean) | undefined {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix, ...rest] = range.split('/');
    const family = isIP(network);
    const bits = Number(prefix);
    const most = family === 4 ? 32 : 128;
    if (family === 0 || rest.length > 0 || !/^\d{1,3}$/.test(prefix ?? '') || bits > most) {
      return undefined;
    }
    list.addSubnet(network, bits, family === 4 ? 'ipv4' : 'ipv6');
  }
  return (address) => {
    const family = isIP(address);
    return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
  };
}
