/**
 * Addresses with holes, over as many objects as it takes. NetworkPolicies add up, so the parts must
 * divide what is allowed: each address is in one of them.
 *
 * The parts follow fixed prefixes. From single addresses upwards, where two halves together are too
 * much for one object the heavier one becomes a part of its own, and its prefix one more hole in
 * what goes on upwards; what is left at the top is the base. So a part is at least half full, however
 * the holes lie, and a changed hole changes the one part that it lies in, unless that then becomes
 * too large.
 */
import type { NetworkPolicyPeer } from '#kube/objects.ts';
import type { Width } from '../cidr/words.ts';
import { halvesOf, isSingleAddress, isWithin, nameOf, textOf, wholeFamily } from './block.ts';
import type { Block } from './block.ts';
import { blockAt, isCovered, runWithin } from './cidr-list.ts';
import type { CidrList, CidrLists, Run } from './cidr-list.ts';

/** Addresses that one rule allows, apart from the holes. */
export interface Channel {
  readonly allowed: CidrLists;
  readonly holes: CidrLists;
  /** What the rule weighs without its addresses. */
  readonly weight: number;
}

export interface Part {
  /** Absent: the base, which there always is. */
  readonly name?: string;
  /** One list a channel. */
  readonly peers: readonly (readonly NetworkPolicyPeer[])[];
  /** The CIDRs that it is about, and those in them that are other parts. */
  readonly within: readonly string[];
  readonly without: readonly string[];
}

/** A CIDR in JSON is 21 characters at most in IPv4, 46 in IPv6; this many times a weight of 1. */
export const CHARACTERS_A_WEIGHT = 21;
/** What one object holds, in JSON about 170 kB: etcd takes 1.5 MiB a request. */
export const MOST_WEIGHT = 8_000;

/** The base first, then by address. */
export function partsOf(channels: readonly Channel[], most: number): readonly Part[] {
  // Halving must help: what every block has, however small it is, must be little of what fits.
  const limit = Math.max(most, 4 * leastWeightOf(channels));
  const cuts: Remainder[] = [];
  const cut = (remainder: Remainder): void => void cuts.push(remainder);
  const roots = WIDTHS.map((width) => remainderOf(wholeFamily(width), channels, limit, cut));
  const [light, heavy] = roots.toSorted((one, other) => one.weight - other.weight);
  const base = roots.filter((root) => {
    const isTooMuch = root === heavy && root.weight + (light?.weight ?? 0) > limit;
    if (isTooMuch) cut(root);
    return !isTooMuch;
  });
  return [
    partOf(base, channels),
    ...cuts.toSorted(byAddress).map((remainder) => ({
      name: nameOf(remainder.block),
      ...partOf([remainder], channels),
    })),
  ];
}

/** Of all its CIDRs and holes. */
export function weightOfChannel(channel: Channel): number {
  return WIDTHS.reduce((sum, width) => sum + weightOf([channel], wholeFamily(width), []), 0);
}

/** Of a part that has a CIDR of each channel. */
export function leastWeightOf(channels: readonly { readonly weight: number }[]): number {
  return channels.reduce((sum, { weight }) => sum + weight + unitOf(4), 0);
}

const WIDTHS: readonly Width[] = [1, 4];

/** What is left of a block when parts were cut out. */
interface Remainder {
  readonly block: Block;
  readonly weight: number;
  /** In the order of addresses. */
  readonly without: readonly Block[];
}

function remainderOf(
  block: Block,
  channels: readonly Channel[],
  most: number,
  cut: (remainder: Remainder) => void,
): Remainder {
  const whole = weighed(block, [], channels);
  if (whole.weight <= most || isSingleAddress(block)) return whole;
  let halves = halvesOf(block).map((half) => remainderOf(half, channels, most, cut));
  const heaviest = halves.toSorted((one, other) => other.weight - one.weight);
  const left = (): Remainder =>
    weighed(
      block,
      halves.flatMap(({ without }) => without),
      channels,
    );
  for (const half of heaviest) {
    if (left().weight <= most) break;
    cut(half);
    const gone = { block: half.block, weight: 0, without: [half.block] };
    halves = halves.map((one) => (one === half ? gone : one));
  }
  return left();
}

