/** Aligned blocks of addresses, as CIDRs stand for them. */
import { formatCidr } from '../cidr/format-cidr.ts';
import { skipBlock, toBigInt } from '../cidr/words.ts';
import type { Width } from '../cidr/words.ts';

export interface Block {
  readonly width: Width;
  readonly first: Uint32Array;
  readonly prefix: number;
}

export function wholeFamily(width: Width): Block {
  return { width, first: new Uint32Array(width), prefix: 0 };
}

/** Not for a single address. */
export function halvesOf({ width, first, prefix }: Block): readonly [Block, Block] {
  const upper = first.slice();
  skipBlock(width, upper, 0, prefix + 1);
  return [
    { width, first, prefix: prefix + 1 },
    { width, first: upper, prefix: prefix + 1 },
  ];
}

export function isSingleAddress({ width, prefix }: Block): boolean {
  return prefix === width * 32;
}

/** Whether the outer block has all of the inner one. */
export function isWithin(inner: Block, outer: Block): boolean {
  if (inner.width !== outer.width || inner.prefix < outer.prefix) return false;
  const whole = outer.prefix >>> 5;
  for (let word = 0; word < whole; word += 1) {
    if (inner.first[word] !== outer.first[word]) return false;
  }
  const bits = outer.prefix & 31;
  const differing = (inner.first[whole] ?? 0) ^ (outer.first[whole] ?? 0);
  return bits === 0 || differing >>> (32 - bits) === 0;
}

/** The canonical CIDR. */
export function textOf({ width, first, prefix }: Block): string {
  return formatCidr(width, first, 0, prefix);
}

/** Part of a DNS label; no name is the beginning of another one followed by a hyphen. */
export function nameOf({ width, first, prefix }: Block): string {
  if (width === 1) return `v4-${formatCidr(1, first, 0, prefix).replaceAll(/[./]/g, '-')}`;
  const digits = toBigInt(4, first, 0).toString(16).padStart(32, '0');
  return `v6-${digits.slice(0, Math.max(1, Math.ceil(prefix / 4)))}-${prefix}`;
}
