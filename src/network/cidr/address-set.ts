/** Sets of addresses of both families, as sorted disjoint intervals. Sets never change. */

/** Inclusive on both ends. IPv4 addresses are 32-bit numbers, IPv6 ones 128-bit. */
export interface Interval {
  readonly family: 'IPv4' | 'IPv6';
  readonly first: bigint;
  readonly last: bigint;
}

export interface AddressSet {
  readonly isEmpty: boolean;
  /** Neighbours and overlaps are one interval; IPv4 first, then by address. */
  intervals(): readonly Interval[];
  /** The fewest CIDRs that make up the set, canonical, IPv4 first, then by address. */
  cidrs(): readonly string[];
  /** An IPv4 address in IPv6 (`::ffff:192.0.2.1`) is IPv4; what is no address is in no set. */
  contains(address: string): boolean;
  covers(other: AddressSet): boolean;
  intersects(other: AddressSet): boolean;
  union(other: AddressSet): AddressSet;
  minus(other: AddressSet): AddressSet;
  intersection(other: AddressSet): AddressSet;
  ofFamily(family: 'IPv4' | 'IPv6'): AddressSet;
  equals(other: AddressSet): boolean;
}
