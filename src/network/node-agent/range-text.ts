/** Ranges of addresses in the notation that nft and people read. */
import { formatCidr } from '../cidr/format-cidr.ts';
import type { Interval } from '../cidr/interval.ts';
import { readAddress } from '../cidr/read-address.ts';
import { fromBigInt, toBigInt } from '../cidr/words.ts';

const words = new Uint32Array(4);

/** One text for a range: `192.0.2.7`, `192.0.2.0/24` or `192.0.2.3-192.0.2.9`. */
export function formatRange({ family, first, last }: Interval): string {
  if (first === last) return formatAddress(family, first);
  const bits = family === 'IPv4' ? blockBits(Number(first), Number(last)) : wideBits(first, last);
  return bits === undefined
    ? `${formatAddress(family, first)}-${formatAddress(family, last)}`
    : `${formatAddress(family, first)}/${(family === 'IPv4' ? 32 : 128) - bits}`;
}

/** How many bits of the address the block leaves open; undefined for a range that is none. */
function blockBits(first: number, last: number): number | undefined {
  const bits = Math.log2(last - first + 1);
  return Number.isInteger(bits) && first % 2 ** bits === 0 ? bits : undefined;
}

function wideBits(first: bigint, last: bigint): number | undefined {
  const size = last - first + 1n;
  if ((size & (size - 1n)) !== 0n || (first & (size - 1n)) !== 0n) return undefined;
  return size.toString(2).length - 1;
}

function formatAddress(family: Interval['family'], address: bigint): string {
  const width = family === 'IPv4' ? 1 : 4;
  fromBigInt(width, address, words, 0);
  const text = formatCidr(width, words, 0, 0);
  return text.slice(0, text.lastIndexOf('/'));
}

/** The reverse of {@link formatRange}, for text of any origin; undefined for what is no range. */
export function parseRange(text: string): Interval | undefined {
  const slash = text.indexOf('/');
  if (slash !== -1) return parseBlock(text, slash);
  const dash = text.indexOf('-');
  const first = parseAddress(text, 0, dash === -1 ? text.length : dash);
  if (first === undefined || dash === -1) return first;
  const last = parseAddress(text, dash + 1, text.length);
  if (last === undefined || last.family !== first.family || last.last < first.first) {
    return undefined;
  }
  return { family: first.family, first: first.first, last: last.last };
}

function parseBlock(text: string, slash: number): Interval | undefined {
  const address = parseAddress(text, 0, slash);
  const digits = text.slice(slash + 1);
  if (address === undefined || !/^(0|[1-9]\d{0,2})$/.test(digits)) return undefined;
  const bits = (address.family === 'IPv4' ? 32 : 128) - Number(digits);
  if (bits < 0) return undefined;
  const mask = (1n << BigInt(bits)) - 1n;
  if ((address.first & mask) !== 0n) return undefined;
  return { family: address.family, first: address.first, last: address.first | mask };
}

function parseAddress(text: string, start: number, end: number): Interval | undefined {
  const width = readAddress(text, start, end, words);
  if (width === 0) return undefined;
  const address = toBigInt(width, words, 0);
  return { family: width === 1 ? 'IPv4' : 'IPv6', first: address, last: address };
}
