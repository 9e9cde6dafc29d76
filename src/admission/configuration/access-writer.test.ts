import { describe, expect, it, onTestFinished } from 'vitest';
import type { NamespaceAccessSpec } from '#api/namespace-access.ts';
import type { KubeClient } from '#kube/client.ts';
import type { Informer } from '#runtime/informer.ts';
import { silentLogger } from '#runtime/log.ts';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { credentialOf } from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import { createAccessWriter } from './access-writer.ts';
import type { StoredAccess } from './access-writer.ts';

/** The writer at work for `trading`, against an API server that takes everything. */
function scene(isStrictInForce = true) {
  const clock = createFakeClock();
  const world = worldOf({ credentials: [credentialOf('maker')] });
  const written: NamespaceAccessSpec[] = [];
  let former: readonly string[] = [];
  let stored: StoredAccess | undefined;
  const handlers: Parameters<Informer<StoredAccess>['onChange']>[0][] = [];
  const client = {
    apply(_resource: unknown, object: StoredAccess) {
      stored = object;
      written.push(object.spec);
      for (const handler of handlers) handler({ type: 'Added', object }, false);
      return Promise.resolve(object);
    },
  } as unknown as KubeClient;
  const writer = createAccessWriter({
    client,
    world: { ...world, formerSecrets: () => former },
    audit: () => Promise.resolve(),
    clock,
    log: silentLogger,
    operator: { namespace: 'strongroom', serviceAccount: 'strongroom-operator', instance: 'test' },
    accesses: {
      hasSynced: true,
      get: () => stored,
      list: () => (stored === undefined ? [] : [stored]),
      onChange: (handler: (typeof handlers)[number]) => void handlers.push(handler),
    } as unknown as Informer<StoredAccess>,
    isStrictInForce: () => isStrictInForce,
    onStrictChange: () => undefined,
  });
  const stop = new AbortController();
  const running = writer.controller.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    await running;
  });
  return {
    writer,
    written,
    clock,
    remember(...names: readonly string[]): void {
      former = names;
    },
  };
}

describe('the table of a namespace', () => {
  it('names Secrets that were guarded while pods use them, and is strict meanwhile', async () => {
    const { writer, written, clock, remember } = scene();
    remember('old');
    writer.enqueue('trading');
    await clock.advance(1_000);
    expect(written).toMatchObject([{ secrets: { maker: [0] }, formerSecrets: ['old'] }]);
    expect(writer.strictNamespaces()).toEqual(['trading']);

    remember();
    writer.podsChanged('trading');
    await clock.advance(1_000);
    expect(written).toHaveLength(2);
    expect(written.at(-1)).not.toHaveProperty('formerSecrets');
    expect(writer.strictNamespaces()).toEqual([]);

    // Pods are many, and of no interest to most tables.
    remember('of no pod event');
    writer.podsChanged('trading');
    await clock.advance(10_000);
    expect(written).toHaveLength(2);
  });

  it('is looked at again while it names some, although nothing is heard', async () => {
    const { writer, written, clock, remember } = scene();
    remember('old');
    writer.enqueue('trading');
    await clock.advance(1_000);
    remember();
    await clock.advance(61_000);
    expect(written.at(-1)).not.toHaveProperty('formerSecrets');
  });

  it('names them once the webhook must answer there', async () => {
    const { writer, written, clock, remember } = scene(false);
    remember('old');
    writer.enqueue('trading');
    await clock.advance(5_000);
    expect(written).toEqual([]);
    expect(writer.strictNamespaces()).toEqual(['trading']);
  });
});
