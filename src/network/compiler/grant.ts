import type { Protocol } from '../cluster-facts.ts';
import type { AddressSet } from '../cidr/address-set.ts';

/** What an AccessPolicy opens for the pods of one ServiceAccount. */
export interface NetworkGrant {
  readonly policy: { readonly name: string; readonly uid: string };
  readonly serviceAccount: string;
  /** Present and empty: nothing is open. Absent: this grant is not about that direction. */
  readonly egress?: readonly GrantRule[];
  readonly ingress?: readonly GrantRule[];
}

/** Addresses and pods add up; with neither of them a rule opens nothing. */
export interface GrantRule {
  readonly addresses?: AddressSet;
  readonly pods?: readonly GrantedPods[];
  /** Absent: all. Empty: none. */
  readonly ports?: readonly GrantPort[];
}

export interface GrantedPods {
  readonly namespace: string;
  /** Empty: all pods of the namespace. */
  readonly podLabels: Readonly<Record<string, string>>;
}

export interface GrantPort {
  readonly port: number;
  /** With it the range from `port` to here, both included. */
  readonly endPort?: number;
  readonly protocol: Protocol;
}
