/**
 * Sets of addresses of one family as inversion lists: the sorted addresses at which membership
 * changes, the first of them being the first member. A list of odd length goes on to the last
 * address. Every operation is one walk along two lists, and neighbours melt together by themselves.
 */
import {
  compare,
  createWordList,
  differingBits,
  isMapped,
  isZero,
  skipBlock,
  trailingOnes,
  trailingZeros,
} from './words.ts';
import type { Width } from './words.ts';

export interface Boundaries {
  readonly width: Width;
  readonly words: Uint32Array;
}

const MOST_PLACES = 2 ** 21;

/** Truth tables: bit `2 × in a + in b` tells whether the result has it. */
export const UNION = 0b1110;
export const INTERSECTION = 0b1000;
export const MINUS = 0b0100;
export type Operation = typeof UNION | typeof INTERSECTION | typeof MINUS;

/** Aligned blocks of addresses, which CIDRs are. */
export interface Blocks {
  readonly width: Width;
  readonly firsts: Uint32Array;
  readonly prefixes: Uint8Array;
}

/** How many boundaries are at or before the address; it is a member where that is odd. */
export function rankOf({ width, words }: Boundaries, address: Uint32Array, at: number): number {
  return search(width, words, 0, address, at, true);
}

/**
 * The set of intervals in any order, overlapping or not. Each goes from its first address up to, and
 * without, its end; an end of zero is behind the last address.
 */
export function sweep(width: Width, firsts: Uint32Array, ends: Uint32Array): Boundaries {
  const out = new Uint32Array(firsts.length * 2);
  let used = 0;
  for (const from of inOrder(width, firsts)) {
    if (used > 0 && compare(width, firsts, from, out, used - width) <= 0) {
      const isLast = isZero(width, ends, from);
      if (isLast) used -= width;
      else if (compare(width, ends, from, out, used - width) > 0)
        copy(width, ends, from, out, used - width);
      if (isLast) break;
      continue;
    }
    copy(width, firsts, from, out, used);
    used += width;
    if (isZero(width, ends, from)) break;
    copy(width, ends, from, out, used);
    used += width;
  }
  return { width, words: out.slice(0, used) };
}

/**
 * Where one set alone decides, the boundaries of the other are jumped over by binary search: few
 * addresses meet 50,000 in no time. With `firstOnly` it ends at the first member found.
 */
export function combine(
  operation: Operation,
  a: Boundaries,
  b: Boundaries,
  firstOnly = false,
): Boundaries {
  const { width } = a;
  const endA = a.words.length;
  const endB = b.words.length;
  const out = createWordList(width, firstOnly ? 1 : Math.min(endA, endB) / width + 4);
  let i = 0;
  let j = 0;
  let isMember = false;
  while (i < endA || j < endB) {
    if (!mattersB(operation, parity(width, i))) j = jump(width, b.words, j, a.words, i);
    else if (!mattersA(operation, parity(width, j))) i = jump(width, a.words, i, b.words, j);
    if (i === endA && j === endB) break;
    const order = orderOf(width, a.words, i, b.words, j);
    const words = order <= 0 ? a.words : b.words;
    const at = order <= 0 ? i : j;
    if (order <= 0) i += width;
    if (order >= 0) j += width;
    const isNow = holds(operation, parity(width, i), parity(width, j));
    if (isNow === isMember) continue;
    isMember = isNow;
    out.push(words, at);
    if (firstOnly) break;
  }
  return { width, words: out.words() };
}

/**
 * The fewest aligned blocks that make up the set. From the first address of an interval the largest
 * one that begins there and does not reach beyond the interval, and so on. A block of IPv4 written
 * as IPv6 is left out (see mapped.ts).
 */
