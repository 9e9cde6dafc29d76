/** Which backends beside NetworkPolicy are at work: those that the cluster serves, or was told of. */
import type { KubeClient } from '#kube/client.ts';
import type { ServedVersion } from '#kube/discovery.ts';
import type { Clock } from '#runtime/clock.ts';
import { describeError } from '#runtime/describe-error.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { BackendName } from '../backends/backend.ts';
import { detectBackends } from '../backends/detect-backends.ts';
import type { NetworkOptions } from './deps.ts';

export interface BackendChoice {
  /** Beside NetworkPolicy; the same list while nothing changed. */
  used(): readonly BackendName[];
  /** Whether one of them denies in both directions, so that NetworkPolicies need no holes. */
  canDeny(): boolean;
  readonly served: () => readonly ServedVersion[] | undefined;
  /** Groups that the API server serves; undefined while not known. */
  apiGroups(): readonly string[] | undefined;
  readonly discovery: Runnable;
}

const RETRY_MS = 5_000;
/** CRDs come and go with their engines, seldom. */
const REPEAT_MS = 120_000;

export function createBackendChoice(deps: {
  readonly client: Pick<KubeClient, 'discover'>;
  readonly clock: Clock;
  readonly log: Logger;
  readonly options: Pick<NetworkOptions, 'backends' | 'nodeAgent'>;
  readonly onChange: () => void;
}): BackendChoice {
  const { client, clock, log, options } = deps;
  let served: readonly ServedVersion[] | undefined;
  let used: readonly BackendName[] = choose();

  function choose(): readonly BackendName[] {
    const found = detectBackends(served ?? []).filter(
      (name) => options.backends === undefined || options.backends.includes(name),
    );
    return [
      ...found.filter((name) => name !== 'NetworkPolicy'),
      ...(options.nodeAgent ? (['NodeAgent'] as const) : []),
    ];
  }

  async function look(signal: AbortSignal): Promise<number> {
    try {
      const next = await client.discover({ signal });
      const isSame = JSON.stringify(next) === JSON.stringify(served);
      served = next;
      if (!isSame) {
        used = choose();
        deps.onChange();
      }
      return REPEAT_MS;
    } catch (error) {
      signal.throwIfAborted();
      log.warn({ reason: describeError(error) }, 'What the API server serves could not be read');
      return RETRY_MS;
    }
  }

  return {
    used: () => used,
    canDeny: () => used.includes('Cilium') || used.includes('Calico'),
    served: () => served,
    apiGroups: () => served?.map(({ group }) => group),
    discovery: {
      name: 'network: discovery',
      async run(signal) {
        for (;;) await clock.sleep(await look(signal), signal);
      },
    },
  };
}
