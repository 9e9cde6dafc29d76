import { WIDE_BAN } from '#api/ip-block-rules.ts';
import type { AddressSet } from '../cidr/address-set.ts';

/**
 * What needs `acknowledgeWideBan`: CIDRs wider than /8 (IPv4) or /19 (IPv6), once neighbours are
 * joined. Two /9 side by side are a wide ban too, which the CRD's rule about each alone lets pass.
 */
export function wideBans(set: AddressSet): readonly string[] {
  return (['IPv4', 'IPv6'] as const).flatMap((family) =>
    set
      .ofFamily(family)
      .cidrs()
      .filter((cidr) => Number(cidr.slice(cidr.indexOf('/') + 1)) < WIDE_BAN[family]),
  );
}
