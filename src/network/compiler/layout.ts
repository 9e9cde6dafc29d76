/** The parts of a set of policies, and the blocks that each part has holes of; kept while they last. */
import { isDeepStrictEqual } from 'node:util';
import type { NetworkPolicyPeer } from '#kube/objects.ts';
import { addressSet } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction } from '../cluster-facts.ts';
import { cidrListsOf } from './cidr-list.ts';
import { byText } from './conjunction.ts';
import type { BlockHoles } from './holes.ts';
import { partsOf, weightOfChannel } from './parts.ts';
import type { Channel, Part } from './parts.ts';
import { NAMED } from './reason-for.ts';
import type { Rule } from './rules.ts';

export interface RulesOfSide {
  readonly direction: Direction;
  readonly rules: readonly Rule[];
}

export interface Side extends RulesOfSide {
  readonly holes: BlockHoles;
}

/** Addresses for each rule of each side. */
export type PeersOfRules = readonly (readonly (readonly NetworkPolicyPeer[])[])[];

export interface LaidOutPart {
  /** Absent: the base, which there always is and is the first one. */
  readonly name?: string;
  readonly peers: PeersOfRules;
  /** Names of the first blocks with addresses among those that the part allows; sorted. */
  readonly blocks: readonly string[];
}

export interface Layout {
  readonly weights: ReadonlyMap<Rule, number>;
  readonly isHeavy: ReadonlySet<Rule>;
  /** Of the heavy rules, the base first; empty without them. The same objects while they are the same. */
  readonly heavy: readonly LaidOutPart[];
  /** Of all other rules, for the base. */
  readonly light: LaidOutPart;
}

export type Changed = Readonly<Record<Direction, AddressSet>>;

export interface LayoutCache {
  /**
   * @param before the layout of the same rules
   * @param changed addresses that blocks had then and have not now, or the other way round
   */
  of(sides: readonly Side[], before?: Layout, changed?: Changed): Layout;
}

/** Addresses for all the rules. */
export function peersOfRules(
  sides: readonly RulesOfSide[],
  isHeavy: ReadonlySet<Rule>,
  heavy: LaidOutPart | undefined,
  light?: LaidOutPart,
): PeersOfRules {
  return sides.map(({ rules }, side) => {
    const [theirs, own] = [heavy?.peers[side]?.values(), light?.peers[side]?.values()];
    return rules.map((rule) => (isHeavy.has(rule) ? theirs : own)?.next().value ?? []);
  });
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
  const kept = new Map<string, { holes: readonly BlockHoles[]; layout: readonly LaidOutPart[] }>();
  return {
    of(sides, before, changed) {
      const isTouched = ({ allowed }: Rule, { direction }: Side): boolean => {
        if (changed === undefined) return true;
        if (allowed.isEmpty || changed[direction].isEmpty) return false;
        return allowed.intersects(changed[direction]);
      };
      const touched = new Set(
        sides.flatMap((side) => side.rules.filter((rule) => isTouched(rule, side))),
      );
      if (before !== undefined && touched.size === 0) return before;
      const weights = new Map(
        sides.flatMap((side) =>
          side.rules.map((rule) => {
            const known = touched.has(rule) ? undefined : before?.weights.get(rule);
            return [rule, known ?? weightOfChannel(channelOf(rule, side))] as const;
          }),
        ),
      );
      const isHeavy = heavyRules(weights, most);
      const isSameLight =
        before !== undefined &&
        weights.keys().every((rule) => {
          const wasHeavy = before.isHeavy.has(rule);
          return isHeavy.has(rule) ? wasHeavy : !wasHeavy && !touched.has(rule);
        });
      return {
        weights,
        isHeavy,
        heavy: isHeavy.size === 0 ? [] : keptLayout(withRules(sides, (rule) => isHeavy.has(rule))),
        light: isSameLight
          ? before.light
          : lightPart(withRules(sides, (rule) => !isHeavy.has(rule))),
      };
    },
  };

  function keptLayout(sides: readonly Side[]): readonly LaidOutPart[] {
    const key = JSON.stringify(
      sides.map(({ direction, rules }) => [
        direction,
        rules.map((rule) => [weightOf(rule), rule.allowed.cidrs()]),
      ]),
    );
    const holes = sides.map((side) => side.holes);
    const before = kept.get(key);
    kept.delete(key);
    const isSame = before?.holes.every((one, index) => one === holes[index]) === true;
    const layout = isSame ? before.layout : reuse(layOut(sides, most), before?.layout ?? []);
    kept.set(key, { holes, layout });
    for (const oldest of kept.keys().take(Math.max(0, kept.size - KEPT))) kept.delete(oldest);
    return layout;
  }
}

function heavyRules(weights: ReadonlyMap<Rule, number>, most: number): ReadonlySet<Rule> {
  const light = [...weights].filter(([, weight]) => weight <= most * LIGHT);
  const weightOfLight = light.reduce((sum, [, weight]) => sum + weight, 0);
  const all = new Set(weights.keys());
  return weightOfLight > most * ALL_LIGHT ? all : all.difference(new Map(light));
}

function lightPart(sides: readonly Side[]): LaidOutPart {
  const [base] = layOut(sides, Number.POSITIVE_INFINITY);
  if (base === undefined) throw new TypeError('a layout has no base');
  return base;
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
      blocks: blocksIn(part, sides),
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

function blocksIn(part: Part, sides: readonly Side[]): readonly string[] {
  const isAll = part.name === undefined && part.without.length === 0;
  const area = isAll ? undefined : addressSet(part.within).minus(addressSet(part.without));
  const found = sides.flatMap(({ rules, holes }) => {
    const areas = rules
      .filter(({ allowed }) => allowed.intersects(holes.set))
      .map(({ allowed }) => area?.intersection(allowed) ?? allowed);
    return holes.blocks
      .values()
      .filter(({ addresses }) => areas.some((one) => one.intersects(addresses)))
      .map(({ name }) => name)
      .take(NAMED + 1)
      .toArray();
  });
  return firstOf(found);
}

/** One more than are named tells that there are others. */
export function firstOf(blocks: readonly string[]): readonly string[] {
  return [...new Set(blocks)].sort(byText).slice(0, NAMED + 1);
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
