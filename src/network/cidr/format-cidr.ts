import type { Width } from './words.ts';

/** Filled as groups are met. */
const HEX = Array<string | undefined>(65_536).fill(undefined);
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
  if (gap === 8) return formatGroups(words, at, 0, 8);
  return `${formatGroups(words, at, 0, gap)}::${formatGroups(words, at, gap + longest, 8)}`;
}

function formatGroups(words: Uint32Array, at: number, from: number, to: number): string {
  let text = '';
  for (let group = from; group < to; group += 1) {
    text += `${group === from ? '' : ':'}${hexOf(groupOf(words, at, group))}`;
  }
  return text;
}

function hexOf(group: number): string {
  return (HEX[group] ??= group.toString(16));
}

function groupOf(words: Uint32Array, at: number, group: number): number {
  const word = words[at + (group >>> 1)] ?? 0;
  return group % 2 === 0 ? word >>> 16 : word & 0xffff;
}
