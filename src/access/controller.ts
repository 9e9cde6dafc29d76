/** Puts the AccessPolicy controller together: what it follows, what it works on, and when. */
import { isDeepStrictEqual } from 'node:util';
import type { AccessPolicy } from '#api/access-policy.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  KubeObject,
  Role,
  RoleBinding,
  ServiceAccount,
} from '#kube/objects.ts';
import {
  CLUSTER_ROLE_BINDINGS,
  CLUSTER_ROLES,
  ROLE_BINDINGS,
  ROLES,
  SERVICE_ACCOUNTS,
} from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';
import { createController } from '#runtime/controller.ts';
import { createInformer } from '#runtime/informer.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { Change, IndexFunctions } from '#runtime/store.ts';
import type { AccessController, AccessDeps } from './deps.ts';
import { emergencyIndexValues } from './emergency/grant.ts';
import { createAccessMetrics } from './metrics.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { PolicyIndex } from './policy-index.ts';
import { policyOfName } from './rbac/objects.ts';
import { releaseNamespace } from './rbac/release.ts';
import { createStandingObjects, policyIndexValues } from './rbac/standing.ts';
import { createReconciler } from './reconcile.ts';
import { createReview } from './review.ts';
import { createAccessCaches } from './world.ts';

/** Changes come in crowds: a rollout of policies, a restart of the credentials controller. */
const SETTLE_MS = 100;
/** What other policies, and the RBAC of others, mean for a policy can wait a little longer. */
const REVIEW_DELAY_MS = 1_000;
const REVIEW = 'installation';

