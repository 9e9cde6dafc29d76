import { addressSet } from './address-set.ts';
import { parseCidr } from './parse-cidr.ts';
import { PRIVATE_RANGES } from './special-ranges.ts';

/** NAT64 (RFC 6052 §2.1): the last 32 bits are the IPv4 address that it stands for. */
const NAT64 = addressSet(['64:ff9b::/96']);
/** Tunnels to an IPv4 address that the packet names: 6to4 (RFC 3056, RFC 3068), Teredo (RFC 4380). */
const TUNNELS = addressSet(['192.88.99.0/24', '2002::/16', '2001::/32']);

/**
 * Whether an address that DNS gave, or a URL names, is one of the public Internet, so that it can be
 * neither the cluster's nor a neighbour's. What is no address is not, nor one written in an unusual
 * way, such as IPv4 as IPv6.
 */
export function isPublicAddress(address: string): boolean {
  const parsed = parseCidr(address);
  if (!parsed.ok || parsed.interval.first !== parsed.interval.last) return false;
  if (TUNNELS.contains(address)) return false;
  if (!NAT64.contains(address)) return !PRIVATE_RANGES.contains(address);
  const octets = [24n, 16n, 8n, 0n].map((shift) => (parsed.interval.first >> shift) & 0xffn);
  return isPublicAddress(octets.join('.'));
}
