/**
 * `::ffff:0:0/96` holds the IPv4 addresses written as IPv6, which are IPv4 here. So a set of IPv6
 * addresses has none of them, and what its list says there matters to nobody but who would print it:
 * Go reads `::ffff:0:0/96` as `0.0.0.0/0`. It goes with its two neighbours, so that equal sets have
 * equal lists and `::/0` is one range.
 */
import { rankOf } from './boundaries.ts';
import type { Boundaries } from './boundaries.ts';

const FIRST = Uint32Array.of(0, 0, 0xffff, 0);
const BEFORE = Uint32Array.of(0, 0, 0xfffe, 0xffff_ffff);
const BEHIND = Uint32Array.of(0, 0, 0x1_0000, 0);

export function withMappedSettled(set: Boundaries): Boundaries {
  const { width, words } = set;
  if (width === 1) return set;
  const before = rankOf(set, BEFORE, 0);
  const behind = rankOf(set, BEHIND, 0);
  if (before === behind) return set;
  const edge = before % 2 === behind % 2 ? [] : before % 2 === 1 ? FIRST : BEHIND;
  const start = words.subarray(0, before * width);
  const rest = words.subarray(behind * width);
  return { width, words: Uint32Array.of(...start, ...edge, ...rest) };
}
