import { FIELD_MANAGER, LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import type { FeedCopy } from './feed.ts';
import { sameItems } from './copy.ts';
import {
  decodeCopy,
  encodeCopy,
  FEED_COMPONENT,
  feedLabel,
  feedOf,
  headName,
  partNames,
} from './stored-copy.ts';

/** Keeps the last good copy of each feed over restarts. All methods throw what the client throws. */
export interface FeedStore {
  /** The copy of a feed; undefined when there is none, or what is stored is broken. */
  load(feed: string): Promise<FeedCopy | undefined>;
  /** Writes where that is worth it: see {@link isWorthSaving}. */
  save(feed: string, copy: FeedCopy): Promise<void>;
  remove(feed: string): Promise<void>;
  /** Names of all feeds of which something is stored, for clearing up what nobody names any more. */
  list(): Promise<readonly string[]>;
}

export interface FeedStoreDeps {
  readonly client: KubeClient;
  /** The operator's own. */
  readonly namespace: string;
  /** Told of a copy that is broken, and so counts as none. */
  readonly onFault: (feed: string, fault: string) => void;
}

/** Of ConfigMaps of up to a mebibyte. */
const PAGE = 20;
const SELECTOR = `${LABELS.component}=${FEED_COMPONENT}`;
/** The time of a copy that is otherwise the same need not be exact after a restart. */
const SAME_LIST_EVERY_MS = 3_600_000;
/** Decisions change all the time, and after a restart all of them are asked for anyway. */
const DECISIONS_EVERY_MS = 300_000;

export function createFeedStore({ client, namespace, onFault }: FeedStoreDeps): FeedStore {
  const saved = new Map<string, FeedCopy>();

  async function find(name: string): Promise<ConfigMap | undefined> {
    return await client.find(CONFIG_MAPS, { namespace, name });
  }

  async function write(configMap: ConfigMap): Promise<void> {
    await client.apply(CONFIG_MAPS, configMap, { fieldManager: FIELD_MANAGER, force: true });
  }

  async function remove(names: Iterable<string>): Promise<void> {
    for (const name of names) {
      await client.delete(CONFIG_MAPS, { namespace, name }).catch((error: unknown) => {
        if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
      });
    }
  }

  /** Whatever is stored of a feed, also what a crash has left behind. */
  async function namesOf(feed: string): Promise<readonly string[]> {
    const labelSelector = `${SELECTOR},${LABELS.feed}=${feedLabel(feed)}`;
    const { items } = await client.list(CONFIG_MAPS, { namespace }, { labelSelector, limit: PAGE });
    return items.map(({ metadata }) => metadata.name);
  }

  return {
    async load(feed) {
      const head = await find(headName(feed));
      if (head === undefined) return undefined;
      const parts = await Promise.all(partNames(head).map(find));
      const decoded = decodeCopy(feed, {
        head,
        parts: parts.filter((part) => part !== undefined),
      });
      if ('fault' in decoded) {
        onFault(feed, `ConfigMap ${namespace}/${headName(feed)}: ${decoded.fault}`);
        return undefined;
      }
      saved.set(feed, decoded.copy);
      return decoded.copy;
    },

    async save(feed, copy) {
      const before = saved.get(feed);
      if (before !== undefined && !isWorthSaving(before, copy)) return;
      const { head, parts } = encodeCopy(feed, copy, namespace);
      for (const part of parts) await write(part);
      await write(head);
      saved.set(feed, copy);
      const wanted = new Set([head, ...parts].map(({ metadata }) => metadata.name));
      await remove((await namesOf(feed)).filter((name) => !wanted.has(name)));
    },

    async remove(feed) {
      saved.delete(feed);
      await remove(await namesOf(feed));
    },

    async list() {
      const { items } = await client.list(
        CONFIG_MAPS,
        { namespace },
        { labelSelector: SELECTOR, limit: PAGE },
      );
      return items.flatMap((configMap) => feedOf(configMap) ?? []);
    },
  };
}

/** Whether the difference between what is stored and what is known matters after a restart. */
export function isWorthSaving(stored: FeedCopy, copy: FeedCopy): boolean {
  const ageMs = copy.fetchedAtMs - stored.fetchedAtMs;
  const isSameAnswer =
    ageMs >= 0 &&
    stored.url === copy.url &&
    stored.format === copy.format &&
    stored.etag === copy.etag &&
    stored.lastModified === copy.lastModified &&
    stored.shrunkTo === copy.shrunkTo;
  if (!isSameAnswer) return true;
  if (copy.format === 'CrowdSec') return ageMs >= DECISIONS_EVERY_MS;
  return ageMs >= SAME_LIST_EVERY_MS || !sameItems(stored.items, copy.items);
}
