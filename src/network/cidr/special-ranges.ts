/**
 * Ranges that are not of the Internet: the IANA IPv4 and IPv6 Special-Purpose Address Registries
 * (RFC 6890, RFC 8190), as far as cutting them off cuts off something of one's own. Public lists
 * have them: FireHOL level 1 includes what must not come from the Internet, and so 10.0.0.0/8.
 * Ranges for documentation are not among them: nobody has them, and examples are about them.
 */
import { addressSet } from './address-set.ts';
import type { AddressSet } from './address-set.ts';

const SPECIAL = {
  '0.0.0.0/8': 'this network, and the unspecified address (RFC 791, RFC 1122)',
  '10.0.0.0/8': 'private (RFC 1918)',
  '100.64.0.0/10': 'shared by carriers, and addresses of pods and nodes in some clouds (RFC 6598)',
  '127.0.0.0/8': 'loopback (RFC 1122)',
  '169.254.0.0/16': 'link-local: metadata of clouds, DNS caches of nodes (RFC 3927)',
  '172.16.0.0/12': 'private (RFC 1918)',
  '192.0.0.0/24': 'protocol assignments (RFC 6890)',
  '192.168.0.0/16': 'private (RFC 1918)',
  '198.18.0.0/15': 'benchmarks, and private in places (RFC 2544)',
  '224.0.0.0/4': 'multicast (RFC 5771)',
  '240.0.0.0/4': 'reserved, broadcast, and addresses of pods in some clouds (RFC 1112, RFC 919)',
  // Nothing else of it is in use; one by one they would cut ::/0 into hundreds of CIDRs.
  '::/8': 'unspecified, loopback (RFC 4291), all of IPv4 as IPv6 (RFC 6052, RFC 8215)',
  '5f00::/16': 'segment identifiers inside a network (RFC 9602)',
  'fc00::/7': 'unique local (RFC 4193)',
  'fe80::/10': 'link-local (RFC 4291)',
  'fec0::/10': 'site-local, once (RFC 3879)',
  'ff00::/8': 'multicast (RFC 4291)',
} as const;

/** What must never come from a feed, and is blocked only where the author names it himself. */
export const PRIVATE_RANGES: AddressSet = addressSet(Object.keys(SPECIAL));

export const WHOLE_IPV4: AddressSet = addressSet(['0.0.0.0/0']);
export const WHOLE_IPV6: AddressSet = addressSet(['::/0']);
