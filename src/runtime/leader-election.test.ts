import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { CallOptions, KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { ConfigMap, Lease } from '#kube/objects.ts';
import { CONFIG_MAPS, LEASES } from '#kube/resources.ts';
import type { Resource } from '#kube/resource.ts';
import type { Clock } from './clock.ts';
import { guardWrites } from './guard-writes.ts';
import { createLeaderElector } from './leader-election.ts';
import type { LeaderElectorOptions } from './leader-election.ts';
import { silentLogger } from './log.ts';
import { createRuntimeMetrics } from './metrics.ts';
import { createFakeClock } from './testing/fake-clock.ts';
import type { FakeClock } from './testing/fake-clock.ts';

/** What goes wrong between one candidate and the API server, or in the candidate itself. */
const FAULTS = [
  'none',
  /** Every call fails at once. */
  'cut',
  /** Calls get no answer and have no effect. */
  'silent',
  /** Calls get no answer, but have their effect. */
  'answers lost',
  /** Calls take long, but not too long. */
  'slow',
  /** The event loop stands still: no timer fires, no answer is seen. */
  'frozen',
] as const;
type Fault = (typeof FAULTS)[number];

const SLOW_MS = 3_000;

/**
 * One Lease under the API server's optimistic concurrency, and a list of all other writes: each one
 * twice, when it is sent and when it arrives, with the holder of the Lease at that time.
 */
function createServer(clock: FakeClock) {
  let lease: Lease | undefined;
  let version = 0;
  const writes: { readonly by: string; readonly holder: string; readonly atMs: number }[] = [];

  function store(object: Lease): Lease {
    version += 1;
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    return lease;
  }

  function note(by: string): void {
    writes.push({ by, holder: lease?.spec?.holderIdentity ?? '', atMs: clock.monotonicMs() });
  }

  const effects = {
    find: () => lease,
    create(object: Lease | ConfigMap, by: string) {
      if (object.kind !== 'Lease') {
        note(by);
        return object;
      }
      if (lease !== undefined) throw new KubeError('ERR_KUBE_ALREADY_EXISTS', 'exists');
      return store(object);
    },
    replace(object: Lease) {
      if (object.metadata.resourceVersion !== lease?.metadata.resourceVersion) {
        throw new KubeError('ERR_KUBE_CONFLICT', 'changed');
      }
      return store(object);
    },
  };

  return {
    writes,
    holder: () => lease?.spec?.holderIdentity ?? '',
    lease: () => lease,
    /** `fault` is asked when a call begins; `own` is the caller's clock. */
    clientOf(who: string, own: Clock, fault: () => Fault): KubeClient {
      async function call<T>(effect: () => T, options: CallOptions = {}): Promise<T> {
        if (options.signal?.aborted === true) throw new KubeError('ERR_KUBE_ABORTED', 'aborted');
        const timeout = new AbortController();
        const timer = own.setTimeout(() => timeout.abort(), options.timeoutMs ?? 30_000);
        const signals = [timeout.signal, ...(options.signal === undefined ? [] : [options.signal])];
        const signal = AbortSignal.any(signals);
        try {
          switch (fault()) {
            case 'cut':
              throw new KubeError('ERR_KUBE_NETWORK', 'no connection');
            case 'silent':
              return await own.sleep(1e9, signal).then(effect);
            case 'answers lost':
              effect();
              return await own.sleep(1e9, signal).then(effect);
            case 'slow':
              await clock.sleep(SLOW_MS, signal);
              break;
            case 'none':
            case 'frozen':
              await clock.sleep(5, signal);
              break;
          }
          const result = effect();
          await own.sleep(0, signal);
          return result;
        } catch (error) {
          if (!signal.aborted) throw error;
          const code = timeout.signal.aborted ? 'ERR_KUBE_TIMEOUT' : 'ERR_KUBE_ABORTED';
          throw new KubeError(code, 'no answer');
        } finally {
          timer.cancel();
        }
      }
      return {
        find: (_: unknown, __: unknown, o: CallOptions) => call(effects.find, o),
        create(_: Resource, object: Lease, o: CallOptions) {
          if (object.kind !== 'Lease' && fault() !== 'cut') note(who);
          return call(() => effects.create(object, who), o);
        },
        replace: (_: Resource, object: Lease, o: CallOptions) =>
          call(() => effects.replace(object), o),
      } as unknown as KubeClient;
    },
  };
}

/** The same time, but nothing is woken up while frozen. */
function createStoppableClock(clock: FakeClock) {
  let isFrozen = false;
  let held: (() => void)[] = [];
  function whenAwake(run: () => void): void {
    if (isFrozen) held.push(run);
    else run();
  }
  const own: Clock = {
    now: clock.now,
    monotonicMs: clock.monotonicMs,
    async sleep(ms, signal) {
      await clock.sleep(ms, signal);
      await new Promise<void>((resolve) => {
        whenAwake(resolve);
      });
    },
    setTimeout: (run, ms) => clock.setTimeout(() => whenAwake(run), ms),
  };
  return {
    own,
    freeze() {
      isFrozen = true;
    },
    /** One thing after the other, as an event loop that goes on after a halt. */
    async thaw() {
      isFrozen = false;
      const due = held;
      held = [];
      for (const run of due) {
        run();
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
  };
}

type Server = ReturnType<typeof createServer>;

function candidate(
  who: string,
  server: Server,
  clock: FakeClock,
  more: Partial<LeaderElectorOptions> = {},
) {
  const stop = new AbortController();
  const stoppable = createStoppableClock(clock);
  const state = { leads: false, terms: 0, fault: 'none' as Fault };
  const client = server.clientOf(who, stoppable.own, () => state.fault);
  const elector = createLeaderElector({
    client,
    namespace: 'n',
    name: 'lease',
    identity: who,
    clock: stoppable.own,
    random: () => 0.5,
    log: silentLogger,
    ...more,
  });
  const running = elector.run(stop.signal, async (leading) => {
    state.leads = true;
    state.terms += 1;
    await new Promise<void>((resolve) => {
      if (leading.aborted) resolve();
      leading.addEventListener('abort', () => resolve());
    });
    state.leads = false;
  });
  return {
    elector,
    state,
    client,
    clock: stoppable.own,
    async suffer(fault: Fault) {
      state.fault = fault;
      if (fault === 'frozen') stoppable.freeze();
      else await stoppable.thaw();
    },
    async end() {
      stop.abort(new Error('test ends'));
      await clock.advance(11_000);
      await running;
    },
  };
}

/** Writes all the time, leading or not, so that nothing but the guard holds it back. */
function startWriting({ elector, client, clock }: ReturnType<typeof candidate>) {
  const stop = new AbortController();
  const guarded = guardWrites(client, elector.holdsLease, () => elector.lost);
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'n', name: 'a' } };
  const running = (async () => {
    while (!stop.signal.aborted) {
      await guarded.create(CONFIG_MAPS, object).catch(() => undefined);
      await clock.sleep(200, stop.signal).catch(() => undefined);
    }
  })();
  return {
    end() {
      stop.abort();
      return running;
    },
  };
}

describe('leader election', () => {
  it('gives the lease back on a clean stop, so that another leads at its next try', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const a = candidate('a', server, clock);
    await clock.advance(100);
    const b = candidate('b', server, clock);
    await clock.advance(5000);
    expect([a.state.leads, b.state.leads]).toEqual([true, false]);
    expect(server.lease()?.spec).toMatchObject({ leaseDurationSeconds: 15, leaseTransitions: 0 });
    const ended = a.end();
    await clock.advance(100);
    expect(server.holder()).toBe('');
    await clock.advance(2500);
    expect([a.state.leads, b.state.leads]).toEqual([false, true]);
    expect(server.lease()?.spec).toMatchObject({ holderIdentity: 'b', leaseTransitions: 1 });
    await ended;
    await b.end();
  });

  it('keeps the lease until everything that writes has ended', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const stop = new AbortController();
    const client = server.clientOf('a', clock, () => 'none');
    const elector = createLeaderElector({
      client,
      namespace: 'n',
      name: 'lease',
      identity: 'a',
      clock,
      random: () => 0,
      log: silentLogger,
    });
    const running = elector.run(stop.signal, async (leading) => {
      await clock.sleep(1e9, leading).catch(() => undefined);
      await clock.sleep(25_000);
    });
    await clock.advance(1000);
    stop.abort(new Error('stopping'));
    await clock.advance(24_000);
    expect(server.holder()).toBe('a');
    expect(elector.holdsLease()).toBe(true);
    await clock.advance(2_000);
    await running;
    expect(server.holder()).toBe('');
    expect(elector.holdsLease()).toBe(false);
  });

  it('gives the lease back and rejects when what it leads fails', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const elector = createLeaderElector({
      client: server.clientOf('a', clock, () => 'none'),
      namespace: 'n',
      name: 'lease',
      identity: 'a',
      clock,
      random: () => 0,
      log: silentLogger,
    });
    const running = elector.run(new AbortController().signal, async () => {
      throw new Error('broken');
    });
    const outcome = running.catch((error: unknown) => error);
    await clock.advance(100);
    expect(await outcome).toEqual(new Error('broken'));
    expect(server.holder()).toBe('');
  });

  it.each(['cut', 'silent', 'slow', 'answers lost'] as const)(
    'ends the term at the deadline and not later, when its calls are: %s',
    async (fault) => {
      const clock = createFakeClock();
      const server = createServer(clock);
      const a = candidate('a', server, clock);
      await clock.advance(3000);
      expect(a.state.leads).toBe(true);
      await a.suffer(fault);
      // The last good renewal was sent after two seconds; slow ones do arrive.
      await clock.advance(9_100);
      expect([a.state.leads, a.elector.holdsLease()]).toEqual([fault === 'slow', fault === 'slow']);
      expect(a.elector.lost.aborted).toBe(fault !== 'slow');
      await a.suffer('none');
      await clock.advance(10_000);
      expect([a.state.leads, a.elector.holdsLease()]).toEqual([true, true]);
      await a.end();
    },
  );

  it('does not lead on a lease whose answer came after the deadline', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const a = candidate('a', server, clock);
    // Inside its first call.
    await a.suffer('frozen');
    await clock.advance(12_000);
    expect(a.state.terms).toBe(0);
    await a.suffer('none');
    await clock.advance(5_000);
    expect(a.state.terms).toBe(1);
    await a.end();
  });

  it('ends the term at once when another holder is seen', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const a = candidate('a', server, clock);
    await clock.advance(1000);
    const lease = server.lease();
    if (lease === undefined) throw new Error('no lease');
    const usurper = server.clientOf('x', clock, () => 'none');
    const replaced = usurper.replace(LEASES, {
      ...lease,
      spec: { ...lease.spec, holderIdentity: 'x' },
    });
    await clock.advance(2_500);
    await replaced;
    expect([a.state.leads, a.elector.holdsLease()]).toEqual([false, false]);
    expect(server.holder()).toBe('x');
    // Nobody renews it, so it is taken back after its duration.
    await clock.advance(18_000);
    expect(a.state.leads).toBe(true);
    await a.end();
  });

  it('waits for the lease by its own clock, not by the times that the holder wrote', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const other = server.clientOf('x', clock, () => 'none');
    const created = other.create(LEASES, {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { namespace: 'n', name: 'lease' },
      spec: {
        holderIdentity: 'x',
        leaseDurationSeconds: 30,
        renewTime: '2001-01-01T00:00:00.000000Z',
      },
    });
    await clock.advance(20);
    await created;
    const a = candidate('a', server, clock);
    await clock.advance(29_000);
    expect(a.state.leads).toBe(false);
    await clock.advance(4_000);
    expect(a.state.leads).toBe(true);
    await a.end();
  });

  it('stops writing before another can begin, when its renewals fail', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const a = candidate('a', server, clock);
    await clock.advance(100);
    const b = candidate('b', server, clock);
    const writers = [startWriting(a), startWriting(b)];
    await clock.advance(3000);
    // Its renewals fail, its other writes would not: only the guard is left.
    const reach = a.client.replace;
    a.client.replace = async () => {
      throw new KubeError('ERR_KUBE_UNAVAILABLE', 'etcd is away');
    };
    await clock.advance(30_000);
    a.client.replace = reach;
    const lastOfA = server.writes.findLast(({ by }) => by === 'a');
    const firstOfB = server.writes.find(({ by }) => by === 'b');
    // Sent at most renewDeadline after the last renewal; taken not before the lease's duration.
    expect(lastOfA?.atMs).toBeGreaterThan(9_000);
    expect(firstOfB?.atMs).toBeGreaterThan((lastOfA?.atMs ?? Infinity) + 4_000);
    const ends = [...writers.map((writer) => writer.end()), a.end(), b.end()];
    await clock.advance(25_000);
    await Promise.all(ends);
  });

  it('writes nothing when it wakes up from a halt that was longer than its lease', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const a = candidate('a', server, clock);
    await clock.advance(100);
    const b = candidate('b', server, clock);
    const writer = startWriting(a);
    await clock.advance(3_000);
    await a.suffer('frozen');
    await clock.advance(20_000);
    expect(b.state.leads).toBe(true);
    const before = server.writes.length;
    await a.suffer('none');
    await clock.advance(1_000);
    expect(server.writes.length).toBe(before);
    expect(a.state.leads).toBe(false);
    const ends = [writer.end(), a.end(), b.end()];
    await clock.advance(25_000);
    await Promise.all(ends);
  });

  it('lets nobody write but the holder, whatever fails, hangs or freezes, and for how long', async () => {
    const step = fc.record({
      who: fc.constantFrom(0, 1, 2),
      fault: fc.constantFrom(...FAULTS),
      forMs: fc.integer({ min: 0, max: 25_000 }),
    });
    let writes = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const clock = createFakeClock();
        const server = createServer(clock);
        const all = ['a', 'b', 'c'].map((who) => candidate(who, server, clock));
        const writers = all.map((one) => startWriting(one));
        for (const { who, fault, forMs } of steps) {
          const one = all[who];
          if (one !== undefined) await one.suffer(fault);
          await clock.advance(forMs);
        }
        for (const one of all) await one.suffer('none');
        await clock.advance(60_000);
        expect(all.filter(({ state }) => state.leads)).toHaveLength(1);
        expect(server.writes.filter(({ by, holder }) => by !== holder)).toEqual([]);
        writes += server.writes.length;
        const ends = [...writers.map((writer) => writer.end()), ...all.map((one) => one.end())];
        await clock.advance(45_000);
        await Promise.all(ends);
        expect(server.holder()).toBe('');
      }),
      { numRuns: 25 },
    );
    expect(writes).toBeGreaterThan(1000);
  }, 120_000);

  it('shows in its metric whether it leads', async () => {
    const clock = createFakeClock();
    const server = createServer(clock);
    const registry = new Registry();
    const a = candidate('a', server, clock, { metrics: createRuntimeMetrics(registry) });
    const shown = async (): Promise<number | undefined> =>
      (await registry.getSingleMetric('leader_election_master_status')?.get())?.values[0]?.value;
    expect(await shown()).toBe(0);
    await clock.advance(100);
    expect(await shown()).toBe(1);
    await a.suffer('cut');
    await clock.advance(11_000);
    expect(await shown()).toBe(0);
    await a.suffer('none');
    await clock.advance(5_000);
    expect(await shown()).toBe(1);
    await a.end();
    expect(await shown()).toBe(0);
  });

  it.each([
    { leaseDurationMs: 10_000, renewDeadlineMs: 10_000 },
    { leaseDurationMs: 9_000 },
    { renewDeadlineMs: 2_000 },
  ])('refuses durations that are not safe: %j', (durations) => {
    const clock = createFakeClock();
    expect(() => candidate('a', createServer(clock), clock, durations)).toThrow(RangeError);
  });
});

