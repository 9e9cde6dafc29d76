/** Addresses and ranges of them. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is IPv4. */
import { isIP } from 'node:net';

/** In words of 32 bits, the first of them alone for IPv4: comparing big numbers would allocate. */
interface Address {
  readonly bits: 32 | 128;
  readonly words: readonly [number, number, number, number];
}

export interface CompiledRange {
  contains(address: Address): boolean;
}

const MAPPED = 0xffffn;
/** A request is judged against many policies in a row. */
let latest: { readonly text: string; readonly address: Address | undefined } | undefined;

/** Undefined for what is no address, and for one with a zone, which names no place in a network. */
export function parseAddress(text: string): Address | undefined {
  if (latest?.text !== text) latest = { text, address: read(text) };
  return latest.address;
}

/** Undefined for what is no range. Bits behind the prefix do not count. */
export function compileRange(text: string): CompiledRange | undefined {
  const [, network = '', digits = ''] = /^(.+)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  const address = read(network);
  if (address === undefined) return undefined;
  // Of a mapped network the first 96 bits are those that make it mapped.
  const isMapped = address.bits === 32 && isIP(network) === 6;
  const prefix = Number(digits) - (isMapped ? 96 : 0);
  if (prefix < 0 || prefix > address.bits) return undefined;
  const { bits, words } = address;
  const [a, b, c, d] = words;
  const [maskA, maskB, maskC, maskD] = [0, 32, 64, 96].map((start) => maskOf(prefix - start));
  return {
    contains: (other) =>
      other.bits === bits &&
      ((other.words[0] ^ a) & (maskA ?? 0)) === 0 &&
      ((other.words[1] ^ b) & (maskB ?? 0)) === 0 &&
      ((other.words[2] ^ c) & (maskC ?? 0)) === 0 &&
      ((other.words[3] ^ d) & (maskD ?? 0)) === 0,
  };
}

/** Of a word of whose bits so many count; shifting by 32 would not shift at all. */
function maskOf(count: number): number {
  return count <= 0 ? 0 : count >= 32 ? -1 : -1 << (32 - count);
}

function read(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  const value = family === 4 ? (MAPPED << 32n) | readIPv4(text) : readIPv6(text);
  if (value >> 32n === MAPPED) return { bits: 32, words: [wordOf(value), 0, 0, 0] };
  const [a, b, c] = [wordOf(value >> 96n), wordOf(value >> 64n), wordOf(value >> 32n)];
  return { bits: 128, words: [a, b, c, wordOf(value)] };
}

function wordOf(value: bigint): number {
  return Number(BigInt.asIntN(32, value));
}

function readIPv4(text: string): bigint {
  return BigInt(text.split('.').reduce((value, part) => value * 256 + Number(part), 0));
}

/** Of a text that is an IPv6 address. */
function readIPv6(text: string): bigint {
  const [head = '', tail = ''] = text.split('::');
  const before = groupsOf(head);
  const after = groupsOf(tail);
  const zeros = Array<bigint>(8 - before.length - after.length).fill(0n);
  return [...before, ...zeros, ...after].reduce((value, group) => (value << 16n) | group, 0n);
}

/** An IPv4 address at the end stands for two groups. */
function groupsOf(text: string): readonly bigint[] {
  return text
    .split(':')
    .filter((group) => group !== '')
    .flatMap((group) => {
      if (!group.includes('.')) return [BigInt(`0x${group}`)];
      const value = readIPv4(group);
      return [value >> 16n, value & 0xffffn];
    });
}
