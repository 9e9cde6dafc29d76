import { describe, expect, it } from 'vitest';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import type { KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { CREATED_MS, emergencyAccess } from './testing/builders.ts';
import { createUseReporter } from './uses.ts';

interface Write {
  readonly manager: string;
  readonly subresource: string | undefined;
  readonly object: unknown;
}

function setUp(access: EmergencyAccess | undefined = emergencyAccess()) {
  const clock = createFakeClock(CREATED_MS);
  const writes: Write[] = [];
  let fault: (() => Error) | undefined;
  const known: { access: EmergencyAccess | undefined } = { access };
  const client = {
    apply: async (
      _: unknown,
      object: unknown,
      options: { fieldManager: string; subresource?: string },
    ) => {
      if (fault !== undefined) throw fault();
      writes.push({ manager: options.fieldManager, subresource: options.subresource, object });
      return object;
    },
  } as unknown as KubeClient;
  const reporter = createUseReporter({
    client,
    accesses: { get: (key) => (key === 'trading/night' ? known.access : undefined) },
    replica: 'operator-1',
    clock,
    random: () => 0,
    log: silentLogger,
  });
  const stop = new AbortController();
  const running = reporter.run(stop.signal);
  return {
    clock,
    writes,
    reporter,
    known,
    fail: (make: (() => Error) | undefined) => (fault = make),
    async stop() {
      stop.abort(new Error('over'));
      await clock.advance(0);
      await running;
    },
  };
}

const counts = (writes: readonly Write[]) =>
  writes.map(
    ({ object }) => (object as EmergencyAccess).status?.uses?.map(({ count }) => count)[0],
  );

describe('createUseReporter', () => {
  it('writes its own entry, under a manager of its own', async () => {
    const { clock, writes, reporter, stop } = setUp();
    reporter.onUse('trading', 'night');
    await clock.advance(1000);
    await stop();
    expect(writes).toEqual([
      {
        manager: 'strongroom-uses-operator-1',
        subresource: 'status',
        object: {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'EmergencyAccess',
          metadata: { namespace: 'trading', name: 'night' },
          status: {
            uses: [{ replica: 'operator-1', count: 1, lastUsedAt: '2026-11-26T10:00:00Z' }],
          },
        },
      },
    ]);
  });

  it('writes many uses at once', async () => {
    const { clock, writes, reporter, stop } = setUp();
    for (let use = 0; use < 1000; use += 1) reporter.onUse('trading', 'night');
    await clock.advance(1000);
    reporter.onUse('trading', 'night');
    await clock.advance(1000);
    await stop();
    expect(counts(writes)).toEqual([1000, 1001]);
  });

  it('goes on from what a former process of the replica counted', async () => {
    const uses = [
      { replica: 'operator-1', count: 41, lastUsedAt: '2026-11-26T09:00:00Z' },
      { replica: 'operator-2', count: 7, lastUsedAt: '2026-11-26T09:00:00Z' },
    ];
    const { clock, writes, reporter, stop } = setUp(emergencyAccess({}, { uses }));
    reporter.onUse('trading', 'night');
    await clock.advance(1000);
    await stop();
    expect(counts(writes)).toEqual([42]);
  });

  it('tries again, and loses no use meanwhile', async () => {
    const { clock, writes, reporter, fail, stop } = setUp();
    fail(() => new KubeError('ERR_KUBE_NETWORK', 'down'));
    reporter.onUse('trading', 'night');
    await clock.advance(1000);
    reporter.onUse('trading', 'night');
    await clock.advance(1000);
    fail(undefined);
    await clock.advance(10_000);
    await stop();
    expect(counts(writes)).toEqual([2]);
  });

  it('writes what is left when it is stopped', async () => {
    const { writes, reporter, stop } = setUp();
    reporter.onUse('trading', 'night');
    await stop();
    expect(counts(writes)).toEqual([1]);
  });

  it('counts anew for another object of the name, and not for what is gone', async () => {
    const { clock, writes, reporter, known, stop } = setUp();
    reporter.onUse('trading', 'night');
    reporter.onUse('trading', 'other');
    await clock.advance(1000);
    const next = emergencyAccess();
    known.access = { ...next, metadata: { ...next.metadata, uid: 'another' } };
    reporter.onUse('trading', 'night');
    await clock.advance(1000);
    reporter.onUse('trading', 'night');
    known.access = undefined;
    await clock.advance(1000);
    await stop();
    expect(counts(writes)).toEqual([1, 1]);
  });
});
