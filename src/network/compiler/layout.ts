/** The parts of a set of policies, and the blocks that each part has holes of; kept while they last. */
import { isDeepStrictEqual } from 'node:util';
import { addressSet } from '../cidr/address-set.ts';
import type { Direction } from '../cluster-facts.ts';
import { cidrListsOf } from './cidr-list.ts';
import type { BlockHoles } from './holes.ts';
import { partsOf } from './parts.ts';
import type { Part } from './parts.ts';
import { NAMED } from './reason-for.ts';
import type { Rule } from './rules.ts';

export interface Side {
  readonly direction: Direction;
  readonly rules: readonly Rule[];
  readonly holes: BlockHoles;
}

export interface LaidOutPart extends Part {
  /** For each side, the first of its blocks with addresses among those that the part allows. */
  readonly blocks: readonly (readonly number[])[];
}

export interface LayoutCache {
  of(sides: readonly Side[]): readonly LaidOutPart[];
}

/** Below so many CIDRs of blocks it costs as much to find a layout as to make it. */
const WORTH_KEEPING = 256;
const KEPT = 256;

/**
 * Of each list of rules the last layout is kept, whatever the namespace. Where some CIDRs changed,
 * the parts that did not are the same objects as before.
 */
export function createLayoutCache(most: number): LayoutCache {
  const kept = new Map<string, { holes: readonly unknown[]; layout: readonly LaidOutPart[] }>();
  return {
    of(sides) {
      const size = sides.reduce(
        (sum, { holes }) => sum + holes.lists[1].texts.length + holes.lists[4].texts.length,
        0,
      );
      if (size < WORTH_KEEPING) return layOut(sides, most);
      const key = JSON.stringify(
        sides.map(({ direction, rules }) => [
          direction,
          rules.map((rule) => [weightOf(rule), rule.allowed.cidrs()]),
        ]),
      );
      const holes = sides.map((side) => side.holes.lists);
      const before = kept.get(key);
      kept.delete(key);
      const isSame = before?.holes.every((one, index) => one === holes[index]) === true;
      const layout = isSame ? before.layout : reuse(layOut(sides, most), before?.layout ?? []);
      kept.set(key, { holes, layout });
      for (const oldest of kept.keys().take(Math.max(0, kept.size - KEPT))) kept.delete(oldest);
      return layout;
    },
  };
}

function layOut(sides: readonly Side[], most: number): readonly LaidOutPart[] {
  const channels = sides.flatMap(({ rules, holes }) =>
    rules.map((rule) => ({
      allowed: cidrListsOf(rule.allowed),
      holes: holes.lists,
      weight: weightOf(rule),
    })),
  );
  return partsOf(channels, most).map((part) => ({
    ...part,
    blocks: sides.map((side) => blocksIn(part, side)),
  }));
}

/** In JSON a rule is as long as two CIDRs, and so is a port. */
export function weightOf({ ports = [] }: Rule): number {
  return 2 + 2 * ports.length;
}

function blocksIn({ within, without }: Part, { rules, holes }: Side): readonly number[] {
  const touched = rules.filter(({ allowed }) => allowed.intersects(holes.set));
  if (touched.length === 0) return [];
  const area = addressSet(within).minus(addressSet(without));
  const areas = touched.map(({ allowed }) => allowed.intersection(area));
  const found: number[] = [];
  for (const [index, { addresses }] of holes.blocks.entries()) {
    if (found.length > NAMED) break;
    if (areas.some((one) => one.intersects(addresses))) found.push(index);
  }
  return found;
}

function reuse(
  layout: readonly LaidOutPart[],
  before: readonly LaidOutPart[],
): readonly LaidOutPart[] {
  const byName = new Map(before.map((part) => [part.name, part]));
  return layout.map((part) => {
    const old = byName.get(part.name);
    return old !== undefined && isDeepStrictEqual(old.peers, part.peers)
      ? { ...part, peers: old.peers }
      : part;
  });
}
