/** Inclusive on both ends. IPv4 addresses are 32-bit numbers, IPv6 ones 128-bit. */
export interface Interval {
  readonly family: 'IPv4' | 'IPv6';
  readonly first: bigint;
  readonly last: bigint;
}
