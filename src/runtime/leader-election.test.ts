import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeClient } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { Lease } from '#kube/objects.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { guardWrites } from './guard-writes.ts';
import { createLeaderElector } from './leader-election.ts';
import { silentLogger } from './log.ts';
import { createFakeClock } from './testing/fake-clock.ts';
import type { FakeClock } from './testing/fake-clock.ts';

/** One Lease with the API server's optimistic concurrency; each candidate can be cut off. */
function createLeaseServer() {
  let lease: Lease | undefined;
  let version = 0;
  const cutOff = new Set<string>();
  function store(object: Lease): Lease {
    version += 1;
    lease = { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
    return lease;
  }
  function reach(who: string): void {
    if (cutOff.has(who)) throw new KubeError('ERR_KUBE_NETWORK', 'cut off');
  }
  return {
    cutOff,
    clientOf: (who: string) =>
      ({
        async find() {
          reach(who);
          return lease;
        },
        async create(_: unknown, object: Lease) {
          reach(who);
          if (lease !== undefined) throw new KubeError('ERR_KUBE_ALREADY_EXISTS', 'x');
          return store(object);
        },
        async replace(_: unknown, object: Lease) {
          reach(who);
          if (object.metadata.resourceVersion !== lease?.metadata.resourceVersion) {
            throw new KubeError('ERR_KUBE_CONFLICT', 'x');
          }
          return store(object);
        },
      }) as unknown as KubeClient,
  };
}

function candidate(who: string, server: ReturnType<typeof createLeaseServer>, clock: FakeClock) {
  const stop = new AbortController();
  const state = { leads: false };
  const elector = createLeaderElector({
    client: server.clientOf(who),
    namespace: 'n',
    name: 'lease',
    identity: who,
    clock,
    random: () => 0.5,
    log: silentLogger,
  });
  const running = elector.run(stop.signal, async (leading) => {
    state.leads = true;
    await new Promise<void>((resolve) => {
      if (leading.aborted) resolve();
      leading.addEventListener('abort', () => resolve());
    });
    state.leads = false;
  });
  return {
    elector,
    state,
    async end() {
      stop.abort(new Error('test ends'));
      await clock.advance(0);
      await running;
    },
  };
}

describe('leader election', () => {
  it('gives the lease back on a clean stop, so that another leads at its next try', async () => {
    const clock = createFakeClock();
    const server = createLeaseServer();
    const a = candidate('a', server, clock);
    await clock.advance(100);
    const b = candidate('b', server, clock);
    await clock.advance(5000);
    expect([a.state.leads, b.state.leads]).toEqual([true, false]);
    await a.end();
    await clock.advance(3000);
    expect(b.state.leads).toBe(true);
    await b.end();
  });

  it('stops leading before another can begin, when its renewals fail', async () => {
    const clock = createFakeClock();
    const server = createLeaseServer();
    const a = candidate('a', server, clock);
    await clock.advance(100);
    const b = candidate('b', server, clock);
    await clock.advance(3000);
    server.cutOff.add('a');
    let bLedAtMs = 0;
    let aEndedAtMs = 0;
    for (let ms = 0; ms < 40_000; ms += 250) {
      await clock.advance(250);
      if (!a.elector.holdsLease()) aEndedAtMs ||= ms;
      if (b.state.leads) bLedAtMs ||= ms;
      expect(a.elector.holdsLease() && b.elector.holdsLease()).toBe(false);
    }
    expect(aEndedAtMs).toBeGreaterThan(0);
    expect(bLedAtMs).toBeGreaterThan(aEndedAtMs);
    await a.end();
    await b.end();
  });

  it('never has two holders, whatever is cut off and for how long', async () => {
    const step = fc.record({
      who: fc.constantFrom('a', 'b', 'c'),
      cut: fc.boolean(),
      forMs: fc.integer({ min: 0, max: 20_000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 8 }), async (steps) => {
        const clock = createFakeClock();
        const server = createLeaseServer();
        const all = ['a', 'b', 'c'].map((who) => candidate(who, server, clock));
        for (const { who, cut, forMs } of steps) {
          if (cut) server.cutOff.add(who);
          else server.cutOff.delete(who);
          for (let ms = 0; ms < forMs; ms += 1000) {
            await clock.advance(1000);
            expect(all.filter(({ elector }) => elector.holdsLease()).length).toBeLessThanOrEqual(1);
          }
        }
        server.cutOff.clear();
        await clock.advance(40_000);
        expect(all.filter(({ state }) => state.leads)).toHaveLength(1);
        for (const one of all) await one.end();
      }),
      { numRuns: 15 },
    );
  }, 60_000);
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
});