describe('guardWrites', () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'n', name: 'a' } };
  const at = { namespace: 'n', name: 'a' };
  const writes: readonly [string, (client: KubeClient) => Promise<unknown>][] = [
    ['create', (client) => client.create(CONFIG_MAPS, object)],
    ['replace', (client) => client.replace(CONFIG_MAPS, object)],
    ['mergePatch', (client) => client.mergePatch(CONFIG_MAPS, at, {})],
    ['jsonPatch', (client) => client.jsonPatch(CONFIG_MAPS, at, [])],
    ['apply', (client) => client.apply(CONFIG_MAPS, object, { fieldManager: 'm' })],
    ['delete', (client) => client.delete(CONFIG_MAPS, at)],
  ];

  it.each(writes)(
    'refuses %s without sending it, once the lease is not held',
    async (name, write) => {
      const sent: string[] = [];
      let holds = true;
      const inner = new Proxy({} as KubeClient, {
        get: (_, method) => async () => void sent.push(String(method)),
      });
      const client = guardWrites(inner, () => holds);
      await write(client);
      expect(sent).toEqual([name]);
      holds = false;
      await expect(write(client)).rejects.toMatchObject({ code: 'ERR_LEASE_LOST' });
      expect(sent).toEqual([name]);
      await client.get(CONFIG_MAPS, at);
      expect(sent).toEqual([name, 'get']);
    },
  );

  it('ends a write that is under way when the lease is lost', async () => {
    const lost = new AbortController();
    const own = new AbortController();
    const inner = {
      create: (_: unknown, __: unknown, { signal }: CallOptions) =>
        new Promise((_resolve, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason as Error));
        }),
    } as unknown as KubeClient;
    const client = guardWrites(
      inner,
      () => true,
      () => lost.signal,
    );
    const writes = [
      client.create(CONFIG_MAPS, object, { signal: own.signal }),
      client.create(CONFIG_MAPS, object),
    ].map((write) => write.catch((error: unknown) => error));
    own.abort(new Error('stopping'));
    lost.abort(new Error('lease lost'));
    expect(await Promise.all(writes)).toEqual([new Error('stopping'), new Error('lease lost')]);
  });
});
