/** What the blocks that reach a namespace take out of everything that is allowed. */
import type { ActiveBlock } from '../active-block.ts';
import type { Direction } from '../cluster-facts.ts';
import { unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { cidrListsOf } from './cidr-list.ts';
import type { CidrLists } from './cidr-list.ts';
import { byText } from './conjunction.ts';

export interface Holes {
  readonly set: AddressSet;
  readonly lists: CidrLists;
}

export interface BlockHoles extends Holes {
  /** By name. */
  readonly blocks: readonly ActiveBlock[];
  readonly names: string;
}

export interface HolesCache {
  /** The same holes for the same sets of addresses, as long as one of them is in use. */
  of(blocks: readonly ActiveBlock[], direction: Direction): BlockHoles;
}

interface Step {
  holes?: Holes;
  readonly next: WeakMap<AddressSet, Step>;
}

/**
 * Many namespaces have the same blocks, and what is made of 50,000 CIDRs should be made once. One
 * weak map leads to the next one, a set of addresses each: what nobody holds any more is forgotten.
 */
export function createHolesCache(): HolesCache {
  const root: Step = { next: new WeakMap() };
  const found = new WeakMap<readonly ActiveBlock[], Partial<Record<Direction, BlockHoles>>>();
  return {
    of(all, direction) {
      const before = found.get(all) ?? {};
      const holes = before[direction] ?? find(all, direction);
      found.set(all, { ...before, [direction]: holes });
      return holes;
    },
  };

  function find(all: readonly ActiveBlock[], direction: Direction): BlockHoles {
    const blocks = all
      .filter((block) => (direction === 'Ingress' ? block.ingress : block.egress))
      .filter(({ addresses }) => !addresses.isEmpty)
      .sort((one, other) => byText(one.name, other.name));
    let step = root;
    for (const { addresses } of blocks) {
      const next = step.next.get(addresses) ?? { next: new WeakMap() };
      step.next.set(addresses, next);
      step = next;
    }
    step.holes ??= holesOf(blocks);
    return { ...step.holes, blocks, names: JSON.stringify(blocks.map(({ name }) => name)) };
  }
}

function holesOf(blocks: readonly ActiveBlock[]): Holes {
  const set = unionOf(blocks.map(({ addresses }) => addresses));
  return { set, lists: cidrListsOf(set) };
}
