/** The parts of a set of policies, and the blocks that each part has holes of; kept while they last. */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkPolicyPeer } from '#kube/objects.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { Direction } from '../cluster-facts.ts';
import { cidrListsOf } from './cidr-list.ts';
import type { BlockHoles } from './holes.ts';
import { partsOf, weightOfChannel } from './parts.ts';
import type { Channel, Part } from './parts.ts';
import { NAMED } from './reason-for.ts';
import type { Rule } from './rules.ts';

export interface Side {
  readonly direction: Direction;
  readonly rules: readonly Rule[];
  readonly holes: BlockHoles;
}

export interface LaidOutPart {
  /** Absent: the base, which there always is and is the first one. */
  readonly name?: string;
  /** For each rule of each side. */
  readonly peers: readonly (readonly (readonly NetworkPolicyPeer[])[])[];
  /** For each side, the first of its blocks with addresses among those that the part allows. */
  readonly blocks: readonly (readonly number[])[];
  /** The same object as long as a part other than the base is the same. */
  readonly source?: object;
  /** Which of the rules it is about. */
  readonly about?: string;
}

export interface LayoutCache {
  of(sides: readonly Side[]): readonly LaidOutPart[];
}

/** A rule is light when all its CIDRs weigh no more than this part of what a policy holds. */
const LIGHT = 1 / 32;
/** And light ones stay together in the base when all of them weigh no more than this part. */
const ALL_LIGHT = 1 / 4;
const KEPT = 256;

/**
 * Of each list of rules with many holes the last layout is kept, whatever the namespace. Where some
 * CIDRs changed, the parts that did not are the same objects as before. Rules with few holes stand
 * in the base, so that what differs from one account to the next is none of the others' business.
 */
export function createLayoutCache(most: number): LayoutCache {
  const kept = new Map<string, { holes: readonly unknown[]; layout: readonly LaidOutPart[] }>();
  return {
    of(sides) {
      const isHeavy = heavyRules(sides, most);
      const heavy = withRules(sides, (rule) => isHeavy.has(rule));
      const light = withRules(sides, (rule) => !isHeavy.has(rule));
      const [ofLight] = layOut(light, Number.POSITIVE_INFINITY);
      if (isHeavy.size === 0 && ofLight !== undefined) return [ofLight];
      const about = JSON.stringify(sides.map(({ rules }) => rules.map((one) => isHeavy.has(one))));
      return keptLayout(heavy).map((part) => {
        const other = part.name === undefined ? ofLight : undefined;
        return {
          ...part,
          ...(part.name !== undefined && { source: part, about }),
          peers: sides.map(({ rules }, side) => {
            const [theirs, own] = [part.peers[side]?.values(), other?.peers[side]?.values()];
            return rules.map((rule) => (isHeavy.has(rule) ? theirs : own)?.next().value ?? []);
          }),
          blocks: sides.map((_, side) =>
            firstOf([...(part.blocks[side] ?? []), ...(other?.blocks[side] ?? [])]),
          ),
        };
      });
    },
  };

  function keptLayout(sides: readonly Side[]): readonly LaidOutPart[] {
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
  }
}

function heavyRules(sides: readonly Side[], most: number): ReadonlySet<Rule> {
  const all = sides.flatMap((side) =>
    side.rules.map((rule) => ({ rule, weight: weightOfChannel(channelOf(rule, side)) })),
  );
  const heavy = all.filter(({ weight }) => weight > most * LIGHT);
  const weightOfLight = all
    .filter(({ weight }) => weight <= most * LIGHT)
    .reduce((sum, { weight }) => sum + weight, 0);
  return new Set((weightOfLight > most * ALL_LIGHT ? all : heavy).map(({ rule }) => rule));
}

function withRules(sides: readonly Side[], isIn: (rule: Rule) => boolean): readonly Side[] {
  return sides.map((side) => ({ ...side, rules: side.rules.filter(isIn) }));
}

function layOut(sides: readonly Side[], most: number): readonly LaidOutPart[] {
  const channels = sides.flatMap((side) => side.rules.map((rule) => channelOf(rule, side)));
  return partsOf(channels, most).map((part) => {
    const peers = part.peers.values();
    return {
      ...(part.name !== undefined && { name: part.name }),
      peers: sides.map(({ rules }) => rules.map(() => peers.next().value ?? [])),
      blocks: sides.map((side) => blocksIn(part, side)),
    };
  });
}

function channelOf(rule: Rule, { holes }: Side): Channel {
  return { allowed: cidrListsOf(rule.allowed), holes: holes.lists, weight: weightOf(rule) };
}

/** In JSON a rule is as long as two CIDRs, and so is a port. */
export function weightOf({ ports = [] }: Rule): number {
  return 2 + 2 * ports.length;
}

function blocksIn({ name, within, without }: Part, { rules, holes }: Side): readonly number[] {
  const touched = rules.filter(({ allowed }) => allowed.intersects(holes.set));
  if (touched.length === 0) return [];
  const isAll = name === undefined && without.length === 0;
  const area = isAll ? undefined : addressSet(within).minus(addressSet(without));
  const areas = touched.map(({ allowed }) => area?.intersection(allowed) ?? allowed);
  const found: number[] = [];
  for (const [index, { addresses }] of holes.blocks.entries()) {
    if (found.length > NAMED) break;
    if (areas.some((one) => one.intersects(addresses))) found.push(index);
  }
  return found;
}

function firstOf(blocks: readonly number[]): readonly number[] {
  return [...new Set(blocks)].sort((one, other) => one - other).slice(0, NAMED + 1);
}

function reuse(
  layout: readonly LaidOutPart[],
  before: readonly LaidOutPart[],
): readonly LaidOutPart[] {
  const byName = new Map(before.map((part) => [part.name, part]));
  return layout.map((part) => {
    const old = byName.get(part.name);
    return old !== undefined && isDeepStrictEqual(old, part) ? old : part;
  });
}
