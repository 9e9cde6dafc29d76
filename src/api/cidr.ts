/** Ranges of addresses as the API server's CEL writes them, so that each has one spelling alone. */
import { isIPv4, isIPv6 } from 'node:net';

const PREFIX = /^(.+)\/(0|[1-9][0-9]{0,2})$/;

/**
 * Whether `text` is a range in its one canonical form: no host bits (`10.20.0.1/16`), IPv6 in lower
 * case and as short as can be, no IPv4 in IPv6.
 */
export function isCanonicalCidr(text: string): boolean {
  const [, address = '', digits = ''] = PREFIX.exec(text) ?? [];
  const length = Number(digits);
  if (isIPv4(address)) {
    return length <= 32 && hasNoHostBits(address.split('.').map(Number), 8, length);
  }
  return isCanonicalIPv6(address) && length <= 128 && hasNoHostBits(groupsOf(address), 16, length);
}

/** Whether `text` is a single address in its one canonical form. */
export function isCanonicalAddress(text: string): boolean {
  return isIPv4(text) || isCanonicalIPv6(text);
}

/** Not one of IPv4 in IPv6. */
function isCanonicalIPv6(address: string): boolean {
  if (!isIPv6(address) || canonicalIPv6(address) !== address) return false;
  const groups = groupsOf(address);
  return !(groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff);
}

/** As URLs write it, which is the form of RFC 5952; empty for one with a zone. */
function canonicalIPv6(address: string): string {
  return URL.parse(`http://[${address}]/`)?.hostname.slice(1, -1) ?? '';
}

/** The eight numbers of a canonical IPv6 address. */
function groupsOf(address: string): readonly number[] {
  const [head = [], tail] = address.split('::').map((part) => part.split(':').filter(Boolean));
  const before = head.map(hex);
  if (tail === undefined) return before;
  const after = tail.map(hex);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}

function hex(group: string): number {
  return Number.parseInt(group, 16);
}

function hasNoHostBits(parts: readonly number[], width: number, length: number): boolean {
  return parts.every((part, index) => {
    const network = Math.min(Math.max(length - index * width, 0), width);
    return part % 2 ** (width - network) === 0;
  });
}
