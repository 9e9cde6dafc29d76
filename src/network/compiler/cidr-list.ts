/** The CIDRs of a set, and which of them lie in a block: a binary search each. */
import { blocksOfSet } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Blocks } from '../cidr/boundaries.ts';
import { formatCidr } from '../cidr/format-cidr.ts';
import { compare, isZero, skipBlock } from '../cidr/words.ts';
import type { Width } from '../cidr/words.ts';
import { isWithin } from './block.ts';
import type { Block } from './block.ts';

/** The CIDRs of one family; sorted, disjoint and as few as there can be. */
export interface CidrList {
  readonly texts: readonly string[];
  readonly blocks: Blocks;
}

export type CidrLists = Readonly<Record<Width, CidrList>>;

const NO_CIDRS: CidrList = {
  texts: [],
  blocks: { width: 1, firsts: new Uint32Array(0), prefixes: new Uint8Array(0) },
};
const listsBySet = new WeakMap<AddressSet, CidrLists>();

/**
 * Sets never change, so what was made of one is kept with it.
 *
 * @param similar of a set with many of the same CIDRs, whose texts are taken
 */
export function cidrListsOf(set: AddressSet, similar?: CidrLists): CidrLists {
  const before = listsBySet.get(set);
  if (before !== undefined) return before;
  const [v4, v6] = blocksOfSet(set);
  if (v4 === undefined || v6 === undefined) throw new TypeError('a set has two families');
  const lists = { 1: listOf(v4, similar?.[1]), 4: listOf(v6, similar?.[4]) };
  listsBySet.set(set, lists);
  return lists;
}

function listOf(blocks: Blocks, { texts: known, blocks: theirs }: CidrList = NO_CIDRS): CidrList {
  const { width, firsts, prefixes } = blocks;
  let at = 0;
  const order = (first: number): number => compare(width, theirs.firsts, at * width, firsts, first);
  const texts: string[] = [];
  for (let index = 0; index < prefixes.length; index += 1) {
    const first = index * width;
    const prefix = prefixes[index] ?? 0;
    while (at < known.length && order(first) < 0) at += 1;
    const isKnown = theirs.prefixes[at] === prefix && order(first) === 0;
    texts.push((isKnown ? known[at] : undefined) ?? formatCidr(width, firsts, first, prefix));
  }
  return { texts, blocks };
}

/** Places `from` up to, and without, `to` in the list. */
export interface Run {
  readonly from: number;
  readonly to: number;
}

/** Those in the block; a CIDR that is the block itself is in it, a wider one is not. */
export function runWithin({ blocks }: CidrList, block: Block, from = 0): Run {
  const start = placeOf(blocks, block.first, from);
  const end = block.first.slice();
  skipBlock(block.width, end, 0, block.prefix);
  const isLast = isZero(block.width, end, 0);
  const to = isLast ? blocks.prefixes.length : placeOf(blocks, end, start);
  const isWider = start < to && (blocks.prefixes[start] ?? 0) < block.prefix;
  return { from: isWider ? to : start, to };
}

/** Whether one of the CIDRs has all of the block. */
export function isCovered(list: CidrList, block: Block): boolean {
  const { blocks } = list;
  const place = placeOf(blocks, block.first, 0);
  return [place, place - 1].some(
    (at) => at >= 0 && at < blocks.prefixes.length && isWithin(block, blockAt(list, at)),
  );
}

export function blockAt({ blocks: { width, firsts, prefixes } }: CidrList, at: number): Block {
  return {
    width,
    first: firsts.subarray(at * width, (at + 1) * width),
    prefix: prefixes[at] ?? width * 32,
  };
}

/** Of the first CIDR, from the given one on, that does not begin before the address. */
function placeOf({ width, firsts, prefixes }: Blocks, address: Uint32Array, from: number): number {
  let low = from;
  let high = prefixes.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(width, firsts, middle * width, address, 0) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}
