/**
 * The review of the whole cluster: RBAC of others that lets somebody round the policies, and whether
 * anybody administers the installation. It can take a while on a large cluster, so it is done once
 * for all policies, after changes have settled.
 */
import { isDeepStrictEqual } from 'node:util';
import type { AccessPolicy, Finding } from '#api/access-policy.ts';
import type {
  ClusterRole,
  ClusterRoleBinding,
  Role,
  RoleBinding,
  Namespace,
} from '#kube/objects.ts';
import type { Result } from '#runtime/controller.ts';
import type { Informer } from '#runtime/informer.ts';
import type { AccessDeps } from './deps.ts';
import { describeSubject } from './identity.ts';
import {
  administrators,
  installationStatus,
  readInstallationStatus,
  writeInstallationStatus,
} from './installation.ts';
import type { AccessMetrics } from './metrics.ts';
import type { PolicyIndex } from './policy-index.ts';
import { policyOfName } from './rbac/objects.ts';
import { expectedAccess } from './standing-access.ts';
import { findWeaknesses } from './weaknesses/find-weaknesses.ts';
import type { Weakness } from './weaknesses/find-weaknesses.ts';
import type { AccessCaches } from './world.ts';
import { isGuarded } from './world.ts';

export interface Review {
  /** Those of these namespaces, and those of the whole cluster. */
  weaknessesIn(namespaces: ReadonlySet<string>): readonly Finding[];
  /** Whether it was done once. */
  readonly isDone: boolean;
  run(signal: AbortSignal): Promise<Result>;
}

export interface ReviewDeps extends AccessDeps {
  readonly informers: {
    readonly policies: Informer<AccessPolicy>;
    readonly roles: Informer<Role>;
    readonly bindings: Informer<RoleBinding>;
    readonly clusterRoles: Informer<ClusterRole>;
    readonly clusterRoleBindings: Informer<ClusterRoleBinding>;
  };
  readonly caches: AccessCaches;
  readonly index: () => PolicyIndex;
  readonly metrics: AccessMetrics;
  /** The weaknesses are others than before. */
  readonly onChange: () => void;
}

const WAIT_MS = 250;
const MAX_WAIT_MS = 10_000;

export function createReview(deps: ReviewDeps): Review {
  const { client, guarded, clock, informers, caches, operator } = deps;
  const startedMs = clock.monotonicMs();
  let known: readonly Finding[] | undefined;

  function look(): readonly Finding[] {
    return findWeaknesses({
      ...expectedAccess(informers.policies.list()),
      roles: informers.roles.list(),
      clusterRoles: informers.clusterRoles.list(),
      roleBindings: informers.bindings.list(),
      clusterRoleBindings: informers.clusterRoleBindings.list(),
      namespaces: guarded.namespaces
        .list()
        .filter(isGuarded)
        .map(({ metadata }) => metadata.name),
      operatorNamespace: operator.namespace,
      operatorServiceAccount: operator.serviceAccount,
      deliveredSecrets: (namespace) =>
        caches
          .standing(namespace)
          .credentials.flatMap(({ facts, deliveredSecret }) =>
            deliveredSecret === undefined ? [] : [{ name: deliveredSecret, credential: facts }],
          ),
      // Where the operator has no rights it keeps nothing right, whatever the name.
      isOwn: (object) =>
        guarded.isReady(object.metadata.namespace ?? '') &&
        (policyOfName(object.metadata.name) !== undefined ||
          deps.isForEmergency?.(object) === true),
      isForEmergency: deps.isForEmergency ?? (() => false),
    }).map(findingOf);
  }

  return {
    weaknessesIn(namespaces) {
      return (known ?? []).filter(
        ({ namespace }) => namespace === undefined || namespaces.has(namespace),
      );
    },
    get isDone() {
      return known !== undefined;
    },
    async run(signal) {
      // After a start it is not known yet which Secrets are ours.
      const isEarly = known === undefined && clock.monotonicMs() - startedMs < MAX_WAIT_MS;
      const isReady = ({ metadata }: Namespace) => guarded.isReady(metadata.name);
      if (isEarly && !guarded.namespaces.list().filter(isGuarded).every(isReady)) {
        return { kind: 'after', ms: WAIT_MS };
      }
      const found = look();
      const isChanged = !isDeepStrictEqual(found, known);
      known = found;
      if (isChanged) deps.onChange();
      const holders = administrators(deps.index().policies);
      deps.metrics.administrators(holders.length);
      deps.metrics.findings(found);
      const before = await readInstallationStatus(client, operator.namespace, signal);
      const next = installationStatus(
        before,
        holders,
        found,
        clock.now(),
        deps.guardBoard?.current(),
      );
      await writeInstallationStatus(client, operator.namespace, before, next, signal);
      return { kind: 'done' };
    },
  };
}

function findingOf({ type, severity, namespace, subject, via, message }: Weakness): Finding {
  return {
    type,
    severity,
    ...(namespace === '*' ? {} : { namespace }),
    subject: describeSubject(subject),
    via,
    message,
  };
}
