/** Keeps one NamespaceAccess in each guarded namespace: what its policies of admission decide by. */
import { setImmediate } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { PolicyIndex } from '#access/policy-index.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { FIELD_MANAGER, LABELS, NAMESPACE_ACCESS_NAME } from '#api/names.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import type { NamespaceAccess, NamespaceAccessSpec } from '#api/namespace-access.ts';
import { perform } from '#audit/perform.ts';
import type { KubeObject } from '#kube/objects.ts';
import { deleteFound } from '#kube/delete-found.ts';
import { createController } from '#runtime/controller.ts';
import type { Controller, ReconcileContext, Result } from '#runtime/controller.ts';
import type { Informer } from '#runtime/informer.ts';
import { compileNamespaceAccess, isStrict } from '../twin/compile-access.ts';
import type { ConfigurationDeps } from './deps.ts';

export type StoredAccess = NamespaceAccess & KubeObject;

export interface AccessWriterDeps extends Pick<
  ConfigurationDeps,
  'client' | 'world' | 'audit' | 'clock' | 'log' | 'runtimeMetrics' | 'operator'
> {
  readonly accesses: Informer<StoredAccess>;
  /** Whether the webhook is asked, and must answer, about pods of the namespace. */
  isStrictInForce(namespace: string): boolean;
  /** The list of strict namespaces may have changed. */
  readonly onStrictChange: () => void;
}

export interface AccessWriter {
  readonly controller: Controller;
  enqueue(namespace: string): void;
  enqueueAll(): void;
  /** Pods changed: only of interest where Secrets are remembered that were guarded once. */
  podsChanged(namespace: string): void;
  /** Those where something hangs on what only the webhook knows, now or by what is still written. */
  strictNamespaces(): readonly string[];
  /** Whether every guarded namespace has a table. */
  isSettled(): boolean;
}

/** Changes come in crowds: a rollout of policies, a namespace full of credentials. */
const SETTLE_MS = 200;
/** The configuration with the namespace in its list is on its way. */
const WAIT_FOR_STRICT_MS = 250;
/** What no pod uses any more goes out of the table, also where nothing is heard. */
const LOOK_AGAIN_MS = 60_000;
/** As many as the schema takes; the replicas that saw them remember all. */
const MAX_FORMER = 1_000;

