import type { AddressSet } from './cidr/address-set.ts';

/** An IPBlock in force: not expired, not observing, protected ranges already taken out. */
export interface ActiveBlock {
  readonly name: string;
  readonly addresses: AddressSet;
  readonly ingress: boolean;
  readonly egress: boolean;
  /** Guarded namespaces that it is about. */
  readonly namespaces: '*' | readonly string[];
  /** Milliseconds since 1970; absent: until it is removed. */
  readonly expiresAtMs?: number;
}
