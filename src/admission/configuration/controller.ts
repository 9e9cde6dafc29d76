/**
 * Applies what makes the API server ask: webhook configurations, and the policies that stand for
 * them. What others change or delete is told and left alone, until somebody asks for it back; only
 * the CA bundle is always kept right, or a renewal would lock everybody out.
 */
import { isDeepStrictEqual } from 'node:util';
import { ANNOTATIONS, FIELD_MANAGER, LABELS, NAMESPACE_ACCESS_NAME } from '#api/names.ts';
import { serviceAccountUsername } from '#access/identity.ts';
import { perform } from '#audit/perform.ts';
import { isKubeError } from '#kube/errors.ts';
import type { KubeObject, OwnerReference, ValidatingWebhookConfiguration } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import {
  CLUSTER_ROLES,
  CONFIG_MAPS,
  MUTATING_POLICIES,
  MUTATING_POLICY_BINDINGS,
  MUTATING_WEBHOOKS,
  VALIDATING_POLICIES,
  VALIDATING_POLICY_BINDINGS,
  VALIDATING_WEBHOOKS,
} from '#kube/resources.ts';
import { createController } from '#runtime/controller.ts';
import type { ReconcileContext, Result } from '#runtime/controller.ts';
import { ADMISSION_MEMORY } from '../twin/own-policies.ts';
import { twinPolicies } from '../twin/policies.ts';
import { createAccessWriter } from './access-writer.ts';
import type { AdmissionConfiguration, ConfigurationDeps, DriftFinding } from './deps.ts';
import { createFollowed } from './followed.ts';
import { contentDigest, hasBundleOf, memoryKey, readMemory, stepFor } from './memory.ts';
import type { Memory, ObjectStep, Remembered } from './memory.ts';
import { createConfigurationMetrics } from './metrics.ts';
import { WEBHOOKS_NAME, strictNamespacesIn, webhookConfigurations } from './webhooks.ts';

const KEY = 'configurations';
const SETTLE_MS = 200;
const WAIT_MS = 250;
/** Pods of a namespace without a table are refused: at a first start the tables are written before. */
const MAX_WAIT_MS = 10_000;
const REPEAT_MS = 300_000;

interface Wanted {
  readonly resource: Resource;
  readonly object: KubeObject;
}

interface Planned extends Wanted {
  readonly key: string;
  readonly step: ObjectStep;
  readonly found: KubeObject | undefined;
}

