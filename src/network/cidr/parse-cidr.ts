import { formatCidr } from './format-cidr.ts';
import type { Interval } from './interval.ts';
import { readAddress } from './read-address.ts';
import { fromBigInt, isMapped, skipBlock, toBigInt, trailingZeros } from './words.ts';
import type { Width } from './words.ts';

/** A CIDR or a single address. On a fault: what is wrong, and where it can be told what was meant. */
export type ParsedCidr =
  | {
      readonly ok: true;
      /** Canonical: RFC 5952 for IPv6, always with a prefix. */
      readonly cidr: string;
      readonly interval: Interval;
    }
  | {
      readonly ok: false;
      /** Goes behind what was written, which it does not repeat: "… has leading zeros". */
      readonly fault: string;
      /** Canonical. */
      readonly corrected?: string;
    };

/** A block of addresses as numbers; written anew by each `readCidr`. */
export interface CidrWords {
  readonly words: Uint32Array;
  width: Width;
  prefix: number;
}

export function createCidrWords(): CidrWords {
  return { words: new Uint32Array(4), width: 1, prefix: 0 };
}

const SLASH = 0x2f;
const scratch = createCidrWords();

/**
 * Reads a CIDR or an address. IPv6 may have any of the forms of RFC 4291 §2.2. Refused, because
 * programs disagree on what they mean or because someone did not mean what was written: host bits
 * (`10.0.0.1/8`), leading zeros (`010.0.0.1`, which is octal to some), zones, IPv4 written as IPv6,
 * netmasks, and spaces around.
 */
export function parseCidr(text: string): ParsedCidr {
  if (readCidr(text, scratch)) return { ok: true, ...found(scratch) };
  const [fault, meant] = explain(text);
  if (meant === undefined) return { ok: false, fault };
  return { ok: false, fault, corrected: found(meant).cidr };
}

/** `parseCidr` for many: whether it was one, and nothing about what is wrong. */
export function readCidr(text: string, into: CidrWords): boolean {
  const slash = slashOf(text);
  const width = readAddress(text, 0, slash < 0 ? text.length : slash, into.words);
  if (width === 0 || (width === 4 && isMapped(into.words))) return false;
  const prefix = slash < 0 ? width * 32 : readPrefix(text, slash + 1);
  if (prefix < 0 || prefix > width * 32) return false;
  into.width = width;
  into.prefix = prefix;
  return trailingZeros(width, into.words, 0) >= width * 32 - prefix;
}

/** From the end: the prefix is short. */
function slashOf(text: string): number {
  for (let at = text.length - 1; at >= 0 && at >= text.length - 4; at -= 1) {
    if (text.charCodeAt(at) === SLASH) return at;
  }
  return -1;
}

/** -1 for what is none; at most three digits. */
function readPrefix(text: string, start: number): number {
  const digits = text.length - start;
  if (digits === 0 || digits > 3) return -1;
  let value = 0;
  for (let at = start; at < text.length; at += 1) {
    const digit = text.charCodeAt(at) - 0x30;
    if (digit < 0 || digit > 9 || (digit === 0 && at === start && digits > 1)) return -1;
    value = value * 10 + digit;
  }
  return value;
}

function found({ width, words, prefix }: CidrWords): {
  readonly cidr: string;
  readonly interval: Interval;
} {
  const end = words.slice(0, width);
  skipBlock(width, end, 0, prefix);
  const behind = toBigInt(width, end, 0);
  return {
    cidr: formatCidr(width, words, 0, prefix),
    interval: {
      family: width === 1 ? 'IPv4' : 'IPv6',
      first: toBigInt(width, words, 0),
      last: (behind === 0n ? 1n << BigInt(width * 32) : behind) - 1n,
    },
  };
}

/** What no address is longer than: IPv6 with IPv4 at its end, a zone, and a netmask. */
const LONGEST = 120;
const NO_ADDRESS = 'is neither an address nor a CIDR such as 10.20.0.0/16 or 2001:db8::/32';
const LEADING_ZEROS = 'has leading zeros, which some programs take for octal';

/** What is wrong with a text, the first fault of several; and what was meant, with all put right. */
function explain(text: string): readonly [fault: string, meant?: CidrWords] {
  if (text.length > LONGEST) return [NO_ADDRESS];
  const faults: string[] = [];
  const trimmed = text.trim();
  if (trimmed !== text) faults.push('has spaces around it');
  const slash = trimmed.indexOf('/');
  const [address = '', zone] = (slash < 0 ? trimmed : trimmed.slice(0, slash)).split('%');
  if (zone !== undefined) faults.push('has a zone, which means something on one machine alone');
  const plain = withoutZeros(address);
  if (plain !== address) faults.push(LEADING_ZEROS);
  const meant = createCidrWords();
  const width = readAddress(plain, 0, plain.length, meant.words);
  if (width === 0) return [NO_ADDRESS];
  const bits = width * 32;
  const written = slash < 0 ? String(bits) : trimmed.slice(slash + 1);
  const prefix = prefixOf(written, width);
  if (prefix === undefined) return ['has no number of bits or such behind the slash'];
  if (prefix > bits) return [`has a prefix longer than the ${bits} bits of its family`];
  if (written.includes('.')) faults.push('has a netmask where a number of bits belongs');
  else if (String(prefix) !== written) faults.push('has leading zeros in its prefix');
  meant.width = width;
  meant.prefix = prefix;
  if (trailingZeros(width, meant.words, 0) < bits - prefix) {
    faults.push('has bits set behind its prefix');
    clearHostBits(meant);
  }
  if (width === 4 && isMapped(meant.words)) {
    faults.push('is IPv4 written as IPv6');
    meant.width = 1;
    meant.prefix = prefix - 96;
    meant.words[0] = meant.words[3] ?? 0;
  }
  return [faults[0] ?? NO_ADDRESS, meant];
}

/** Without the leading zeros of decimal numbers; in groups of IPv6 up to four digits are as usual. */
function withoutZeros(address: string): string {
  const start = address.lastIndexOf(':') + 1;
  const tail = address.slice(start);
  if (!tail.includes('.')) return address;
  return address.slice(0, start) + tail.replaceAll(/(?<![0-9])0+(?=[0-9])/g, '');
}

/** Also of a netmask such as 255.255.0.0. */
function prefixOf(written: string, width: Width): number | undefined {
  if (/^[0-9]{1,9}$/.test(written)) return Number(written);
  const mask = new Uint32Array(4);
  if (width === 4 || readAddress(written, 0, written.length, mask) !== 1) return undefined;
  const zeros = trailingZeros(1, mask, 0);
  return zeros === 32 - Math.clz32(~(mask[0] ?? 0)) ? 32 - zeros : undefined;
}

function clearHostBits({ width, words, prefix }: CidrWords): void {
  const hostBits = BigInt(width * 32 - prefix);
  fromBigInt(width, (toBigInt(width, words, 0) >> hostBits) << hostBits, words, 0);
}
