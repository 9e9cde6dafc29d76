/** Addresses and ranges of them. An IPv4 address written as IPv6 (`::ffff:10.0.0.1`) is IPv4. */
import { isIP } from 'node:net';

interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
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
  const shift = BigInt(address.bits - prefix);
  const start = address.value >> shift;
  return { contains: ({ bits, value }) => bits === address.bits && value >> shift === start };
}

function read(text: string): Address | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  if (family === 4) return { bits: 32, value: readIPv4(text) };
  const value = readIPv6(text);
  return value >> 32n === MAPPED ? { bits: 32, value: value & 0xffff_ffffn } : { bits: 128, value };
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
