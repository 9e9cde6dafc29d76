/** The webhook from bytes to bytes, with caches as large as those of a large installation. */
import { createWriteStream } from 'node:fs';
import { Registry } from 'prom-client';
import { pino } from 'pino';
import { createPolicyIndex } from '../src/access/policy-index.ts';
import type { AccessPolicy } from '../src/api/access-policy.ts';
import type { EmergencyAccess } from '../src/api/emergency-access.ts';
import type { ExchangeCredential } from '../src/api/exchange-credential.ts';
import { createAdmissionWorld } from '../src/admission/create-world.ts';
import { decideAdmission } from '../src/admission/decide-admission.ts';
import { createAdmissionHandler } from '../src/admission/handler.ts';
import type { AdmissionHandler } from '../src/admission/handler.ts';
import { createAdmissionMetrics } from '../src/admission/metrics.ts';
import type { AdmissionMetrics } from '../src/admission/metrics.ts';
import { mutateAdmission } from '../src/admission/mutate-admission.ts';
import { createStdoutAudit, streamWriter } from '../src/audit/stdout.ts';
import type { KubeObject, Namespace, ServiceAccount } from '../src/kube/objects.ts';
import { systemClock } from '../src/runtime/clock.ts';
import { createStore } from '../src/runtime/store.ts';
import type { IndexFunctions } from '../src/runtime/store.ts';
import {
  CREDENTIALS,
  NAMESPACES,
  POLICIES,
  accountName,
  credentialName,
  namespaceName,
} from './admission-scene.ts';

function cacheOf<T extends KubeObject>(objects: readonly T[], indexes: IndexFunctions<T> = {}) {
  const store = createStore<T>(indexes);
  for (const object of objects) store.apply(object);
  return { ...store, onChange: () => undefined };
}

const meta = (name: string, namespace?: string) => ({
  name,
  uid: `${namespace ?? ''}-${name}-uid`,
  resourceVersion: '1',
  ...(namespace !== undefined && { namespace }),
});
const times = (count: number): readonly number[] => Array.from({ length: count }, (_, one) => one);

const namespaces = times(NAMESPACES).map((number): Namespace => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: {
    ...meta(namespaceName(number)),
    labels: { 'strongroom.dev/guarded': 'true', 'strongroom.dev/environment': 'Production' },
  },
}));
const credentials = times(CREDENTIALS).map((number): ExchangeCredential => {
  const name = credentialName(Math.floor(number / NAMESPACES));
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: { ...meta(name, namespaceName(number % NAMESPACES)), labels: { desk: 'mm' } },
    spec: {
      exchange: 'Hyperliquid',
      type: 'PrivateKey',
      environment: 'Production',
      owner: 'market-making',
      source: { generate: {} },
      delivery: { secret: { name } },
    },
  };
});
/** Each gives one account of one namespace one credential, and a team whatever is there. */
const policies = times(POLICIES).map((number): AccessPolicy => ({
  apiVersion: 'strongroom.dev/v1alpha1',
  kind: 'AccessPolicy',
  metadata: meta(`policy-${number}`),
  spec: {
    subjects: [
      {
        kind: 'ServiceAccount',
        namespace: namespaceName(number % NAMESPACES),
        name: accountName(Math.floor(number / NAMESPACES)),
      },
      { kind: 'Group', name: `team-${number % NAMESPACES}` },
    ],
    permissions: ['AccessSecrets'],
    environments: ['Production'],
    credentials: {
      namespaces: [namespaceName(number % NAMESPACES)],
      names: [credentialName(Math.floor(number / NAMESPACES))],
    },
  },
}));

const index = createPolicyIndex(policies);
const byName = new Map(policies.map((policy) => [policy.metadata.name, policy]));
const world = createAdmissionWorld({
  policies: { index: () => index, inForce: () => policies, get: (name) => byName.get(name) },
  namespaces: cacheOf(namespaces),
  credentials: cacheOf(credentials, {
    namespace: ({ metadata }) => [metadata.namespace ?? ''],
    secret: ({ metadata, spec }) => [`${metadata.namespace}/${spec.delivery.secret?.name}`],
  }),
  accounts: cacheOf<ServiceAccount>([]),
  emergencyAccesses: cacheOf<EmergencyAccess>([]),
  contents: () => ({
    pod: () => undefined,
    pods: () => [],
    podsOnNode: () => [],
  }),
  onPods: () => undefined,
  writtenAccess: () => undefined,
  now: () => 0,
  service: () => undefined,
  ownerOfValue: () => undefined,
});
const context = () => ({
  world,
  settings: {
    operatorNamespace: 'strongroom-system',
    operatorUsername: 'system:serviceaccount:strongroom-system:strongroom-operator',
    emergency: {
      maxDurationMs: 3_600_000,
      approvals: { Development: 1, Staging: 1, Production: 1 },
      selfApproval: false,
      approvalTimeoutMs: 3_600_000,
    },
  },
  nowMs: Date.now(),
});

const stampKey = new Uint8Array(32).fill(1);

/** Its records are written as an operator writes them, to nowhere. */
export function createBenchHandler(): {
  readonly handle: AdmissionHandler;
  readonly metrics: AdmissionMetrics;
} {
  const metrics = createAdmissionMetrics(new Registry());
  const write = streamWriter(createWriteStream('/dev/null'));
  const handle = createAdmissionHandler({
    decide: (request) => decideAdmission(request, context()),
    mutate: (request) => mutateAdmission(request, context(), stampKey),
    audit: createStdoutAudit({ write, clock: systemClock }),
    metrics,
    clock: systemClock,
    isReady: () => true,
    log: pino({ level: 'silent' }),
  });
  return { handle, metrics };
}