function weighed(block: Block, without: readonly Block[], channels: readonly Channel[]): Remainder {
  return { block, without, weight: weightOf(channels, block, without) };
}

/** One of IPv4, two of IPv6, a CIDR. */
function unitOf(width: Width): number {
  return width === 1 ? 1 : 2;
}

function weightOf(channels: readonly Channel[], block: Block, without: readonly Block[]): number {
  let weight = 0;
  for (const { allowed, holes, weight: ofRule } of channels) {
    const list = holes[block.width];
    let cidrs = 0;
    for (const piece of piecesOf(allowed[block.width], block)) {
      if (isGone(piece, list, without)) continue;
      cidrs += 1 + sizeOf(runWithin(list, piece));
      for (const other of without) {
        if (isHoleOf(piece, other, list)) cidrs += 1 - sizeOf(runWithin(list, other));
      }
    }
    if (cidrs > 0) weight += ofRule + cidrs * unitOf(block.width);
  }
  return weight;
}

function sizeOf({ from, to }: Run): number {
  return to - from;
}

/** What a list has of a block: the block, if one of its CIDRs has all of it, or CIDRs in it. */
function* piecesOf(list: CidrList, block: Block): Generator<Block> {
  if (isCovered(list, block)) yield block;
  else {
    const { from, to } = runWithin(list, block);
    for (let at = from; at < to; at += 1) yield blockAt(list, at);
  }
}

function partOf(
  remainders: readonly Remainder[],
  channels: readonly Channel[],
): Omit<Part, 'name'> {
  return {
    peers: channels.map((channel) =>
      remainders.flatMap((remainder) => [...peersOf(remainder, channel)]),
    ),
    within: remainders.map(({ block }) => textOf(block)),
    without: remainders.flatMap(({ without }) => without.map(textOf)),
  };
}

function* peersOf(
  { block, without }: Remainder,
  { allowed, holes }: Channel,
): Generator<NetworkPolicyPeer> {
  const list = holes[block.width];
  for (const piece of piecesOf(allowed[block.width], block)) {
    if (isGone(piece, list, without)) continue;
    const except = exceptOf(piece, list, without);
    yield { ipBlock: { cidr: textOf(piece), ...(except.length > 0 && { except }) } };
  }
}

/** Holes of a piece, and the other parts in it instead of the holes that they have. */
function exceptOf(piece: Block, holes: CidrList, without: readonly Block[]): readonly string[] {
  const all = runWithin(holes, piece);
  const except: string[] = [];
  let at = all.from;
  for (const other of without.filter((one) => isHoleOf(piece, one, holes))) {
    const { from, to } = runWithin(holes, other, at);
    except.push(...holes.texts.slice(at, from), textOf(other));
    at = to;
  }
  except.push(...holes.texts.slice(at, all.to));
  return except;
}

/** Whether nothing is left of a piece. */
function isGone(piece: Block, holes: CidrList, without: readonly Block[]): boolean {
  return isCovered(holes, piece) || without.some((other) => isWithin(piece, other));
}

/** Not where a hole has all of it: then it was cut out for the sake of other channels. */
function isHoleOf(piece: Block, other: Block, holes: CidrList): boolean {
  return isWithin(other, piece) && !isCovered(holes, other);
}

function byAddress({ block: one }: Remainder, { block: other }: Remainder): number {
  if (one.width !== other.width) return one.width - other.width;
  for (let word = 0; word < one.width; word += 1) {
    const difference = (one.first[word] ?? 0) - (other.first[word] ?? 0);
    if (difference !== 0) return difference;
  }
  return one.prefix - other.prefix;
}
