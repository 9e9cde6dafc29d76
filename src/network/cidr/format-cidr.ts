import type { Width } from './words.ts';

const COLON = 0x3a;
const DIGITS = Buffer.from('0123456789abcdef', 'latin1');
/** Strings are made of characters written here: joining pieces takes several times as long. */
const written = Buffer.alloc(8 * 5);
const OCTETS = Array.from({ length: 256 }, (_, octet) => String(octet));

/** The one canonical form; of IPv6 that of RFC 5952 §4, without IPv4 in it. */
export function formatCidr(width: Width, words: Uint32Array, at: number, prefix: number): string {
  return `${width === 1 ? formatIPv4(words[at] ?? 0) : formatIPv6(words, at)}/${prefix}`;
}

function formatIPv4(value: number): string {
  return `${OCTETS[value >>> 24]}.${OCTETS[(value >>> 16) & 255]}.${OCTETS[(value >>> 8) & 255]}.${OCTETS[value & 255]}`;
}

function formatIPv6(words: Uint32Array, at: number): string {
  let gap = 8;
  let longest = 1;
  let run = 0;
  for (let group = 0; group < 8; group += 1) {
    run = groupOf(words, at, group) === 0 ? run + 1 : 0;
    // Of runs of one length the first is the one that is shortened, and a single group never is.
    if (run > longest) {
      longest = run;
      gap = group - run + 1;
    }
  }
  let length = 0;
  for (let group = 0; group < 8; group += 1) {
    if (group > 0 || gap === 0) {
      written[length] = COLON;
      length += 1;
    }
    if (group === gap) {
      group += longest - 1;
      if (group === 7) {
        written[length] = COLON;
        length += 1;
      }
      continue;
    }
    length = writeGroup(groupOf(words, at, group), length);
  }
  return written.toString('latin1', 0, length);
}

/** Without leading zeros. Where it ends. */
function writeGroup(group: number, from: number): number {
  let length = from;
  for (
    let shift = group > 0xfff ? 12 : group > 0xff ? 8 : group > 0xf ? 4 : 0;
    shift >= 0;
    shift -= 4
  ) {
    written[length] = DIGITS[(group >>> shift) & 15] ?? 0;
    length += 1;
  }
  return length;
}

function groupOf(words: Uint32Array, at: number, group: number): number {
  const word = words[at + (group >>> 1)] ?? 0;
  return group % 2 === 0 ? word >>> 16 : word & 0xffff;
}
