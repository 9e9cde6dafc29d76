import { addressSet, blocksOfSet } from './address-set.ts';
import type { AddressSet } from './address-set.ts';
import type { Blocks } from './boundaries.ts';
import { formatCidr } from './format-cidr.ts';
import { compare, toBigInt } from './words.ts';
import type { Width } from './words.ts';

/** What a set has under one prefix. */
export interface Shard {
  /** The CIDR of the address space that the shard is about, such as `192.0.0.0/4`. */
  readonly prefix: string;
  /** Part of a DNS label, from the prefix: `v4-192-0-0-0-4`, `v6-20010db8-32`. */
  readonly name: string;
  readonly set: AddressSet;
}

/**
 * Parts of a set along fixed prefixes, each with at most `max` CIDRs: a prefix that has more is
 * halved. So a changed CIDR changes one shard, unless its number of CIDRs crosses `max`; then that
 * shard alone is halved, or melts with its other half. Shards with nothing in them are left out.
 *
 * @throws RangeError for a `max` below 1
 */
export function shardsOf(set: AddressSet, max: number): readonly Shard[] {
  if (max < 1) throw new RangeError(`shards have at least 1 CIDR, not ${max}`);
  const cidrs = set.cidrs();
  const shards: Shard[] = [];
  let before = 0;
  for (const blocks of blocksOfSet(set)) {
    const count = blocks.prefixes.length;
    halve(
      blocks,
      max,
      { from: 0, to: count, first: new Uint32Array(blocks.width), prefix: 0 },
      (part) =>
        shards.push({
          prefix: formatCidr(blocks.width, part.first, 0, part.prefix),
          name: nameOf(blocks.width, part.first, part.prefix),
          set: addressSet(cidrs.slice(before + part.from, before + part.to)),
        }),
    );
    before += count;
  }
  return shards;
}

/** Blocks by their places, and the prefix that all of them are under. */
interface Part {
  readonly from: number;
  readonly to: number;
  readonly first: Uint32Array;
  readonly prefix: number;
}

function halve(blocks: Blocks, max: number, part: Part, found: (part: Part) => void): void {
  const { from, to, first, prefix } = part;
  if (from === to) return;
  if (to - from <= max) {
    found(part);
    return;
  }
  const upper = first.slice();
  upper[prefix >>> 5] = (upper[prefix >>> 5] ?? 0) + (0x8000_0000 >>> (prefix & 31));
  const middle = placeOf(blocks, from, to, upper);
  halve(blocks, max, { from, to: middle, first, prefix: prefix + 1 }, found);
  halve(blocks, max, { from: middle, to, first: upper, prefix: prefix + 1 }, found);
}

/** Of the first block that does not begin before the address. */
function placeOf(
  { width, firsts }: Blocks,
  from: number,
  to: number,
  address: Uint32Array,
): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compare(width, firsts, middle * width, address, 0) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nameOf(width: Width, first: Uint32Array, prefix: number): string {
  if (width === 1) return `v4-${formatCidr(1, first, 0, prefix).replaceAll(/[./]/g, '-')}`;
  const digits = toBigInt(4, first, 0).toString(16).padStart(32, '0');
  return `v6-${digits.slice(0, Math.max(1, Math.ceil(prefix / 4)))}-${prefix}`;
}
