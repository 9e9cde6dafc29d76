/** Addresses by the letter of the RFCs and without a thought for speed, to test against. */
import fc from 'fast-check';
import type { Interval } from '../interval.ts';

type Family = Interval['family'];

export interface Block extends Interval {
  readonly prefix: number;
  /** Not canonical: IPv6 is written out in full. */
  readonly text: string;
}

export const FAMILIES: readonly Family[] = ['IPv4', 'IPv6'];

export function bitsOf(family: Family): number {
  return family === 'IPv4' ? 32 : 128;
}

export function textOf(family: Family, address: bigint): string {
  if (family === 'IPv4') {
    return [24n, 16n, 8n, 0n].map((shift) => (address >> shift) & 0xffn).join('.');
  }
  const digits = address.toString(16).padStart(32, '0');
  return (digits.match(/.{4}/g) ?? []).join(':');
}

/** The block of that size around the address. */
export function blockAround(family: Family, address: bigint, prefix: number): Block {
  const hostBits = BigInt(bitsOf(family) - prefix);
  const first = (address >> hostBits) << hostBits;
  const last = first + (1n << hostBits) - 1n;
  return { family, first, last, prefix, text: `${textOf(family, first)}/${prefix}` };
}

/** The whole of a family. */
export function wholeOf(family: Family): Block {
  return blockAround(family, 0n, 0);
}

/** IPv4 written as IPv6. */
export function isMappedAddress(family: Family, address: bigint): boolean {
  return family === 'IPv6' && address >> 32n === 0xffffn;
}

export function isIn(intervals: readonly Interval[], family: Family, address: bigint): boolean {
  return intervals.some(
    (one) => one.family === family && one.first <= address && address <= one.last,
  );
}

/** Addresses at and next to the ends of intervals: between them nothing changes. */
export function edgesOf(
  intervals: readonly Interval[],
): readonly { readonly family: Family; readonly address: bigint; readonly text: string }[] {
  const all = [...FAMILIES.map(wholeOf), ...intervals];
  return all.flatMap(({ family, first, last }) =>
    [first - 1n, first, last, last + 1n]
      .filter((address) => address >= 0n && address >> BigInt(bitsOf(family)) === 0n)
      .filter((address) => !isMappedAddress(family, address))
      .map((address) => ({ family, address, text: textOf(family, address) })),
  );
}

/** Where blocks meet often: 10.0.0.0/24 and 2001:db8::/120. */
export const SMALL_V4: Block = blockAround('IPv4', 0x0a00_0000n, 24);
export const SMALL_V6: Block = blockAround('IPv6', 0x2001_0db8n << 96n, 120);

/** A block inside one of the small ranges. */
export function smallBlocks(): fc.Arbitrary<Block> {
  return fc
    .tuple(fc.constantFrom(SMALL_V4, SMALL_V6), fc.nat(255), fc.integer({ min: 0, max: 8 }))
    .map(([small, offset, more]) =>
      blockAround(small.family, small.first + BigInt(offset), small.prefix + more),
    );
}

const CORNERS: readonly (readonly [Family, bigint])[] = [
  ['IPv4', 0n],
  ['IPv4', 0x0a00_0000n],
  ['IPv4', 0x7fff_ffffn],
  ['IPv4', 0x8000_0000n],
  ['IPv4', 0xffff_ffffn],
  ['IPv6', 0n],
  ['IPv6', 0xfffe_ffff_ffffn],
  ['IPv6', 0x1_0000_0000_0000n],
  ['IPv6', 0x2001_0db8n << 96n],
  ['IPv6', (1n << 96n) - 1n],
  ['IPv6', 1n << 127n],
  ['IPv6', (1n << 128n) - 1n],
];

/** Blocks of every size, mostly around the same few addresses, so that they meet. */
export function anyBlocks(): fc.Arbitrary<Block> {
  const corners = fc
    .tuple(fc.constantFrom(...CORNERS), fc.nat(128))
    .map(([[family, address], length]) =>
      blockAround(family, address, length % (bitsOf(family) + 1)),
    );
  const anywhere = fc
    .tuple(
      fc.constantFrom(...FAMILIES),
      fc.bigInt({ min: 0n, max: (1n << 128n) - 1n }),
      fc.nat(128),
    )
    .map(([family, address, length]) =>
      blockAround(family, address >> BigInt(128 - bitsOf(family)), length % (bitsOf(family) + 1)),
    );
  // Next to ::ffff:0:0/96, which is IPv4.
  const besideMapped = fc
    .tuple(
      fc.constantFrom(0xfffe_ffff_ffffn, 0x1_0000_0000_0000n),
      fc.integer({ min: 90, max: 128 }),
    )
    .map(([address, prefix]) => blockAround('IPv6', address, prefix));
  return fc
    .oneof(
      { weight: 4, arbitrary: smallBlocks() },
      { weight: 4, arbitrary: corners },
      besideMapped,
      anywhere,
    )
    .filter(({ family, first, prefix }) => !(prefix >= 96 && isMappedAddress(family, first)));
}

/** The fewest blocks of `within` whose addresses are all members, by halving. */
export function fewestBlocks(
  within: Block,
  isMember: (address: bigint) => boolean,
): readonly string[] {
  const { family, first, last, prefix, text } = within;
  let members = 0n;
  for (let address = first; address <= last; address += 1n) if (isMember(address)) members += 1n;
  if (members === 0n) return [];
  if (members === last - first + 1n) return [text];
  return [first, last].flatMap((half) =>
    fewestBlocks(blockAround(family, half, prefix + 1), isMember),
  );
}
