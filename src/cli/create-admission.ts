/** Admission with what it needs of the world: caches of the other controllers, keys, configuration. */
import { readFile } from 'node:fs/promises';
import type { Registry } from 'prom-client';
import type { AccessController } from '#access/deps.ts';
import type { GuardBoard } from '#access/guard-board.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { EmergencySettings } from '#access/emergency/settings.ts';
import { serviceAccountUsername } from '#access/identity.ts';
import type { Subject } from '#api/access-policy.ts';
import type { Audit } from '#audit/audit.ts';
import type { AdmissionKeys } from '#cli/create-admission-keys.ts';
import type { OperatorConfig } from '#cli/operator-config.ts';
import { createAwaitCaches } from '#admission/await-caches.ts';
import { createConfigurationController } from '#admission/configuration/controller.ts';
import type { WebhookEndpoint } from '#admission/configuration/deps.ts';
import { createAdmissionWorld } from '#admission/create-world.ts';
import { decideAdmission } from '#admission/decide-admission.ts';
import { createGuardCheck } from '#admission/guard-check.ts';
import { createAdmissionHandler } from '#admission/handler.ts';
import type { AdmissionMetrics } from '#admission/metrics.ts';
import { droppedStamps, mutateAdmission } from '#admission/mutate-admission.ts';
import type { AdmissionRequest } from '#admission/request.ts';
import type { RuleContext } from '#admission/rule.ts';
import { createAdmissionServer } from '#admission/server/create-server.ts';
import type { Finding } from '#admission/verdict.ts';
import type { CredentialsController } from '#credentials/deps.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Service } from '#kube/objects.ts';
import type { Clock } from '#runtime/clock.ts';
import type { EventRecorder } from '#runtime/events.ts';
import type { Check } from '#runtime/health.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Logger } from '#runtime/log.ts';
import type { Runnable } from '#runtime/manager.ts';
import type { RuntimeMetrics } from '#runtime/metrics.ts';
import type { Random } from '#runtime/random.ts';

export interface AdmissionParts {
  /** Guarded by the lease. */
  readonly guardedClient: KubeClient;
  readonly keys: AdmissionKeys;
  readonly metrics: AdmissionMetrics;
  readonly credentials: CredentialsController;
  readonly access: AccessController;
  readonly service: (namespace: string, name: string) => Service | undefined;
  readonly accesses: Informer<EmergencyAccess>;
  readonly emergency: EmergencySettings;
  readonly onEmergencyUse: (namespace: string, name: string) => void;
  /** Whose value one is; absent: copies are not looked for. */
  readonly ownerOfValue?: (value: Uint8Array) => string | undefined;
  readonly guardBoard: GuardBoard;
  /** Whether all caches hold what there is in the cluster. */
  readonly isSynced: () => boolean;
  readonly audit: Audit;
  /** Guarded by the lease. */
  readonly events: EventRecorder;
  /** Of this replica, whoever leads: reviews come to all of them. */
  readonly ownEvents: EventRecorder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  readonly registry: Registry;
  readonly runtimeMetrics: RuntimeMetrics;
}

export interface Admission {
  /** On every replica. The last one serves; what decisions need has to be ready before. */
  readonly informers: readonly Runnable[];
  readonly server: Runnable;
  /** On the leader only. */
  readonly controllers: readonly Runnable[];
  /** For readiness: whether reviews can be served. */
  readonly ready: Readonly<Record<string, Check>>;
  lastActivityAgeMs(): number;
}