export function blocksOf({ width, words }: Boundaries): Blocks {
  const bits = width * 32;
  const firsts = createWordList(width, words.length / width);
  const prefixes: number[] = [];
  const first = new Uint32Array(width);
  const end = new Uint32Array(width);
  const last = new Uint32Array(width);
  for (let at = 0; at < words.length; at += 2 * width) {
    copy(width, words, at, first, 0);
    if (at + width < words.length) copy(width, words, at + width, end, 0);
    else end.fill(0);
    copy(width, end, 0, last, 0);
    decrement(width, last);
    do {
      const prefix = bits - largestBlock(width, first, last);
      if (width === 1 || prefix < 96 || !isMapped(first)) {
        firsts.push(first, 0);
        prefixes.push(prefix);
      }
      skipBlock(width, first, 0, prefix);
    } while (compare(width, first, 0, end, 0) !== 0);
  }
  return { width, firsts: firsts.words(), prefixes: Uint8Array.from(prefixes) };
}

/** Bits of the largest block that begins at `first` and does not reach beyond `last`. */
function largestBlock(width: Width, first: Uint32Array, last: Uint32Array): number {
  const differing = differingBits(width, first, last);
  const aligned = trailingZeros(width, first, 0);
  if (aligned < differing) return aligned;
  return trailingOnes(width, last, 0) >= differing ? differing : differing - 1;
}

/**
 * Places of the addresses in ascending order. Numbers of 53 bits, the first word and the place, are
 * sorted by the engine many times faster than by a function; what has the same first word is then
 * put right by one.
 */
function inOrder(width: Width, firsts: Uint32Array): Uint32Array {
  const count = firsts.length / width;
  const order = new Uint32Array(count);
  const byAddress = (a: number, b: number): number => compare(width, firsts, a, firsts, b);
  if (count > MOST_PLACES) return order.map((_, index) => index * width).sort(byAddress);
  const keys = new Float64Array(count);
  for (let index = 0; index < count; index += 1) {
    keys[index] = (firsts[index * width] ?? 0) * MOST_PLACES + index;
  }
  keys.sort();
  for (let index = 0; index < count; index += 1) {
    order[index] = ((keys[index] ?? 0) % MOST_PLACES) * width;
  }
  if (width === 1) return order;
  for (let from = 0, to = 1; from < count; from = to, to += 1) {
    const first = firsts[order[from] ?? 0];
    while (to < count && firsts[order[to] ?? 0] === first) to += 1;
    if (to - from > 1) order.subarray(from, to).sort(byAddress);
  }
  return order;
}

/** Whether so many boundaries have been passed that one is inside: 1, or 0. */
function parity(width: Width, at: number): number {
  return width === 1 ? at & 1 : (at >>> 2) & 1;
}

function mattersA(operation: Operation, inB: number): boolean {
  return holds(operation, 0, inB) !== holds(operation, 1, inB);
}

function mattersB(operation: Operation, inA: number): boolean {
  return holds(operation, inA, 0) !== holds(operation, inA, 1);
}

function holds(operation: Operation, inA: number, inB: number): boolean {
  return ((operation >>> (2 * inA + inB)) & 1) === 1;
}

/** The first place from `at` on whose address is not before the other list's next, or the end. */
function jump(
  width: Width,
  words: Uint32Array,
  at: number,
  other: Uint32Array,
  ot: number,
): number {
  if (ot === other.length) return words.length;
  if (at === words.length || compare(width, words, at, other, ot) >= 0) return at;
  return search(width, words, at / width, other, ot, false) * width;
}

/** Of the next boundaries of two lists, of which one at least has one. */
function orderOf(width: Width, a: Uint32Array, i: number, b: Uint32Array, j: number): number {
  if (i === a.length) return 1;
  if (j === b.length) return -1;
  return compare(width, a, i, b, j);
}

/** How many addresses are before the given one (or equal to it, with `orEqual`), of those from `from`. */
function search(
  width: Width,
  words: Uint32Array,
  from: number,
  address: Uint32Array,
  at: number,
  orEqual: boolean,
): number {
  let low = from;
  let high = words.length / width;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const order = compare(width, words, middle * width, address, at);
    if (order < 0 || (orEqual && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function copy(width: Width, from: Uint32Array, at: number, to: Uint32Array, tt: number): void {
  for (let word = 0; word < width; word += 1) to[tt + word] = from[at + word] ?? 0;
}

/** From zero to the last address. */
function decrement(width: Width, words: Uint32Array): void {
  for (let word = width - 1; word >= 0; word -= 1) {
    const before = words[word] ?? 0;
    words[word] = before - 1;
    if (before !== 0) return;
  }
}
