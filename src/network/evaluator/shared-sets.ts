import type { AddressSet } from '../cidr/address-set.ts';
import type { IpBlock } from './policy-rules.ts';
import { writtenAddresses } from './written-addresses.ts';

const read = new WeakMap<IpBlock, AddressSet>();

/**
 * The addresses of ipBlocks. Equal ones get the same set: the same 50,000 holes stand in the
 * policies of every guarded namespace, and are read, kept and compared once.
 */
export function createSharedSets(): (ipBlock: IpBlock) => AddressSet {
  const settled = new Map<IpBlock, AddressSet>();
  const first = new Map<string, { readonly ipBlock: IpBlock; readonly set: AddressSet }>();
  return (ipBlock) => {
    const before = settled.get(ipBlock);
    if (before !== undefined) return before;
    const { cidr, except = [] } = ipBlock;
    const likeness = `${cidr} ${except.length} ${except[0]} ${except.at(-1)}`;
    const like = first.get(likeness);
    const own = read.get(ipBlock);
    const isSame =
      like !== undefined &&
      // What was the same for an evaluator before this one need not be compared again.
      (own === like.set || except.every((each, index) => each === like.ipBlock.except?.[index]));
    const set = isSame ? like.set : (own ?? addressesOf(ipBlock));
    if (like === undefined) first.set(likeness, { ipBlock, set });
    settled.set(ipBlock, set);
    read.set(ipBlock, set);
    return set;
  };
}

function addressesOf({ cidr, except = [] }: IpBlock): AddressSet {
  const all = writtenAddresses([cidr]);
  return except.length === 0 ? all : all.minus(writtenAddresses(except));
}