export function createAccessWriter(deps: AccessWriterDeps): AccessWriter {
  const { client, world, audit, accesses, operator } = deps;
  /** By what was compiled last; only of guarded namespaces. */
  const wanted = new Map<string, boolean>();
  const compiled = new Map<
    string,
    {
      readonly index: PolicyIndex;
      readonly credentials: readonly ExchangeCredential[];
      readonly spec: NamespaceAccessSpec;
    }
  >();

  const storedOf = (namespace: string): StoredAccess | undefined =>
    accesses.get(`${namespace}/${NAMESPACE_ACCESS_NAME}`);

  function note(namespace: string, strict: boolean | undefined): void {
    if (wanted.get(namespace) === strict) return;
    if (strict === undefined) wanted.delete(namespace);
    else wanted.set(namespace, strict);
    deps.onStrictChange();
  }

  /** Nothing is compiled twice, and between two namespaces whoever else has work gets a turn. */
  async function compile(namespace: string): Promise<NamespaceAccessSpec> {
    const index = world.policyIndex();
    const credentials = world.credentials(namespace);
    const known = compiled.get(namespace);
    if (known?.index === index && known.credentials === credentials) return known.spec;
    await setImmediate();
    const spec = compileNamespaceAccess(index, namespace, credentials);
    compiled.set(namespace, { index, credentials, spec });
    return spec;
  }

  async function remove(namespace: string, { signal, reconcileId }: ReconcileContext) {
    note(namespace, undefined);
    compiled.delete(namespace);
    const stored = storedOf(namespace);
    if (stored === undefined) return;
    await perform(
      audit,
      {
        act: 'NamespaceAccessRemoved',
        actor: { kind: 'Operator', name: operator.instance },
        object: objectOf(namespace),
        requestId: reconcileId,
      },
      () => deleteFound(client, NAMESPACE_ACCESSES, stored, signal),
      signal,
    );
  }

  async function reconcile(namespace: string, context: ReconcileContext): Promise<Result> {
    if (!accesses.hasSynced) return { kind: 'after', ms: SETTLE_MS };
    const view = world.guardedNamespaces().find(({ name }) => name === namespace);
    if (view === undefined) {
      await remove(namespace, context);
      return { kind: 'done' };
    }
    // It goes with all that is in it.
    if (view.isDeleting) return { kind: 'done' };
    const former = world.formerSecrets(namespace).slice(0, MAX_FORMER);
    const spec = withFormer(await compile(namespace), former);
    const next: Result =
      former.length === 0 ? { kind: 'done' } : { kind: 'after', ms: LOOK_AGAIN_MS };
    note(namespace, isStrict(spec));
    const stored = storedOf(namespace);
    if (stored !== undefined && isDeepStrictEqual(stored.spec, spec)) return next;
    // The webhook first: in between, nobody would decide what the table leaves open.
    if (isStrict(spec) && !deps.isStrictInForce(namespace)) {
      return { kind: 'after', ms: WAIT_FOR_STRICT_MS };
    }
    await write(namespace, spec, context);
    return next;
  }

  async function write(
    namespace: string,
    spec: NamespaceAccessSpec,
    { signal, reconcileId }: ReconcileContext,
  ): Promise<void> {
    await perform(
      audit,
      {
        act: 'NamespaceAccessWritten',
        actor: { kind: 'Operator', name: operator.instance },
        object: objectOf(namespace),
        requestId: reconcileId,
        details: {
          secrets: Object.keys(spec.secrets ?? {}).length,
          rules: spec.rules?.length ?? 0,
          incomplete: spec.incomplete === true,
        },
      },
      () =>
        client.apply<StoredAccess>(
          NAMESPACE_ACCESSES,
          {
            apiVersion: 'strongroom.dev/v1alpha1',
            kind: 'NamespaceAccess',
            metadata: {
              namespace,
              name: NAMESPACE_ACCESS_NAME,
              labels: { [LABELS.managedBy]: FIELD_MANAGER },
            },
            spec,
          },
          { fieldManager: FIELD_MANAGER, force: true, signal },
        ),
      signal,
    );
  }

  const controller = createController({
    name: 'namespace-access',
    reconcile,
    concurrency: 4,
    clock: deps.clock,
    log: deps.log,
    ...(deps.runtimeMetrics === undefined ? {} : { metrics: deps.runtimeMetrics }),
  });
  const enqueue = (namespace: string): void => controller.enqueueAfter(namespace, SETTLE_MS);
  accesses.onChange(({ object }) => {
    const { namespace = '' } = object.metadata;
    enqueue(namespace);
    // What ceased to be strict has been written: the list can follow.
    deps.onStrictChange();
  });

  return {
    controller,
    enqueue,
    enqueueAll() {
      for (const { name } of world.guardedNamespaces()) enqueue(name);
      for (const { metadata } of accesses.list()) enqueue(metadata.namespace ?? '');
    },
    podsChanged(namespace) {
      if ((storedOf(namespace)?.spec.formerSecrets ?? []).length > 0) enqueue(namespace);
    },
    strictNamespaces: () =>
      world
        .guardedNamespaces()
        .map(({ name }) => name)
        .filter((name) => {
          const stored = storedOf(name);
          return wanted.get(name) === true || (stored !== undefined && isStrict(stored.spec));
        })
        .sort(),
    isSettled: () =>
      accesses.hasSynced &&
      world
        .guardedNamespaces()
        .every(({ name, isDeleting }) => isDeleting || storedOf(name) !== undefined),
  };
}

/** Names take up little beside a table; one that is too large as it is keeps them, too. */
function withFormer(
  spec: NamespaceAccessSpec,
  formerSecrets: readonly string[],
): NamespaceAccessSpec {
  return formerSecrets.length === 0 ? spec : { ...spec, formerSecrets };
}

function objectOf(namespace: string) {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'NamespaceAccess',
    namespace,
    name: NAMESPACE_ACCESS_NAME,
  };
}
