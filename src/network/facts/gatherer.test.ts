import { describe, expect, it } from 'vitest';
import type { KubeClient, WatchEvent } from '#kube/client.ts';
import { KubeError } from '#kube/errors.ts';
import type { KubeObject, Service } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { createFactsGatherer } from './gatherer.ts';

const KUBERNETES: Service = {
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { namespace: 'default', name: 'kubernetes', uid: 'api', resourceVersion: '1' },
  spec: { clusterIPs: ['10.96.0.1'], ports: [{ port: 443 }] },
};

function node(
  name: string,
  address: string,
  about: { version: string; beat?: string },
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, uid: name, resourceVersion: about.version },
    status: {
      addresses: [{ type: 'InternalIP', address }],
      conditions: [{ type: 'Ready', lastHeartbeatTime: about.beat ?? '' }],
    },
  } as KubeObject;
}

/** An API server with one node, of which changes can be sent; some collections are refused. */
async function start(refused: Readonly<Record<string, KubeError>> = {}) {
  const clock = createFakeClock();
  /** Queues of open watches, with what they are about. */
  const open: { plural: string; push: (event: WatchEvent<KubeObject>) => void }[] = [];
  const watch = async function* (
    resource: Resource,
    _scope: unknown,
    options: { readonly fieldSelector?: string; readonly signal?: AbortSignal },
  ): AsyncGenerator<WatchEvent<KubeObject>, void, void> {
    const refusal = refused[resource.plural];
    if (refusal !== undefined) throw refusal;
    if (resource.plural === 'nodes') {
      yield { type: 'ADDED', object: node('one', '192.0.2.1', { version: '1' }) };
    }
    if (options.fieldSelector === 'metadata.name=kubernetes') {
      yield { type: 'ADDED', object: KUBERNETES };
    }
    yield { type: 'BOOKMARK', resourceVersion: '1', initialEventsEnd: true };
    const queue: WatchEvent<KubeObject>[] = [];
    let wake = Promise.withResolvers<void>();
    options.signal?.addEventListener('abort', () => wake.resolve());
    open.push({
      plural: resource.plural,
      push(event) {
        queue.push(event);
        wake.resolve();
      },
    });
    while (options.signal?.aborted !== true) {
      await wake.promise;
      wake = Promise.withResolvers();
      yield* queue.splice(0);
    }
  };
  const services: Service[] = [];
  let groups: readonly string[] = [];
  const gatherer = createFactsGatherer({
    client: { watch } as unknown as KubeClient,
    overrides: {},
    services: () => services,
    apiGroups: () => groups,
    clock,
    random: () => 0,
    log: silentLogger,
  });
  let told = 0;
  gatherer.onChange(() => {
    told += 1;
  });
  const stop = new AbortController();
  const running = gatherer.informers.map((informer) => informer.run(stop.signal));
  return {
    clock,
    gatherer,
    services,
    serve: (...served: readonly string[]) => {
      groups = served;
    },
    told: () => told,
    sendNode(object: KubeObject) {
      for (const { plural, push } of open) {
        if (plural === 'nodes') push({ type: 'MODIFIED', object });
      }
    },
    /** What the server sends about once a minute when nothing happens. */
    sendBookmarks() {
      for (const { push } of open) {
        push({ type: 'BOOKMARK', resourceVersion: '1', initialEventsEnd: false });
      }
    },
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('test ends'));
      await clock.advance(0);
      await Promise.all(running);
    },
  };
}

describe('createFactsGatherer', () => {
  it('holds back until every collection was read, and tells once', async () => {
    await using world = await start();
    const { gatherer, clock } = world;
    expect(gatherer.missing()).toContain('nodes (not read yet)');
    await clock.advance(1000);
    expect(gatherer.missing()).toEqual([]);
    expect(gatherer.facts().nodeAddresses.cidrs()).toEqual(['192.0.2.1/32']);
    expect(world.told()).toBe(1);
  });

  it('tells of what changes the facts and of nothing else', async () => {
    await using world = await start();
    const { gatherer, clock } = world;
    await clock.advance(1000);
    const facts = gatherer.facts();

    world.sendNode(node('one', '192.0.2.1', { version: '2', beat: 'now' }));
    await clock.advance(1000);
    gatherer.recheck();
    await clock.advance(1000);
    expect(world.told()).toBe(1);
    expect(gatherer.facts()).toBe(facts);

    world.sendNode(node('one', '192.0.2.2', { version: '3' }));
    world.sendNode(node('one', '192.0.2.3', { version: '4' }));
    await clock.advance(1000);
    expect(world.told()).toBe(2);
    expect(gatherer.facts().nodeAddresses.cidrs()).toEqual(['192.0.2.3/32']);
  });

  it('looks at Services and groups of others when it is told to', async () => {
    await using world = await start();
    const { gatherer, clock } = world;
    await clock.advance(1000);
    world.services.push({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { namespace: 'trading', name: 'quotes' },
      spec: { type: 'NodePort', selector: { app: 'maker' } },
    });
    world.serve('cilium.io');
    gatherer.recheck();
    await clock.advance(1000);
    expect(world.told()).toBe(2);
    expect(gatherer.facts().rewritingServices).toHaveLength(1);
    expect(gatherer.facts().policyEngine).toEqual({ seen: 'Yes', name: 'Cilium' });
  });

  it('goes without what is refused or not served, whose silence is no fault', async () => {
    await using world = await start({
      servicecidrs: new KubeError('ERR_KUBE_NOT_FOUND', 'not served'),
      daemonsets: new KubeError('ERR_KUBE_FORBIDDEN', 'not allowed'),
    });
    const { gatherer, clock } = world;
    await clock.advance(1000);
    expect(gatherer.missing()).toEqual([]);
    expect(gatherer.facts().policyEngine.seen).toBe('Unknown');
    await clock.advance(3_600_000);
    world.sendBookmarks();
    await clock.advance(1000);
    expect(gatherer.lastActivityAgeMs()).toBe(1000);
  });

  it('names what it may not do without', async () => {
    await using world = await start({ nodes: new KubeError('ERR_KUBE_FORBIDDEN', 'not allowed') });
    await world.clock.advance(1000);
    expect(world.gatherer.missing()).toEqual([expect.stringContaining('addresses of nodes')]);
  });

  it('waits for what may come yet', async () => {
    await using world = await start({
      servicecidrs: new KubeError('ERR_KUBE_NETWORK', 'connection reset'),
    });
    await world.clock.advance(1000);
    expect(world.gatherer.missing()).toEqual(['ServiceCIDRs (not read yet)']);
  });
});
