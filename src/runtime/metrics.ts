import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { RequestObservation } from '#kube/transport.ts';

/** Metrics under the names that dashboards for Go controllers use. */
export interface RuntimeMetrics {
  queueDepth(name: string, depth: number): void;
  queueAdded(name: string): void;
  queueRetried(name: string): void;
  queueWaited(name: string, seconds: number): void;
  queueWorked(name: string, seconds: number): void;
  reconciled(controller: string, result: string, seconds: number): void;
  watchEvent(resource: string, type: string): void;
  watchEnded(resource: string, reason: string): void;
  listed(resource: string): void;
  callbackThrew(resource: string): void;
  leading(name: string, isLeader: boolean): void;
  request(observation: RequestObservation): void;
}

const SECONDS = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60];

export function createRuntimeMetrics(registry: Registry): RuntimeMetrics {
  const registers = [registry];
  const depth = new Gauge({
    name: 'workqueue_depth',
    help: 'Keys waiting in the queue',
    labelNames: ['name'],
    registers,
  });
  const adds = new Counter({
    name: 'workqueue_adds_total',
    help: 'Keys added to the queue',
    labelNames: ['name'],
    registers,
  });
  const retries = new Counter({
    name: 'workqueue_retries_total',
    help: 'Keys added again after a failure',
    labelNames: ['name'],
    registers,
  });
  const waits = new Histogram({
    name: 'workqueue_queue_duration_seconds',
    help: 'Seconds a key waited in the queue',
    labelNames: ['name'],
    buckets: SECONDS,
    registers,
  });
  const works = new Histogram({
    name: 'workqueue_work_duration_seconds',
    help: 'Seconds a key was worked on',
    labelNames: ['name'],
    buckets: SECONDS,
    registers,
  });
  const reconciles = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciliations by result: success, requeue_after, error, terminal_error',
    labelNames: ['controller', 'result'],
    registers,
  });
  const errors = new Counter({
    name: 'controller_runtime_reconcile_errors_total',
    help: 'Reconciliations that failed',
    labelNames: ['controller'],
    registers,
  });
  const times = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Seconds a reconciliation took',
    labelNames: ['controller'],
    buckets: SECONDS,
    registers,
  });
  const events = new Counter({
    name: 'watch_events_total',
    help: 'Events received from watches',
    labelNames: ['resource', 'type'],
    registers,
  });
  const ends = new Counter({
    name: 'watch_ends_total',
    help: 'Watches that ended, by reason; "server" is the normal one',
    labelNames: ['resource', 'reason'],
    registers,
  });
  const lists = new Counter({
    name: 'watch_lists_total',
    help: 'Lists that a watch started from',
    labelNames: ['resource'],
    registers,
  });
  const throws = new Counter({
    name: 'informer_callback_errors_total',
    help: 'Handlers, indexes and transforms of informers that threw',
    labelNames: ['resource'],
    registers,
  });
  const leader = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process leads',
    labelNames: ['name'],
    registers,
  });
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Calls to the API server by verb, resource and status',
    labelNames: ['verb', 'resource', 'code'],
    registers,
  });
  const requestTimes = new Histogram({
    name: 'rest_client_request_duration_seconds',
    help: 'Seconds until a call to the API server was answered',
    labelNames: ['verb'],
    buckets: SECONDS,
    registers,
  });
  return {
    queueDepth: (name, value) => depth.set({ name }, value),
    queueAdded: (name) => adds.inc({ name }),
    queueRetried: (name) => retries.inc({ name }),
    queueWaited: (name, seconds) => waits.observe({ name }, seconds),
    queueWorked: (name, seconds) => works.observe({ name }, seconds),
    reconciled(controller, result, seconds) {
      reconciles.inc({ controller, result });
      if (result.endsWith('error')) errors.inc({ controller });
      times.observe({ controller }, seconds);
    },
    watchEvent: (resource, type) => events.inc({ resource, type }),
    watchEnded: (resource, reason) => ends.inc({ resource, reason }),
    listed: (resource) => lists.inc({ resource }),
    callbackThrew: (resource) => throws.inc({ resource }),
    leading: (name, isLeader) => leader.set({ name }, isLeader ? 1 : 0),
    request({ verb, resource, status, seconds }) {
      requests.inc({ verb, resource, code: String(status) });
      requestTimes.observe({ verb }, seconds);
    },
  };
}
