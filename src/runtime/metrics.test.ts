import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createController } from './controller.ts';
import { silentLogger } from './log.ts';
import { createRuntimeMetrics } from './metrics.ts';
import { createFakeClock } from './testing/fake-clock.ts';

describe('metrics of the runtime', () => {
  it('have the names that dashboards for Go controllers use', async () => {
    const registry = new Registry();
    createRuntimeMetrics(registry);
    expect(registry.getMetricsAsArray().map(({ name }) => name)).toEqual(
      expect.arrayContaining([
        'workqueue_depth',
        'workqueue_adds_total',
        'workqueue_retries_total',
        'workqueue_queue_duration_seconds',
        'workqueue_work_duration_seconds',
        'controller_runtime_reconcile_total',
        'controller_runtime_reconcile_errors_total',
        'controller_runtime_reconcile_time_seconds',
        'leader_election_master_status',
        'rest_client_requests_total',
      ]),
    );
  });

  it('tell how long a key waited and how long it was worked on', async () => {
    const clock = createFakeClock();
    const registry = new Registry();
    const controller = createController({
      name: 'things',
      concurrency: 1,
      async reconcile() {
        await clock.sleep(2000);
        return { kind: 'done' };
      },
      clock,
      log: silentLogger,
      metrics: createRuntimeMetrics(registry),
    });
    const stop = new AbortController();
    const running = controller.run(stop.signal);
    controller.enqueue('a/1');
    controller.enqueue('a/2');
    await clock.advance(1000);
    expect(await registry.getSingleMetricAsString('workqueue_depth')).toContain(
      'workqueue_depth{name="things"} 1',
    );
    await clock.advance(3000);
    const text = await registry.metrics();
    expect(text).toContain('workqueue_depth{name="things"} 0');
    expect(text).toContain('workqueue_queue_duration_seconds_sum{name="things"} 2\n');
    expect(text).toContain('workqueue_work_duration_seconds_sum{name="things"} 4\n');
    expect(text).toContain(
      'controller_runtime_reconcile_time_seconds_sum{controller="things"} 4\n',
    );
    stop.abort(new Error('test ends'));
    await running;
  });

  it('count calls to the API server', async () => {
    const registry = new Registry();
    const metrics = createRuntimeMetrics(registry);
    metrics.request({ verb: 'get', resource: 'secrets', status: 404, seconds: 0.02 });
    expect(await registry.getSingleMetricAsString('rest_client_requests_total')).toContain(
      'rest_client_requests_total{verb="get",resource="secrets",code="404"} 1',
    );
  });
});
