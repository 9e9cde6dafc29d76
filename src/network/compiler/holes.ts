/** What the blocks that reach a namespace take out of everything that is allowed. */
import type { ActiveBlock } from '../active-block.ts';
import type { Direction } from '../cluster-facts.ts';
import { EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { cidrListsOf } from './cidr-list.ts';
import type { CidrLists } from './cidr-list.ts';
import { byText } from './conjunction.ts';

export interface BlockHoles {
  /** By name. */
  readonly blocks: readonly ActiveBlock[];
  readonly set: AddressSet;
  readonly lists: CidrLists;
}

export type DirectedHoles = Readonly<Record<Direction, BlockHoles>>;

export interface HolesCache {
  /**
   * The same object for the same blocks, as long as one of them is in use.
   *
   * @param before those of other blocks: of what both have nothing is made again
   */
  of(blocks: readonly ActiveBlock[], direction: Direction, before?: BlockHoles): BlockHoles;
}

interface Step {
  holes?: BlockHoles;
  readonly next: WeakMap<ActiveBlock, Step>;
}

/**
 * Many namespaces have the same blocks, and what is made of 50,000 CIDRs should be made once. One
 * weak map leads to the next one, a block each: what nobody holds any more is forgotten.
 */
export function createHolesCache(): HolesCache {
  const root: Step = { next: new WeakMap() };
  const found = new WeakMap<readonly ActiveBlock[], Partial<Record<Direction, BlockHoles>>>();
  return {
    of(all, direction, before) {
      const known = found.get(all) ?? {};
      const holes = known[direction] ?? find(all, direction, before);
      found.set(all, { ...known, [direction]: holes });
      return holes;
    },
  };

  function find(
    all: readonly ActiveBlock[],
    direction: Direction,
    before: BlockHoles | undefined,
  ): BlockHoles {
    const blocks = all
      .filter((block) => (direction === 'Ingress' ? block.ingress : block.egress))
      .filter(({ addresses }) => !addresses.isEmpty)
      .sort((one, other) => byText(one.name, other.name));
    let step = root;
    for (const block of blocks) {
      const next = step.next.get(block) ?? { next: new WeakMap() };
      step.next.set(block, next);
      step = next;
    }
    return (step.holes ??= holesOf(blocks, before));
  }
}

function holesOf(blocks: readonly ActiveBlock[], before: BlockHoles | undefined): BlockHoles {
  const all = blocks.map(({ addresses }) => addresses);
  if (before === undefined) {
    const set = unionOf(all);
    return { blocks, set, lists: cidrListsOf(set) };
  }
  const changed = differenceOf(before.blocks, blocks);
  const there = unionOf(all.map((addresses) => addresses.intersection(changed)));
  const gone = before.set.intersection(changed).minus(there);
  const come = there.minus(before.set);
  const left = gone.isEmpty ? before.set : before.set.minus(gone);
  const set = come.isEmpty ? left : left.union(come);
  const now = { blocks, set, lists: cidrListsOf(set, before.lists) };
  changes.set(now, new WeakMap([[before, changed]]));
  return now;
}

const changes = new WeakMap<BlockHoles, WeakMap<BlockHoles, AddressSet>>();

/** The addresses that a block has in one of them and the block of that name has not in the other. */
export function changedBetween(before: BlockHoles, now: BlockHoles): AddressSet {
  if (before === now) return EMPTY_SET;
  const since = changes.get(now) ?? new WeakMap<BlockHoles, AddressSet>();
  const changed = since.get(before) ?? differenceOf(before.blocks, now.blocks);
  changes.set(now, since.set(before, changed));
  return changed;
}

function differenceOf(before: readonly ActiveBlock[], now: readonly ActiveBlock[]): AddressSet {
  const [old, present] = [before, now].map(
    (blocks) => new Map(blocks.map(({ name, addresses }) => [name, addresses])),
  );
  const names = new Set([...before, ...now].map(({ name }) => name));
  return unionOf(
    [...names].flatMap((name) => {
      const [one, other] = [old?.get(name) ?? EMPTY_SET, present?.get(name) ?? EMPTY_SET];
      return one === other ? [] : [one.minus(other), other.minus(one)];
    }),
  );
}
