/** All policies, found by whom they are about and where. */
import type { AccessPolicy } from '#api/access-policy.ts';
import { compilePolicy } from './compile.ts';
import type { CompiledPolicy, PolicyEntry } from './compile.ts';
import type { Identity } from './identity.ts';

export interface PolicyIndex {
  /** Sorted by name. */
  readonly policies: readonly CompiledPolicy[];
  /**
   * Policies about the identity that may reach the namespace (`*`: any), in lists that are sorted
   * by name. One may be in several of them.
   */
  about(identity: Identity, namespace: string): readonly (readonly PolicyEntry[])[];
  /** The same, one by one. */
  forEach(identity: Identity, namespace: string, visit: (entry: PolicyEntry) => void): void;
}

/** The policies of one subject: those of any namespace, and those that name some. */
interface Shelf {
  readonly anywhere: PolicyEntry[];
  readonly byNamespace: Map<string, PolicyEntry[]>;
}

/** The order of `policies` does not matter. */
export function createPolicyIndex(policies: readonly AccessPolicy[]): PolicyIndex {
  const sorted = policies.map(compilePolicy).sort(byName);
  const users = new Map<string, Shelf>();
  const groups = new Map<string, Shelf>();
  const anyone = newShelf();
  for (const policy of sorted) {
    for (const entry of policy.entries) {
      if (entry.by === 'Anyone') put(anyone, entry);
      else put(shelfOf(entry.by === 'Group' ? groups : users, entry.name), entry);
    }
  }
  const about: PolicyIndex['about'] = ({ username, groups: claimed }, namespace) => {
    const lists: (readonly PolicyEntry[])[] = [];
    take(lists, users.get(username), namespace);
    for (const group of claimed) take(lists, groups.get(group), namespace);
    take(lists, anyone, namespace);
    return lists;
  };
  return {
    policies: sorted,
    about,
    forEach(identity, namespace, visit) {
      for (const list of about(identity, namespace)) for (const entry of list) visit(entry);
    },
  };
}

function byName(a: CompiledPolicy, b: CompiledPolicy): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function newShelf(): Shelf {
  return { anywhere: [], byNamespace: new Map() };
}

function shelfOf(shelves: Map<string, Shelf>, name: string): Shelf {
  const present = shelves.get(name);
  if (present !== undefined) return present;
  const shelf = newShelf();
  shelves.set(name, shelf);
  return shelf;
}

function put({ anywhere, byNamespace }: Shelf, entry: PolicyEntry): void {
  const { namespaces } = entry.policy;
  if (namespaces === '*') {
    anywhere.push(entry);
    return;
  }
  for (const namespace of namespaces) {
    const list = byNamespace.get(namespace);
    if (list === undefined) byNamespace.set(namespace, [entry]);
    else list.push(entry);
  }
}

function take(
  lists: (readonly PolicyEntry[])[],
  shelf: Shelf | undefined,
  namespace: string,
): void {
  if (shelf === undefined) return;
  const { anywhere, byNamespace } = shelf;
  if (anywhere.length > 0) lists.push(anywhere);
  if (namespace === '*') {
    lists.push(...byNamespace.values());
    return;
  }
  const there = byNamespace.get(namespace);
  if (there !== undefined) lists.push(there);
}
