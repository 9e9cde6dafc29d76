/**
 * `::ffff:0:0/96` holds the IPv4 addresses written as IPv6, which are IPv4 here. So a set of IPv6
 * addresses has none of them, and what its list says there matters to nobody but who would print it:
 * Go reads `::ffff:0:0/96` as `0.0.0.0/0`. It goes with the address before it, so that equal sets
 * have equal lists, and each CIDR that contains it remains one: all of them have that address too.
 */
import { rankOf } from './boundaries.ts';
import type { Boundaries } from './boundaries.ts';

const NOWHERE = new Uint32Array(0);
const BEFORE = Uint32Array.of(0, 0, 0xfffe, 0xffff_ffff);
const BEHIND = Uint32Array.of(0, 0, 0x1_0000, 0);

export function withMappedSettled(set: Boundaries): Boundaries {
  const { width, words } = set;
  if (width === 1) return set;
  const before = rankOf(set, BEFORE, 0);
  const behind = rankOf(set, BEHIND, 0);
  if (before === behind) return set;
  const edge = before % 2 === behind % 2 ? NOWHERE : BEHIND;
  const settled = new Uint32Array(words.length - (behind - before) * width + edge.length);
  settled.set(words.subarray(0, before * width));
  settled.set(edge, before * width);
  settled.set(words.subarray(behind * width), before * width + edge.length);
  return { width, words: settled };
}
