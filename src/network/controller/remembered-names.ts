/**
 * Addresses of host names, kept over restarts: an operator that has just started, while DNS is away,
 * would otherwise close to pods what they trade on.
 */
import { FIELD_MANAGER, LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import type { ConfigMap } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import type { NameResolver, SeenNames } from '../exchange-hosts/name-resolver.ts';

const NAME = 'strongroom-names';
const KEY = 'names.json';
/** That an address was seen again need not be known exactly. */
const REPEAT_MS = 600_000;

export interface RememberedNames {
  /** Whether what was known before has been read; once, after a start. */
  readonly isRead: boolean;
  read(signal: AbortSignal): Promise<void>;
  /** Writes where other addresses are known, or it is long ago. */
  write(signal: AbortSignal): Promise<void>;
}

export function createRememberedNames(deps: {
  readonly client: KubeClient;
  readonly namespace: string;
  readonly names: Pick<NameResolver, 'seen' | 'restore'>;
  readonly monotonicMs: () => number;
}): RememberedNames {
  const { client, namespace, names } = deps;
  let isRead = false;
  let written = { key: '', atMs: -Infinity };

  return {
    get isRead() {
      return isRead;
    },
    async read(signal) {
      const found = await client.find(CONFIG_MAPS, { namespace, name: NAME }, { signal });
      names.restore(parse(found));
      isRead = true;
    },
    async write(signal) {
      const seen = names.seen();
      const key = JSON.stringify(
        Object.entries(seen).map(([host, addresses]) => [host, Object.keys(addresses).sort()]),
      );
      const atMs = deps.monotonicMs();
      if (key === '[]' || (key === written.key && atMs - written.atMs < REPEAT_MS)) return;
      await client.apply<ConfigMap>(
        CONFIG_MAPS,
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: {
            namespace,
            name: NAME,
            labels: { [LABELS.managedBy]: 'strongroom', [LABELS.component]: 'names' },
          },
          data: { [KEY]: JSON.stringify(seen) },
        },
        { fieldManager: FIELD_MANAGER, force: true, signal },
      );
      written = { key, atMs };
    },
  };
}

/** What cannot be read counts as nothing. */
function parse(found: ConfigMap | undefined): SeenNames {
  try {
    const value: unknown = JSON.parse(found?.data?.[KEY] ?? '{}');
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).flatMap(([host, addresses]: [string, unknown]) =>
        typeof addresses === 'object' && addresses !== null
          ? [
              [
                host,
                Object.fromEntries(
                  Object.entries(addresses).filter(
                    (entry): entry is [string, number] => typeof entry[1] === 'number',
                  ),
                ),
              ],
            ]
          : [],
      ),
    );
  } catch {
    return {};
  }
}
