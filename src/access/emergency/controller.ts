/** Puts the EmergencyAccess controller together: what it follows, what it works on, and when. */
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { LABELS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { createController } from '#runtime/controller.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Change } from '#runtime/store.ts';
import { keyOf } from '#runtime/store.ts';
import { isActive } from './active.ts';
import { isFinal } from './decide.ts';
import type { EmergencyController, EmergencyDeps } from './deps.ts';
import { accessOfStanding } from './grant.ts';
import { createEmergencyMetrics } from './metrics.ts';
import { createEmergencyReconciler } from './reconcile.ts';
import { releaseEmergency } from './release.ts';

/** Pods and Secrets come in crowds. */
const SETTLE_MS = 250;

export function createEmergencyController(deps: EmergencyDeps): EmergencyController {
  const { client, guarded, standing, clock, random, log, runtimeMetrics } = deps;
  const shared = {
    client,
    clock,
    random,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  };
  const accesses = createInformer<EmergencyAccess>({
    ...shared,
    resource: EMERGENCY_ACCESSES,
    scope: { allNamespaces: true },
    indexes: { namespace: ({ metadata }) => [metadata.namespace ?? ''] },
  });
  const metrics = createEmergencyMetrics(deps.registry, {
    accesses: accesses.list,
    nowMs: clock.now,
  });
  const notices = deps.notices(metrics.noticeLost);
  const reconciler = createEmergencyReconciler({ ...deps, accesses, metrics, notices });
  const controller = createController({
    name: 'emergency-accesses',
    reconcile: reconciler.reconcile,
    concurrency: 4,
    ...shared,
  });

  accesses.onChange((change, initial) => {
    if (change.type === 'Deleted') reconciler.deleted(change.object);
    controller.enqueue(keyOf(change.object), initial ? 'normal' : 'urgent');
  });
  /** Whoever touches what stands for an EmergencyAccess has it put right at once. */
  function onStanding<T extends KubeObject>(change: Change<T>): void {
    for (const object of change.type === 'Updated'
      ? [change.object, change.previous]
      : [change.object]) {
      const name = accessOfStanding(object);
      if (name !== undefined) {
        controller.enqueue(`${object.metadata.namespace ?? ''}/${name}`, 'urgent');
      }
    }
  }
  standing.accounts.onChange(onStanding);
  standing.roles.onChange(onStanding);
  standing.bindings.onChange(onStanding);

  function enqueueWhere(namespace: string, holds: (access: EmergencyAccess) => boolean): void {
    for (const access of accesses.byIndex('namespace', namespace)) {
      if (holds(access)) controller.enqueueAfter(keyOf(access), SETTLE_MS);
    }
  }
  const isOpen = ({ status }: EmergencyAccess): boolean => !isFinal(status?.state);
  guarded.onNamespace((namespace) => enqueueWhere(namespace, () => true));
  guarded.onPods((namespace) => enqueueWhere(namespace, isOpen));
  guarded.namespaces.onChange(({ object }) => enqueueWhere(object.metadata.name, isOpen));
  guarded.credentials.onChange(({ object }) => {
    const { namespace = '', name } = object.metadata;
    enqueueWhere(
      namespace,
      (access) =>
        isOpen(access) || access.status?.credentials?.some((one) => one.name === name) === true,
    );
  });
  guarded.beforeRelease((namespace, signal) =>
    releaseEmergency(
      client,
      namespace,
      {
        audit: deps.audit,
        actor: { kind: 'Operator', name: deps.operator.instance },
        requestId: `release/${namespace}`,
      },
      signal,
    ),
  );

  return {
    informers: [
      {
        name: 'emergency accesses',
        run: (signal) => accesses.run(signal),
        ready: (signal) => accesses.synced(signal),
      },
    ],
    controllers: [controller, notices],
    accesses,
    isOwn({ metadata }) {
      const name = accessOfStanding({ metadata });
      if (name === undefined) return false;
      const access = accesses.get(`${metadata.namespace ?? ''}/${name}`);
      return (
        access !== undefined &&
        access.metadata.uid === metadata.labels?.[LABELS.emergencyAccess] &&
        isActive(access, clock.now())
      );
    },
    resync() {
      for (const access of accesses.list()) controller.enqueue(keyOf(access), 'bulk');
    },
    lastActivityAgeMs: () => accesses.lastActivityAgeMs(),
  };
}
