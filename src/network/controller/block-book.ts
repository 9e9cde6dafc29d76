/** What every IPBlock means now, and which of them are in force. */
import type { IPBlock } from '#api/ip-block.ts';
import type { Informer } from '#runtime/informer.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { FeedCopy } from '../feeds/feed.ts';
import { blockState } from './block-state.ts';
import type { BlockInput, BlockState } from './block-state.ts';

export interface BlockBookDeps {
  readonly blocks: Pick<Informer<IPBlock>, 'get' | 'list'>;
  readonly feedOf: (name: string) => FeedCopy | undefined;
  /** Whether the last good copy was read, or found missing. */
  readonly isFeedLoaded: (name: string) => boolean;
  /** What is known of the cluster; the same objects while nothing changed. */
  readonly surroundings: () => Omit<BlockInput, 'block' | 'feed'>;
  readonly now: () => number;
}

export interface BlockBook {
  /** Whether every block was looked at: what is compiled before that would let some go. */
  isComplete(): boolean;
  /** As of the last look. */
  of(name: string): BlockState | undefined;
  /** Looks at a block again. Answers what was in force of it and what is, where that differs. */
  look(name: string): readonly ActiveBlock[];
  /** In force, by name; the same list while nothing changed. */
  active(): readonly ActiveBlock[];
  /** Those of them that are about the pods of a namespace; the same list while none of them changed. */
  reaching(namespace: string): readonly ActiveBlock[];
}

export function createBlockBook(deps: BlockBookDeps): BlockBook {
  const states = new Map<string, BlockState>();
  const looked = new Set<string>();
  let active: readonly ActiveBlock[] | undefined;
  const byNamespace = new Map<string, readonly ActiveBlock[]>();

  const inForce = (state: BlockState | undefined): ActiveBlock | undefined =>
    state?.phase === 'Active' ? state.block : undefined;

  function list(): readonly ActiveBlock[] {
    return (active ??= [...states.values()]
      .flatMap((state) => inForce(state) ?? [])
      .sort((one, other) => (one.name < other.name ? -1 : 1)));
  }

  return {
    of: (name) => states.get(name),
    isComplete: () =>
      deps.blocks
        .list()
        .every(
          ({ metadata, spec }) =>
            looked.has(metadata.name) &&
            (spec.feed === undefined || deps.isFeedLoaded(metadata.name)),
        ),
    look(name) {
      looked.add(name);
      const block = deps.blocks.get(name);
      const before = states.get(name);
      if (block === undefined || block.metadata.deletionTimestamp !== undefined) {
        states.delete(name);
        if (block === undefined) looked.delete(name);
      } else {
        const next = blockState(
          { ...deps.surroundings(), block, feed: deps.feedOf(name) },
          deps.now(),
        );
        // Who compares by identity sees no change where there is none.
        const isSame = before !== undefined && isSameBlock(before.block, next.block);
        states.set(name, isSame ? { ...next, block: before.block } : next);
      }
      const [was, is] = [inForce(before), inForce(states.get(name))];
      if (was === is) return [];
      const changed = [was, is].flatMap((one) => one ?? []);
      active = undefined;
      for (const namespace of byNamespace.keys()) {
        if (changed.some((one) => isAbout(one, namespace))) byNamespace.delete(namespace);
      }
      return changed;
    },
    active: list,
    reaching(namespace) {
      const present = byNamespace.get(namespace);
      if (present !== undefined) return present;
      const made = list().filter((block) => isAbout(block, namespace));
      byNamespace.set(namespace, made);
      return made;
    },
  };
}

export function isAbout({ namespaces }: ActiveBlock, namespace: string): boolean {
  return namespaces === '*' || namespaces.includes(namespace);
}

function isSameBlock(one: ActiveBlock, other: ActiveBlock): boolean {
  return (
    one.ingress === other.ingress &&
    one.egress === other.egress &&
    one.expiresAtMs === other.expiresAtMs &&
    String(one.namespaces) === String(other.namespaces) &&
    one.addresses.equals(other.addresses)
  );
}
