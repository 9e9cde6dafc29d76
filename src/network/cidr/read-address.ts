/**
 * Addresses from their text, with the grammar of RFC 4291 §2.2 for IPv6 and four decimal numbers for
 * IPv4. A loop over characters: `isIP` and big numbers take longer than a look-up among 50,000
 * ranges.
 */
import type { Width } from './words.ts';

const COLON = 0x3a;
const DOT = 0x2e;
const GROUPS = 8;
const groups = new Uint16Array(GROUPS);

/**
 * Reads the address in `text[start..end)` into the first words; 0 for what is none. One with leading
 * zeros in IPv4 is none, nor one with a zone.
 */
export function readAddress(
  text: string,
  start: number,
  end: number,
  words: Uint32Array,
): Width | 0 {
  // The shortest IPv6 address has its first colon within five characters.
  for (let at = start; at < end && at < start + 5; at += 1) {
    if (text.charCodeAt(at) === COLON) return readIPv6(text, start, end, words) ? 4 : 0;
  }
  const value = readIPv4(text, start, end);
  if (value < 0) return 0;
  words[0] = value;
  return 1;
}

/** -1 for what is no address. */
function readIPv4(text: string, start: number, end: number): number {
  let value = 0;
  let part = 0;
  let digits = 0;
  let dots = 0;
  for (let at = start; at < end; at += 1) {
    const code = text.charCodeAt(at);
    if (code === DOT) {
      if (digits === 0 || dots === 3) return -1;
      value = value * 256 + part;
      dots += 1;
      part = 0;
      digits = 0;
    } else {
      const digit = code - 0x30;
      if (digit < 0 || digit > 9 || (digits > 0 && part === 0)) return -1;
      part = part * 10 + digit;
      if (part > 255) return -1;
      digits += 1;
    }
  }
  return digits === 0 || dots !== 3 ? -1 : value * 256 + part;
}

function readIPv6(text: string, start: number, end: number, words: Uint32Array): boolean {
  let count = 0;
  let gap = -1;
  let at = start;
  if (text.charCodeAt(at) === COLON) {
    if (end - start < 2 || text.charCodeAt(at + 1) !== COLON) return false;
    gap = 0;
    at += 2;
  }
  while (at < end) {
    const begin = at;
    let value = 0;
    let digit = hexDigit(text.charCodeAt(at));
    while (digit >= 0) {
      value = value * 16 + digit;
      at += 1;
      if (at - begin > 4) return false;
      digit = at < end ? hexDigit(text.charCodeAt(at)) : -1;
    }
    if (at === begin || count === GROUPS) return false;
    if (at < end && text.charCodeAt(at) === DOT) {
      const tail = count > GROUPS - 2 ? -1 : readIPv4(text, begin, end);
      if (tail < 0) return false;
      groups[count] = tail >>> 16;
      groups[count + 1] = tail & 0xffff;
      count += 2;
      break;
    }
    groups[count] = value;
    count += 1;
    if (at === end) break;
    if (text.charCodeAt(at) !== COLON) return false;
    at += 1;
    if (at === end) return false;
    if (text.charCodeAt(at) === COLON) {
      if (gap >= 0) return false;
      gap = count;
      at += 1;
    }
  }
  if (gap < 0 ? count !== GROUPS : count === GROUPS) return false;
  if (gap >= 0) {
    groups.copyWithin(GROUPS - (count - gap), gap, count);
    groups.fill(0, gap, GROUPS - (count - gap));
  }
  for (let word = 0; word < 4; word += 1) {
    words[word] = (groups[word * 2] ?? 0) * 65_536 + (groups[word * 2 + 1] ?? 0);
  }
  return true;
}

/** -1 for what is none. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const lower = code | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : -1;
}