export async function createAdmission(
  config: OperatorConfig,
  parts: AdmissionParts,
): Promise<Admission> {
  const { admission, namespace, identity, serviceAccount } = config;
  const { credentials, access, keys, metrics, guardBoard, clock, random, log, registry } = parts;
  const operator = { namespace, serviceAccount, instance: identity };
  const endpoint: WebhookEndpoint =
    admission.url === undefined
      ? { service: { ...admission.service, namespace } }
      : { url: admission.url };

  const world = createAdmissionWorld({
    policies: { index: access.index, inForce: access.inForce, get: access.policies.get },
    namespaces: credentials.namespaces,
    credentials: credentials.credentials,
    accounts: access.accounts,
    emergencyAccesses: parts.accesses,
    contents: credentials.view,
    onPods: credentials.onPods,
    // It follows the world, and is followed by it.
    writtenAccess: (name) => configuration.writtenAccess(name),
    now: clock.monotonicMs,
    service: parts.service,
    ownerOfValue: parts.ownerOfValue ?? (() => undefined),
  });
  const caches = createAwaitCaches({
    world,
    knowsContents: (name) => credentials.view(name) !== undefined,
    clock,
  });
  credentials.namespaces.onChange(caches.heard);
  credentials.onNamespace(caches.heard);

  const settings = {
    operatorNamespace: namespace,
    operatorUsername: serviceAccountUsername(namespace, serviceAccount),
    emergency: parts.emergency,
    bootstrapSubjects: admission.bootstrapSubjects.map(subjectOf),
  };
  const context = (): RuleContext => ({ world, settings, nowMs: clock.now() });

  function onFinding({ object, namespace: where, name }: AdmissionRequest, finding: Finding): void {
    if (object === undefined) return;
    parts.ownEvents.emit({
      object: {
        ...object,
        metadata: {
          ...object.metadata,
          name: object.metadata.name ?? name,
          ...(where === undefined ? {} : { namespace: where }),
        },
      },
      type: 'Warning',
      reason: finding.type,
      action: 'ReviewRequest',
      note: finding.message,
    });
  }

  const handle = createAdmissionHandler({
    decide: (request) => decideAdmission(request, context()),
    prepare: caches.prepare,
    mutate(request) {
      const key = keys.stampKey();
      // Not reached: without the key nothing is served.
      if (key === undefined) throw new Error('the key of stamps is not known');
      return mutateAdmission(request, context(), key);
    },
    remarks: droppedStamps,
    audit: parts.audit,
    metrics,
    clock,
    isReady: () => parts.isSynced() && keys.stampKey() !== undefined,
    log,
    onEmergencyUse: parts.onEmergencyUse,
    onFinding,
  });
  const { clientCa, limits } = admission;
  const server = createAdmissionServer({
    ...(admission.host === undefined ? {} : { host: admission.host }),
    port: admission.port,
    certificates: keys,
    handle,
    limits: {
      bodyBytes: limits.requestBytes,
      inFlight: limits.concurrency,
      connections: limits.connections,
    },
    ...(clientCa === undefined
      ? {}
      : {
          clientAuth: {
            bundle: await readFile(clientCa.file, 'utf8'),
            allowedNames: clientCa.commonNames,
          },
        }),
    clock,
    log,
    metrics,
  });

  const configuration = createConfigurationController({
    client: parts.guardedClient,
    world,
    policies: access.policies,
    namespaces: credentials.namespaces,
    credentials: credentials.credentials,
    onPods: credentials.onPods,
    caBundle: { current: keys.caBundle, onChange: keys.onChange },
    audit: parts.audit,
    events: parts.events,
    clock,
    random,
    log,
    registry,
    runtimeMetrics: parts.runtimeMetrics,
    operator,
    options: {
      endpoint,
      ownerClusterRole: OWNER,
      detectsCopies: admission.detectCopies,
    },
  });
  keys.observe(() => {
    const caBundle = keys.caBundle();
    const sinceMs = configuration.bundleObserved();
    return caBundle === undefined || sinceMs === undefined ? undefined : { caBundle, sinceMs };
  });
  const guardCheck = createGuardCheck({
    client: parts.guardedClient,
    board: guardBoard,
    drift: configuration.drift,
    guardedNamespace: () =>
      world.guardedNamespaces().find(({ name }) => credentials.isReady(name))?.name,
    clock,
    log,
    registry,
  });

  return {
    informers: [...keys.followers, ...configuration.informers],
    server,
    controllers: [keys.renewer, ...configuration.controllers, guardCheck],
    ready: {
      certificate: () =>
        keys.current() === undefined ? 'no certificate of the webhook yet' : undefined,
      webhook: () => (server.port() === undefined ? 'the webhook does not listen yet' : undefined),
    },
    lastActivityAgeMs: () => Math.max(keys.lastActivityAgeMs(), configuration.lastActivityAgeMs()),
  };
}

/** The chart's own: with it go the configurations. */
const OWNER = 'strongroom-operator';

function subjectOf({
  kind,
  name,
  namespace,
}: OperatorConfig['admission']['bootstrapSubjects'][number]): Subject {
  return { kind, name, ...(namespace === undefined ? {} : { namespace }) };
}
