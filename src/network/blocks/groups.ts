import type { ActiveBlock } from '../active-block.ts';
import { unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { Direction } from '../cluster-facts.ts';

/** All that is blocked for the same namespaces in one direction. */
export interface BlockGroup {
  /** `ingress`, or with the namespaces `egress research,trading`: the same while the scope is. */
  readonly key: string;
  /** Sorted. */
  readonly namespaces: '*' | readonly string[];
  readonly direction: Direction;
  readonly addresses: AddressSet;
  /** By name, sorted. */
  readonly blocks: readonly string[];
}

/**
 * One group a scope and direction, in order of their keys; the order of the blocks changes nothing.
 * Blocks that have no addresses or no namespaces are in none.
 */
export function groupBlocks(blocks: readonly ActiveBlock[]): readonly BlockGroup[] {
  const groups = new Map<string, { readonly group: Scope; readonly members: ActiveBlock[] }>();
  for (const block of blocks) {
    if (block.addresses.isEmpty) continue;
    for (const group of scopesOf(block)) {
      const present = groups.get(group.key);
      if (present === undefined) groups.set(group.key, { group, members: [block] });
      else present.members.push(block);
    }
  }
  return [...groups.values()]
    .map(({ group, members }) => ({
      ...group,
      addresses: unionOf(members.map(({ addresses }) => addresses)),
      blocks: members.map(({ name }) => name).toSorted(byText),
    }))
    .toSorted((a, b) => byText(a.key, b.key));
}

type Scope = Pick<BlockGroup, 'key' | 'namespaces' | 'direction'>;

function scopesOf({ namespaces, ingress, egress }: ActiveBlock): readonly Scope[] {
  const sorted = namespaces === '*' ? namespaces : [...new Set(namespaces)].toSorted(byText);
  if (sorted.length === 0) return [];
  const suffix = sorted === '*' ? '' : ` ${sorted.join()}`;
  return [
    ...(ingress
      ? [{ key: `ingress${suffix}`, namespaces: sorted, direction: 'Ingress' } as const]
      : []),
    ...(egress
      ? [{ key: `egress${suffix}`, namespaces: sorted, direction: 'Egress' } as const]
      : []),
  ];
}

function byText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
