import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { Finding, RefusalReason } from './verdict.ts';

export type AdmissionPath = '/validate' | '/mutate';

export interface AdmissionMetrics {
  /** `resource` as `resourceName` writes it, absent where no review could be read. */
  reviewed(review: {
    readonly path: AdmissionPath;
    readonly resource?: string;
    readonly allowed: boolean;
    readonly seconds: number;
  }): void;
  refused(reason: RefusalReason): void;
  found(type: Finding['type']): void;
  inFlight(count: number): void;
  connections(count: number): void;
  /** A review or a connection was turned away because there were too many. */
  overloaded(): void;
  /** Somebody who is not the API server, by the client certificate. */
  unauthenticated(): void;
  /** `notAfterMs` since the epoch. */
  certificateEnds(certificate: 'serving' | 'authority', notAfterMs: number): void;
}

/** Up to the longest timeout that a webhook can have: what is slow must not vanish in the last one. */
const SECONDS = [
  0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 15, 20, 30,
];

/** Values of the label; all else is `other`: who sends reviews must not choose how many there are. */
const RESOURCES: ReadonlySet<string> = new Set([
  'accesspolicies.strongroom.dev',
  'accesspolicies.strongroom.dev/status',
  'emergencyaccesses.strongroom.dev',
  'emergencyaccesses.strongroom.dev/status',
  'exchangecredentials.strongroom.dev',
  'exchangecredentials.strongroom.dev/status',
  'ipblocks.strongroom.dev',
  'ipblocks.strongroom.dev/status',
  'namespaceaccesses.strongroom.dev',
  'namespaces',
  'namespaces/status',
  'namespaces/finalize',
  'secrets',
  'serviceaccounts',
  'serviceaccounts/token',
  'pods',
  'pods/ephemeralcontainers',
  'pods/exec',
  'pods/attach',
  'pods/portforward',
  'pods/proxy',
  'services/proxy',
  'nodes/proxy',
  'podtemplates',
  'replicationcontrollers',
  'deployments.apps',
  'statefulsets.apps',
  'daemonsets.apps',
  'replicasets.apps',
  'controllerrevisions.apps',
  'jobs.batch',
  'cronjobs.batch',
  'networkpolicies.networking.k8s.io',
  'roles.rbac.authorization.k8s.io',
  'rolebindings.rbac.authorization.k8s.io',
]);

export function createAdmissionMetrics(registry: Registry): AdmissionMetrics {
  const registers = [registry];
  const durations = new Histogram({
    name: 'strongroom_admission_review_duration_seconds',
    help: 'Time from the whole body of a review to its answer, with the audit record',
    labelNames: ['path', 'resource', 'allowed'] as const,
    buckets: SECONDS,
    registers,
  });
  const refusals = new Counter({
    name: 'strongroom_admission_refusals_total',
    help: 'Refused requests, by reason',
    labelNames: ['reason'] as const,
    registers,
  });
  const findings = new Counter({
    name: 'strongroom_admission_findings_total',
    help: 'What was noticed in requests and is no reason to refuse them, by type',
    labelNames: ['type'] as const,
    registers,
  });
  const inFlight = new Gauge({
    name: 'strongroom_admission_reviews_in_flight',
    help: 'Reviews that are being decided',
    registers,
  });
  const connections = new Gauge({
    name: 'strongroom_admission_connections',
    help: 'Open connections to the webhook',
    registers,
  });
  const overloaded = new Counter({
    name: 'strongroom_admission_overloaded_total',
    help: 'Reviews and connections turned away because there were too many',
    registers,
  });
  const unauthenticated = new Counter({
    name: 'strongroom_admission_unauthenticated_total',
    help: 'Requests to the webhook with a client certificate of another name than is allowed',
    registers,
  });
  const certificateEnds = new Gauge({
    name: 'strongroom_admission_certificate_not_after_seconds',
    help: 'When a certificate of the webhook ends, in seconds since the epoch',
    labelNames: ['certificate'] as const,
    registers,
  });
  return {
    reviewed({ path, resource = 'other', allowed, seconds }) {
      const known = RESOURCES.has(resource) ? resource : 'other';
      durations.observe({ path, resource: known, allowed: String(allowed) }, seconds);
    },
    refused: (reason) => refusals.inc({ reason }),
    found: (type) => findings.inc({ type }),
    inFlight: (count) => inFlight.set(count),
    connections: (count) => connections.set(count),
    overloaded: () => overloaded.inc(),
    unauthenticated: () => unauthenticated.inc(),
    certificateEnds: (certificate, notAfterMs) =>
      certificateEnds.set({ certificate }, notAfterMs / 1000),
  };
}