export function createConfigurationController(deps: ConfigurationDeps): AdmissionConfiguration {
  const { client, audit, clock, log, operator, options, caBundle, runtimeMetrics } = deps;
  const settings = {
    operatorNamespace: operator.namespace,
    operatorUsername: serviceAccountUsername(operator.namespace, operator.serviceAccount),
  };
  const twin = twinPolicies(settings);
  const metrics = createConfigurationMetrics(deps.registry);
  const followed = createFollowed(deps);
  const startedMs = clock.monotonicMs();
  let drift: readonly DriftFinding[] = [];
  /** Of this leader; read once. */
  let memory: Memory | undefined;
  /** The request to restore that was carried out last. */
  let restored: string | undefined;
  let bundleSince: number | undefined;

  const controller = createController({
    name: 'admission-configuration',
    reconcile,
    concurrency: 1,
    clock,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  });
  const soon = (): void => controller.enqueueAfter(KEY, SETTLE_MS);

  const writer = createAccessWriter({
    client,
    world: deps.world,
    audit,
    clock,
    log,
    operator,
    ...(runtimeMetrics === undefined ? {} : { runtimeMetrics }),
    accesses: followed.accesses,
    isStrictInForce,
    onStrictChange: soon,
  });

  /** Where the configuration is not ours to change, nothing is waited for. */
  function isStrictInForce(namespace: string): boolean {
    const isTaken = drift.some(
      ({ kind, name }) => kind === 'ValidatingWebhookConfiguration' && name === WEBHOOKS_NAME,
    );
    if (isTaken) return true;
    const found = followed.get(VALIDATING_WEBHOOKS, WEBHOOKS_NAME);
    return (
      found !== undefined &&
      strictNamespacesIn(found as ValidatingWebhookConfiguration).includes(namespace)
    );
  }

  function webhooks(): readonly Wanted[] {
    const bundle = caBundle.current();
    // Before there is a certificate nobody could be asked.
    if (bundle === undefined) return [];
    const { validating, mutating } = webhookConfigurations({
      ...settings,
      endpoint: options.endpoint,
      caBundle: bundle,
      strictNamespaces: writer.strictNamespaces(),
      isLabelledByPolicy: followed.servesMutatingPolicies() === true,
      detectsCopies: options.detectsCopies,
    });
    return [
      { resource: VALIDATING_WEBHOOKS, object: validating },
      { resource: MUTATING_WEBHOOKS, object: mutating },
    ];
  }

  function wantedObjects(): readonly Wanted[] {
    const as =
      (resource: Resource) =>
      (object: KubeObject): Wanted => ({ resource, object });
    return [
      ...twin.policies.map(as(VALIDATING_POLICIES)),
      ...(followed.servesMutatingPolicies() === true
        ? [
            ...twin.mutatingPolicies.map(as(MUTATING_POLICIES)),
            ...twin.mutatingBindings.map(as(MUTATING_POLICY_BINDINGS)),
          ]
        : []),
      ...webhooks(),
      // Last, since a binding is what puts a policy to work.
      ...twin.bindings.map(as(VALIDATING_POLICY_BINDINGS)),
    ];
  }

  async function reconcile(_: string, context: ReconcileContext): Promise<Result> {
    const { signal } = context;
    if (!followed.isSynced()) return { kind: 'after', ms: WAIT_MS };
    memory ??= await recall(signal);
    const isFirst = Object.keys(memory).length === 0;
    const isEarly = clock.monotonicMs() - startedMs < MAX_WAIT_MS;
    if (isFirst && isEarly && !isPrepared()) return { kind: 'after', ms: WAIT_MS };

    const asked = followed.memory.get(`${operator.namespace}/${ADMISSION_MEMORY}`)?.metadata
      .annotations?.[ANNOTATIONS.restore];
    const isRestoring = asked !== undefined && asked !== restored;
    const planned = await plan(wantedObjects(), memory, isRestoring, signal);
    await carryOut(planned, memory, context);
    if (isRestoring) {
      await client.mergePatch(
        CONFIG_MAPS,
        { namespace: operator.namespace, name: ADMISSION_MEMORY },
        { metadata: { annotations: { [ANNOTATIONS.restore]: null } } },
        { fieldManager: FIELD_MANAGER, signal },
      );
      restored = asked;
    }
    tell(planned);
    metrics.strict(writer.strictNamespaces().length);
    writer.enqueueAll();
    return { kind: 'after', ms: REPEAT_MS };
  }

  /** Strict namespaces get their tables once the webhooks are there: those are not waited for. */
  function isPrepared(): boolean {
    if (caBundle.current() === undefined) return false;
    return writer.isSettled() || writer.strictNamespaces().length > 0;
  }

  async function recall(signal: AbortSignal): Promise<Memory> {
    const at = { namespace: operator.namespace, name: ADMISSION_MEMORY };
    const found = await client.find(CONFIG_MAPS, at, { signal });
    return readMemory(found?.data?.['applied']);
  }

  async function remember(next: Memory, signal: AbortSignal): Promise<void> {
    if (isDeepStrictEqual(next, memory)) return;
    await client.apply(
      CONFIG_MAPS,
      {
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: {
          namespace: operator.namespace,
          name: ADMISSION_MEMORY,
          labels: { [LABELS.component]: 'admission' },
        },
        data: { applied: JSON.stringify(next) },
      },
      { fieldManager: FIELD_MANAGER, force: true, signal },
    );
    memory = next;
  }

  /** What the cache says is looked at again where it asks for anything: it may lag behind. */
  async function plan(
    wanted: readonly Wanted[],
    known: Memory,
    isRestoring: boolean,
    signal: AbortSignal,
  ): Promise<readonly Planned[]> {
    const planned: Planned[] = [];
    for (const { resource, object } of wanted) {
      const key = memoryKey(object);
      const { name } = object.metadata;
      let found = followed.get(resource, name);
      let step = stepFor(object, found, known[key], isRestoring);
      if (step !== 'Leave') {
        found = await client.find(resource, { name }, { signal });
        step = stepFor(object, found, known[key], isRestoring);
      }
      planned.push({ resource, object, key, step, found });
    }
    return planned;
  }

  async function carryOut(
    planned: readonly Planned[],
    known: Memory,
    context: ReconcileContext,
  ): Promise<void> {
    const { signal } = context;
    const applied = planned.filter(({ step }) => step === 'Apply');
    const gone = Object.keys(known).filter((key) => isOver(key, planned));
    if (applied.length > 0 || gone.length > 0) {
      const owners = await ownerReferences(signal);
      const next: Record<string, Remembered> = { ...known };
      // Before the first write: what a leader dies over is applied anew by the next one.
      for (const { key, object } of applied) next[key] = { wanted: contentDigest(object) };
      await remember({ ...next }, signal);
      for (const one of applied) {
        const made = await apply(one, owners, context);
        next[one.key] = { wanted: contentDigest(one.object), found: contentDigest(made) };
      }
      for (const key of gone) {
        await remove(key, context);
        delete next[key];
      }
      await remember(next, signal);
    }
    for (const one of planned) {
      if (one.step === 'RenewBundle') await apply(one, undefined, context);
      if (one.step === 'ChangedRenewBundle') await renewBundle(one, context);
    }
  }

  /** What an older version applied and this one does not; webhooks only wait for their certificate. */
  function isOver(key: string, planned: readonly Planned[]): boolean {
    const isPlanned = planned.some((one) => one.key === key);
    return !isPlanned && !key.endsWith(`WebhookConfiguration/${WEBHOOKS_NAME}`);
  }

  function recordOf(act: string, object: KubeObject, { reconcileId }: ReconcileContext) {
    return {
      act,
      actor: { kind: 'Operator' as const, name: operator.instance },
      object: {
        apiVersion: object.apiVersion,
        kind: object.kind,
        name: object.metadata.name,
      },
      requestId: reconcileId,
    };
  }

  async function apply(
    { resource, object, found }: Planned,
    owners: readonly OwnerReference[] | undefined,
    context: ReconcileContext,
  ): Promise<KubeObject> {
    const ownerReferences = owners ?? found?.metadata.ownerReferences ?? [];
    return perform(
      audit,
      recordOf('AdmissionConfigured', object, context),
      () =>
        client.apply(
          resource,
          { ...object, metadata: { ...object.metadata, ownerReferences } },
          { fieldManager: FIELD_MANAGER, force: true, signal: context.signal },
        ),
      context.signal,
    );
  }

  /** On what others changed: their change stays, and ours is believed. */
  async function renewBundle(
    { resource, object, found }: Planned,
    context: ReconcileContext,
  ): Promise<void> {
    const { webhooks: own = [] } = object as ValidatingWebhookConfiguration;
    const { webhooks: theirs = [] } = (found ?? {}) as ValidatingWebhookConfiguration;
    const bundle = own[0]?.clientConfig.caBundle;
    if (bundle === undefined || theirs.length === 0) return;
    const { name } = object.metadata;
    await perform(
      audit,
      recordOf('AdmissionTrustRenewed', object, context),
      () =>
        client.jsonPatch(
          resource,
          { name },
          theirs.flatMap((webhook, place) => [
            { op: 'test' as const, path: `/webhooks/${place}/name`, value: webhook.name },
            {
              op: 'add' as const,
              path: `/webhooks/${place}/clientConfig/caBundle`,
              value: bundle,
            },
          ]),
          { fieldManager: FIELD_MANAGER, signal: context.signal },
        ),
      context.signal,
    );
  }

  async function remove(key: string, context: ReconcileContext): Promise<void> {
    const [kind = '', name = ''] = key.split('/');
    const resource = [
      VALIDATING_WEBHOOKS,
      MUTATING_WEBHOOKS,
      VALIDATING_POLICIES,
      VALIDATING_POLICY_BINDINGS,
      MUTATING_POLICIES,
      MUTATING_POLICY_BINDINGS,
    ].find((one) => one.kind === kind);
    if (resource === undefined || !name.startsWith('strongroom-')) return;
    const object = { apiVersion: 'admissionregistration.k8s.io/v1', kind, metadata: { name } };
    await perform(
      audit,
      recordOf('AdmissionConfigurationRemoved', object, context),
      async () => {
        try {
          await client.delete(resource, { name }, { signal: context.signal });
        } catch (error) {
          if (!isKubeError(error, 'ERR_KUBE_NOT_FOUND')) throw error;
        }
      },
      context.signal,
    );
  }

  /** None where the operator runs without the chart. */
  async function ownerReferences(signal: AbortSignal): Promise<readonly OwnerReference[]> {
    const name = options.ownerClusterRole;
    const owner = await client.find(CLUSTER_ROLES, { name }, { signal });
    const uid = owner?.metadata.uid;
    return uid === undefined
      ? []
      : [{ apiVersion: 'rbac.authorization.k8s.io/v1', kind: 'ClusterRole', name, uid }];
  }

  function tell(planned: readonly Planned[]): void {
    const next = planned.flatMap(findingOf).sort((a, b) => (idOf(a) < idOf(b) ? -1 : 1));
    for (const finding of next) {
      if (drift.some((known) => idOf(known) === idOf(finding))) continue;
      const one = planned.find(({ key }) => key === `${finding.kind}/${finding.name}`);
      if (one === undefined) continue;
      log.warn({ kind: finding.kind, name: finding.name, what: finding.what }, finding.message);
      deps.events.emit({
        object: one.found ?? one.object,
        type: 'Warning',
        reason: `AdmissionConfiguration${finding.what}`,
        action: 'WatchAdmission',
        note: finding.message,
      });
    }
    drift = next;
    metrics.drift(drift);
  }

  function observeBundle(): void {
    if (!followed.isSynced()) return;
    const right = webhooks().every(({ resource, object }) => {
      const found = followed.get(resource, object.metadata.name);
      return found === undefined || hasBundleOf(object, found);
    });
    bundleSince =
      right && caBundle.current() !== undefined ? (bundleSince ?? clock.now()) : undefined;
  }

  followed.onChange(() => {
    observeBundle();
    soon();
  });
  followed.memory.onChange(soon);
  caBundle.onChange(() => {
    bundleSince = undefined;
    observeBundle();
    controller.enqueue(KEY, 'urgent');
  });
  deps.policies.onChange((change) => {
    // A change of status alone changes nothing that anybody decides by.
    if (
      change.type === 'Updated' &&
      change.object.metadata.generation === change.previous.metadata.generation &&
      change.object.metadata.deletionTimestamp === change.previous.metadata.deletionTimestamp
    ) {
      return;
    }
    writer.enqueueAll();
    soon();
  });
  deps.namespaces.onChange(({ object }) => {
    writer.enqueue(object.metadata.name);
    soon();
  });
  deps.credentials.onChange(({ object }) => writer.enqueue(object.metadata.namespace ?? ''));
  deps.onPods(writer.podsChanged);

  return {
    informers: followed.runnables,
    controllers: [
      writer.controller,
      {
        name: controller.name,
        run: (signal) => {
          controller.enqueue(KEY, 'urgent');
          writer.enqueueAll();
          return controller.run(signal);
        },
      },
    ],
    drift: () => drift,
    bundleObserved() {
      if (bundleSince === undefined) observeBundle();
      return bundleSince;
    },
    writtenAccess: (namespace) =>
      followed.accesses.get(`${namespace}/${NAMESPACE_ACCESS_NAME}`)?.spec,
    lastActivityAgeMs: followed.lastActivityAgeMs,
  };
}

function idOf({ kind, name, what }: DriftFinding): string {
  return `${kind}/${name}/${what}`;
}

const BACK = 'it is not put back by itself: "strongroom admission restore" does it';

function findingOf({ object, step }: Planned): readonly DriftFinding[] {
  const { kind, metadata } = object;
  const { name } = metadata;
  if (step === 'Missing') {
    return [
      { kind, name, what: 'Missing', message: `${kind} ${name} was deleted by somebody; ${BACK}` },
    ];
  }
  if (step === 'Changed' || step === 'ChangedRenewBundle') {
    return [
      { kind, name, what: 'Changed', message: `${kind} ${name} was changed by somebody; ${BACK}` },
    ];
  }
  return [];
}
