import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction } from '../cluster-facts.ts';

export interface BlockGroup {
  readonly key: string;
  readonly namespaces: '*' | readonly string[];
  readonly direction: Direction;
  readonly addresses: AddressSet;
  readonly blocks: readonly string[];
}
