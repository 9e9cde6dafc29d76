import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import { CONFIG_MAPS, LEASES } from '../../src/kube/resources.ts';
import { aborted } from '../../src/runtime/aborted.ts';
import { systemClock } from '../../src/runtime/clock.ts';
import { guardWrites } from '../../src/runtime/guard-writes.ts';
import { createLeaderElector } from '../../src/runtime/leader-election.ts';
import { silentLogger } from '../../src/runtime/log.ts';
import { eventually } from '../eventually.ts';
import { startStallableProxy } from '../faults/stallable-proxy.ts';
import { connect, createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';

/** Shorter than the defaults, in about the same proportions. */
const DURATIONS = { leaseDurationMs: 8_000, renewDeadlineMs: 5_000, retryPeriodMs: 500 };

let admin: KubeClient;
let namespace: TestNamespace;

beforeAll(async () => {
  admin = await connect();
  namespace = await createNamespace(admin, 'election');
});

afterAll(async () => {
  await namespace[Symbol.asyncDispose]();
  await admin[Symbol.asyncDispose]();
});

/** A candidate behind a network of its own, which writes all the time through the guard. */
async function startCandidate(identity: string, lease: string) {
  const config = await loadClusterConfig({ kubeconfig: inject('kubeconfig') });
  const proxy = await startStallableProxy(config.server);
  const { hostname } = new URL(config.server);
  const client = createKubeClient({
    ...config,
    server: `https://127.0.0.1:${proxy.port}`,
    // The certificate is still the API server's; one for 127.0.0.1 fits as it is.
    ...(hostname === '127.0.0.1' ? {} : { tlsServerName: config.tlsServerName ?? hostname }),
  });
  const elector = createLeaderElector({
    client,
    namespace: namespace.name,
    name: lease,
    identity,
    ...DURATIONS,
    clock: systemClock,
    random: Math.random,
    log: silentLogger,
  });
  const guarded = guardWrites(client, elector.holdsLease, () => elector.lost);
  const stop = new AbortController();
  const state = { leads: false };
  const writes: { readonly sentMs: number; readonly endedMs: number; readonly result: string }[] =
    [];

  async function write(): Promise<void> {
    const sentMs = performance.now();
    const result = await guarded
      .apply(
        CONFIG_MAPS,
        {
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { namespace: namespace.name, name: lease },
          data: { writer: identity },
        },
        { fieldManager: identity, force: true },
      )
      .then(
        () => 'written',
        (error: unknown) => String((error as { readonly code?: string }).code),
      );
    writes.push({ sentMs, endedMs: performance.now(), result });
  }

  const electing = elector.run(stop.signal, async (leading) => {
    state.leads = true;
    await aborted(leading);
    state.leads = false;
  });
  const writing = (async () => {
    while (!stop.signal.aborted) {
      await write();
      await delay(20);
    }
  })();
  return {
    identity,
    elector,
    proxy,
    state,
    writes,
    /** Those that reached the API server. */
    written: () => writes.filter(({ result }) => result === 'written'),
    async stop() {
      stop.abort(new Error('test ends'));
      await Promise.all([electing, writing]);
    },
    async [Symbol.asyncDispose]() {
      proxy.resume();
      await this.stop();
      await client[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

type Candidate = Awaited<ReturnType<typeof startCandidate>>;

function leaderOf(...candidates: readonly Candidate[]): Promise<Candidate> {
  return eventually(() => candidates.find(({ state }) => state.leads), { what: 'a leader' });
}

describe('leader election on a real API server', () => {
  it('has one leader of two that start together, and another one soon after a clean stop', async () => {
    await using a = await startCandidate('a', 'clean-stop');
    await using b = await startCandidate('b', 'clean-stop');
    const first = await leaderOf(a, b);
    const second = first === a ? b : a;
    await eventually(() => first.written().length > 5, { what: 'writes of the leader' });
    expect(second.state.leads).toBe(false);
    expect(second.written()).toEqual([]);
    const at = { namespace: namespace.name, name: 'clean-stop' };
    expect((await admin.get(LEASES, at)).spec).toMatchObject({
      holderIdentity: first.identity,
      leaseDurationSeconds: 8,
      leaseTransitions: 0,
      acquireTime: expect.stringMatching(/^\d{4}-.*\.\d{6}Z$/),
    });

    await first.stop();
    const stoppedMs = performance.now();
    await eventually(() => second.state.leads, { what: 'the other leading', intervalMs: 10 });
    // Who waits for the lease to run out leads no sooner.
    expect(performance.now() - stoppedMs).toBeLessThan(DURATIONS.leaseDurationMs);
    expect((await admin.get(LEASES, at)).spec).toMatchObject({
      holderIdentity: second.identity,
      leaseTransitions: 1,
    });
  });

  it('writes nothing more once its renewals have no answer, before another writes', async () => {
    await using a = await startCandidate('a', 'silence');
    const first = await leaderOf(a);
    await using b = await startCandidate('b', 'silence');
    await eventually(() => first.written().length > 5, { what: 'writes of the leader' });

    first.proxy.stall();
    const stalledMs = performance.now();
    await eventually(() => !first.state.leads, { what: 'the end of the term', intervalMs: 10 });
    const endedMs = performance.now() - stalledMs;
    // From then on another one may lead.
    expect(endedMs).toBeLessThan(DURATIONS.leaseDurationMs);
    expect(first.elector.holdsLease()).toBe(false);
    await eventually(() => b.written().length > 5, { what: 'writes of the other' });

    // The one under way was ended with the term; nothing is sent from then on.
    // An answer that had come through before the silence may be read after it began.
    const afterwards = first.writes.filter(
      (one) => one.endedMs >= stalledMs && !(one.result === 'written' && one.sentMs < stalledMs),
    );
    expect(new Set(afterwards.map(({ result }) => result))).toEqual(
      new Set(['ERR_KUBE_ABORTED', 'ERR_LEASE_LOST']),
    );
    const lastSentMs = Math.max(
      ...first.writes.filter(({ result }) => result !== 'ERR_LEASE_LOST').map((w) => w.sentMs),
    );
    const firstOfOther = b.written()[0];
    expect(firstOfOther?.sentMs).toBeGreaterThan(lastSentMs + DURATIONS.renewDeadlineMs);

    // Back again, it stands by.
    first.proxy.resume();
    const refused = first.writes.length;
    await eventually(() => first.writes.length > refused + 20, { what: 'more attempts' });
    expect(new Set(first.writes.slice(refused).map(({ result }) => result))).toEqual(
      new Set(['ERR_LEASE_LOST']),
    );
    expect(b.state.leads).toBe(true);
    const at = { namespace: namespace.name, name: 'silence' };
    expect((await admin.get(CONFIG_MAPS, at)).data).toEqual({ writer: 'b' });
  });

  it('leads again on its own lease when the API server comes back in time', async () => {
    await using a = await startCandidate('a', 'short-silence');
    await leaderOf(a);
    a.proxy.stall();
    await eventually(() => !a.state.leads, { what: 'the end of the term' });
    a.proxy.resume();
    await eventually(() => a.state.leads, { what: 'the next term', timeoutMs: 5_000 });
    const at = { namespace: namespace.name, name: 'short-silence' };
    expect((await admin.get(LEASES, at)).spec).toMatchObject({
      holderIdentity: 'a',
      leaseTransitions: 0,
    });
  });
});
