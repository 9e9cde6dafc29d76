import type { NetworkGap } from '../network-gap.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import { unionOf } from '../cidr/address-set.ts';
import type { BlockGroup } from '../blocks/groups.ts';
import type { ClusterFacts } from '../cluster-facts.ts';

/** A group as far as the cluster can tell its addresses and namespaces. */
export interface GroupInCluster {
  readonly group: BlockGroup;
  /** Of the cluster's families only: one CIDR of another can stop an engine altogether. */
  readonly addresses: AddressSet;
  /** Sorted; `*` for every guarded namespace, also those to come. */
  readonly namespaces: '*' | readonly string[];
}

/** The groups that have something to deny and somebody to deny it to, and what falls away. */
export function groupsInCluster(
  groups: readonly BlockGroup[],
  { guardedNamespaces, facts }: { guardedNamespaces: readonly string[]; facts: ClusterFacts },
): { readonly inCluster: readonly GroupInCluster[]; readonly gaps: readonly NetworkGap[] } {
  const guarded = new Set(guardedNamespaces);
  const gaps: NetworkGap[] = [];
  const inCluster: GroupInCluster[] = [];
  for (const group of groups) {
    const namespaces =
      group.namespaces === '*'
        ? '*'
        : [...new Set(group.namespaces)].filter((name) => guarded.has(name)).toSorted(byText);
    const addresses = unionOf(facts.families.map((family) => group.addresses.ofFamily(family)));
    if (!addresses.covers(group.addresses)) gaps.push(familyGap(group, facts));
    if (!addresses.isEmpty && namespaces.length > 0) {
      inCluster.push({ group, addresses, namespaces });
    }
  }
  return { inCluster, gaps };
}

function familyGap({ direction, blocks }: BlockGroup, { families }: ClusterFacts): NetworkGap {
  return {
    type: 'FamilyAbsent',
    direction,
    message: `pods have ${families.join(' and ')} addresses only, so the other addresses of ${namesOf(blocks)} are not written`,
  };
}

/** `IPBlock a`, `IPBlocks a, b, c and 4 more`. */
export function namesOf(blocks: readonly string[]): string {
  const shown = blocks.slice(0, 3).join(', ');
  const more = blocks.length > 3 ? ` and ${blocks.length - 3} more` : '';
  return `IPBlock${blocks.length === 1 ? '' : 's'} ${shown}${more}`;
}

export function byText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0;
}
