import type { NetworkGapType } from '#api/names.ts';
import type { Direction } from './cluster-facts.ts';

/** Something that is not enforced as it is written, and why. */
export interface NetworkGap {
  readonly type: NetworkGapType;
  readonly namespace?: string;
  /** Pods concerned, by name; at most ten are kept, `podCount` has all. */
  readonly pods?: readonly string[];
  readonly podCount?: number;
  readonly direction?: Direction;
  /** The NetworkPolicy of others that is at fault, by name; it is in `namespace`. */
  readonly networkPolicy?: string;
  /** AccessPolicies that it keeps from being enforced, by name; absent: it is about blocks. */
  readonly accessPolicies?: readonly string[];
  /** For people: what is not enforced, why, and what to do about it. */
  readonly message: string;
}