export function createAccessController(deps: AccessDeps): AccessController {
  const { client, guarded, clock, random, log, runtimeMetrics, operator } = deps;
  const shared = {
    client,
    clock,
    random,
    log,
    ...(runtimeMetrics === undefined ? {} : { metrics: runtimeMetrics }),
  };
  const metrics = createAccessMetrics(deps.registry);

  function follow<T extends KubeObject>(
    resource: Resource<T>,
    indexes: IndexFunctions<T> = {},
  ): Informer<T> {
    return createInformer<T>({ ...shared, resource, scope: { allNamespaces: true }, indexes });
  }
  const policies = follow<AccessPolicy>(ACCESS_POLICIES, {
    namespace: ({ spec }) => spec.credentials.namespaces ?? ['*'],
    account: ({ spec }) =>
      spec.subjects.flatMap(({ kind, namespace = '', name }) =>
        kind === 'ServiceAccount' ? [`${namespace}/${name}`] : [],
      ),
  });
  const roles = follow<Role>(ROLES, {
    policy: policyIndexValues,
    emergency: emergencyIndexValues,
  });
  const bindings = follow<RoleBinding>(ROLE_BINDINGS, {
    policy: policyIndexValues,
    emergency: emergencyIndexValues,
  });
  const clusterRoles = follow<ClusterRole>(CLUSTER_ROLES);
  const clusterRoleBindings = follow<ClusterRoleBinding>(CLUSTER_ROLE_BINDINGS);
  const accounts = follow<ServiceAccount>(SERVICE_ACCOUNTS, { emergency: emergencyIndexValues });
  const informers = { policies, roles, bindings, clusterRoles, clusterRoleBindings, accounts };

  interface InForce {
    readonly policies: readonly AccessPolicy[];
    readonly index: PolicyIndex;
  }
  let current: InForce | undefined;
  /** An Allow that is being deleted grants nothing any more; a Deny holds until it is gone. */
  function inForce(): InForce {
    if (current !== undefined) return current;
    const standing = policies
      .list()
      .filter(
        ({ metadata, spec }) => metadata.deletionTimestamp === undefined || spec.effect === 'Deny',
      );
    current = { policies: standing, index: createPolicyIndex(standing) };
    return current;
  }
  const index = (): PolicyIndex => inForce().index;

  const caches = createAccessCaches(guarded);
  const standing = createStandingObjects(roles, bindings);
  const review = createReview({
    ...deps,
    informers,
    caches,
    index,
    metrics,
    onChange: enqueueAll,
  });
  const controller = createController({
    name: 'access-policies',
    reconcile: createReconciler({ ...deps, informers, caches, index, standing, review, metrics }),
    concurrency: 8,
    ...shared,
  });
  const reviewer = createController({
    name: 'access-review',
    reconcile(_, { signal }) {
      // What policies mean for each other is looked at once for all that changed meanwhile.
      if (havePoliciesChanged) enqueueAll();
      havePoliciesChanged = false;
      return review.run(signal);
    },
    concurrency: 1,
    ...shared,
  });
  let havePoliciesChanged = false;
  function enqueueAll(): void {
    for (const policy of policies.list()) controller.enqueue(policy.metadata.name, 'bulk');
  }
  const reviewSoon = () => reviewer.enqueueAfter(REVIEW, REVIEW_DELAY_MS);

  policies.onChange((change, initial) => {
    const isNew = change.type !== 'Updated' || !isSameSpec(change.object, change.previous);
    // A change of status alone changes nothing that anybody decides by.
    if (!isNew) return;
    current = undefined;
    const isDeny = versionsOf(change).some(({ spec }) => spec.effect === 'Deny');
    controller.enqueue(
      change.object.metadata.name,
      isDeny ? 'urgent' : initial ? 'bulk' : 'normal',
    );
    if (!initial && isDeny) {
      for (const { metadata, spec } of policies.list()) {
        if (spec.effect !== 'Deny') controller.enqueue(metadata.name, 'urgent');
      }
    }
    havePoliciesChanged ||= !initial;
    reviewSoon();
  });

  function enqueueReaching(namespace: string, delayMs: number): void {
    for (const key of [namespace, '*']) {
      for (const { metadata } of policies.byIndex('namespace', key)) {
        controller.enqueueAfter(metadata.name, delayMs);
      }
    }
  }
  function onNamespace(namespace: string): void {
    caches.forget(namespace);
    enqueueReaching(namespace, SETTLE_MS);
    reviewSoon();
  }
  deps.guardBoard?.onChange(reviewSoon);
  deps.networkStatus.onChange((policy) => controller.enqueue(policy));
  guarded.onNamespace(onNamespace);
  guarded.namespaces.onChange(({ object }) => onNamespace(object.metadata.name));
  guarded.credentials.onChange((change) => {
    if (change.type === 'Updated' && !decidesOtherwise(change.object, change.previous)) return;
    onNamespace(change.object.metadata.namespace ?? '');
  });
  accounts.onChange((change) => {
    if (change.type === 'Updated') return;
    const { namespace = '', name } = change.object.metadata;
    for (const policy of policies.byIndex('account', `${namespace}/${name}`)) {
      controller.enqueue(policy.metadata.name);
    }
  });
  for (const informer of [roles, bindings]) {
    informer.onChange(({ object }) => {
      const policy = policyOfName(object.metadata.name);
      if (policy !== undefined) controller.enqueue(policy);
      else reviewSoon();
    });
  }
  for (const informer of [clusterRoles, clusterRoleBindings]) informer.onChange(reviewSoon);

  guarded.beforeRelease((namespace, signal) =>
    releaseNamespace(
      client,
      namespace,
      {
        audit: deps.audit,
        actor: { kind: 'Operator', name: operator.instance },
        requestId: `release/${namespace}`,
      },
      signal,
    ),
  );

  return {
    informers: Object.entries(informers).map(([name, informer]): Runnable => ({
      name: `access: ${name}`,
      run: (signal) => informer.run(signal),
      ready: (signal) => informer.synced(signal),
    })),
    controllers: [controller, reviewer],
    policies,
    accounts,
    roles,
    bindings,
    index,
    reviewSoon,
    inForce: () => inForce().policies,
    lastActivityAgeMs: () =>
      Math.max(...Object.values(informers).map((informer) => informer.lastActivityAgeMs())),
  };
}

function versionsOf<T>(change: Change<T>): readonly T[] {
  return change.type === 'Updated' ? [change.object, change.previous] : [change.object];
}

function isSameSpec(one: AccessPolicy, other: AccessPolicy): boolean {
  return (
    one.metadata.generation === other.metadata.generation &&
    one.metadata.deletionTimestamp === other.metadata.deletionTimestamp
  );
}

/** Whether anything changed that policies select by or RBAC names. */
function decidesOtherwise(one: ExchangeCredential, other: ExchangeCredential): boolean {
  return !isDeepStrictEqual(partsOf(one), partsOf(other));
}

function partsOf({ metadata, spec, status }: ExchangeCredential): unknown {
  return [
    metadata.labels,
    metadata.deletionTimestamp,
    spec.exchange,
    spec.environment,
    spec.minimumAccessLevel,
    status?.delivery?.secretName,
    status?.delivery?.secretUid,
  ];
}
