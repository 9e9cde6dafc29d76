/** Keeps the objects of one backend beside NetworkPolicies: compiles, writes what differs, removes. */
import { FIELD_MANAGER } from '#api/names.ts';
import type { Audit, AuditActor } from '#audit/audit.ts';
import { perform } from '#audit/perform.ts';
import type { KubeClient, Scope } from '#kube/client.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject } from '#kube/objects.ts';
import { apiVersionOf } from '#kube/resource.ts';
import type { Resource } from '#kube/resource.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { describeError } from '#runtime/describe-error.ts';
import { keyOf } from '#runtime/store.ts';
import type { NetworkAct } from '#network/acts.ts';
import type { ActiveBlock } from '../active-block.ts';
import type { BackendName } from '../backends/backend.ts';
import { putObject } from '../backends/put-object.ts';
import type { NetworkGap } from '../network-gap.ts';
import type { ChangeLimiter } from './change-limiter.ts';

/** What a backend writes now, and where it looks for what it wrote before. */
export interface BackendPlan {
  readonly objects: readonly KubeObject[];
  readonly gaps: readonly NetworkGap[];
  /** That it follows from; the same list while nothing changed. */
  readonly blocks: readonly ActiveBlock[];
}

export interface BackendPlace {
  readonly resources: readonly Resource[];
  readonly scope: Scope;
  readonly labelSelector: string;
}

export interface BackendState {
  readonly objects: number;
  readonly gaps: readonly NetworkGap[];
  /** Those that it was planned for. */
  readonly blocks: readonly ActiveBlock[];
  readonly isApplied: boolean;
  readonly failure?: string;
}

export interface BackendWorkDeps {
  readonly client: KubeClient;
  readonly audit: Audit;
  readonly actor: AuditActor;
  readonly limiter: ChangeLimiter;
  readonly plan: (backend: BackendName) => BackendPlan;
  readonly place: (backend: BackendName) => BackendPlace;
  readonly missing: () => readonly string[];
  /** Whether all is known that the objects follow from. */
  readonly isComplete: () => boolean;
  readonly onState: (backend: BackendName) => void;
  readonly monotonicMs: () => number;
}

export interface BackendWork {
  reconcile(backend: BackendName, context: ReconcileContext): Promise<Result>;
  stateOf(backend: BackendName): BackendState | undefined;
}

const FACTS_MS = 2_000;
const NOT_YET_MS = 250;
/** Nothing tells of objects that others changed, so they are written again; mostly to no effect. */
const REPEAT_MS = 600_000;

interface Written {
  readonly resource: Resource;
  readonly object: KubeObject;
  readonly text: string;
}

export function createBackendWork(deps: BackendWorkDeps): BackendWork {
  const { client } = deps;
  const states = new Map<BackendName, BackendState>();
  const readAtMs = new Map<BackendName, number>();
  /** What stands of a backend, as it was found first and written since. */
  const standing = new Map<BackendName, Map<string, Written>>();

  async function find(backend: BackendName, signal: AbortSignal): Promise<Map<string, Written>> {
    const { resources, scope, labelSelector } = deps.place(backend);
    const found = new Map<string, Written>();
    readAtMs.set(backend, deps.monotonicMs());
    for (const resource of resources) {
      try {
        const { items } = await client.list(resource, scope, { labelSelector, signal });
        for (const object of items) {
          found.set(`${resource.kind} ${keyOf(object)}`, { resource, object, text: '' });
        }
      } catch (error) {
        // Of several versions of a kind only one may be served.
        if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
      }
    }
    return found;
  }

  async function write(
    backend: BackendName,
    objects: readonly KubeObject[],
    { reconcileId, signal }: ReconcileContext,
  ): Promise<void> {
    const present = standing.get(backend) ?? (await find(backend, signal));
    standing.set(backend, present);
    const { resources } = deps.place(backend);
    const kept = new Set<string>();
    for (const object of objects) {
      const resource = resources.find(
        (one) => one.kind === object.kind && apiVersionOf(one) === object.apiVersion,
      );
      if (resource === undefined) throw new TypeError(`${backend} writes no ${object.kind}`);
      const key = `${resource.kind} ${keyOf(object)}`;
      kept.add(key);
      const text = JSON.stringify(object);
      if (present.get(key)?.text === text) continue;
      await record('NetworkObjectWritten', backend, object, reconcileId, signal, () =>
        putObject(client, resource, object, { fieldManager: FIELD_MANAGER, signal }),
      );
      present.set(key, { resource, object, text });
    }
    // What refers goes before what is referred to: the order of kinds turned round.
    const stale = [...present]
      .filter(([key]) => !kept.has(key))
      .toSorted(
        ([, one], [, other]) => resources.indexOf(other.resource) - resources.indexOf(one.resource),
      );
    for (const [key, { resource, object }] of stale) {
      await record('NetworkObjectWithdrawn', backend, object, reconcileId, signal, () =>
        remove(resource, object, signal),
      );
      present.delete(key);
    }
  }

  async function remove(
    resource: Resource,
    { metadata }: KubeObject,
    signal: AbortSignal,
  ): Promise<void> {
    const { namespace, name } = metadata;
    try {
      await client.delete(
        resource,
        { name, ...(namespace === undefined ? {} : { namespace }) },
        { signal },
      );
    } catch (error) {
      if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
    }
  }

  async function record(
    act: NetworkAct,
    backend: BackendName,
    { apiVersion, kind, metadata }: KubeObject,
    requestId: string,
    signal: AbortSignal,
    effect: () => Promise<unknown>,
  ): Promise<void> {
    const { namespace, name } = metadata;
    await perform(
      deps.audit,
      {
        act,
        actor: deps.actor,
        object: { apiVersion, kind, name, ...(namespace === undefined ? {} : { namespace }) },
        reason: `IPBlocks by ${backend}`,
        requestId,
      },
      effect,
      signal,
    );
  }

  function tell(backend: BackendName, state: BackendState): void {
    states.set(backend, state);
    deps.onState(backend);
  }

  return {
    async reconcile(backend, context) {
      if (deps.missing().length > 0) return { kind: 'after', ms: FACTS_MS };
      if (!deps.isComplete()) return { kind: 'after', ms: NOT_YET_MS };
      const { objects, gaps, blocks } = deps.plan(backend);
      if (deps.monotonicMs() - (readAtMs.get(backend) ?? 0) >= REPEAT_MS) standing.delete(backend);
      const texts = standing.get(backend);
      const isChanged =
        texts === undefined ||
        texts.size !== objects.length ||
        objects.some((one) => texts.get(`${one.kind} ${keyOf(one)}`)?.text !== JSON.stringify(one));
      const waitMs = isChanged ? deps.limiter.take(`backend ${backend}`) : 0;
      const state = { objects: objects.length, gaps, blocks };
      if (waitMs > 0) {
        tell(backend, { ...state, isApplied: false });
        return { kind: 'after', ms: waitMs };
      }
      try {
        await write(backend, objects, context);
      } catch (error) {
        // What stands now is not known any more.
        standing.delete(backend);
        tell(backend, { ...state, isApplied: false, failure: describeError(error) });
        return { kind: 'retry', error };
      }
      tell(backend, { ...state, isApplied: true });
      return { kind: 'after', ms: REPEAT_MS };
    },
    stateOf: (backend) => states.get(backend),
  };
}
