import { describe, expect, it } from 'vitest';
import { createFakeClock } from '#runtime/testing/fake-clock.ts';
import { createAwaitCaches } from './await-caches.ts';
import type { AdmissionRequest } from './request.ts';
import type { NamespaceView } from './world.ts';

function scene() {
  const namespaces = new Map<string, NamespaceView>();
  const known = new Set<string>();
  const clock = createFakeClock();
  const caches = createAwaitCaches({
    world: {
      namespace: (name) => namespaces.get(name),
      guardedNamespaces: () => [...namespaces.values()].filter(({ isGuarded }) => isGuarded),
    },
    knowsContents: (name) => known.has(name),
    clock,
  });
  return {
    caches,
    clock,
    known,
    put(name: string, isGuarded = true): void {
      namespaces.set(name, { name, isGuarded, isDeleting: false });
    },
  };
}

function request(parts: Partial<AdmissionRequest>): AdmissionRequest {
  return {
    uid: 'u',
    kind: { group: '', version: 'v1', kind: 'Pod' },
    resource: { group: '', version: 'v1', resource: 'pods' },
    name: 'bot',
    namespace: 'trading',
    operation: 'CREATE',
    userInfo: { username: 'alice', groups: [] },
    dryRun: false,
    ...parts,
  };
}
const exec = request({ operation: 'CONNECT', subResource: 'exec' });
const { namespace: _namespace, ...clusterWide } = request({});
const nodeProxy: AdmissionRequest = {
  ...clusterWide,
  operation: 'CONNECT',
  resource: { group: '', version: 'v1', resource: 'nodes' },
  subResource: 'proxy',
  name: 'node-1',
};
const signal = new AbortController().signal;

describe('waiting for caches', () => {
  it('waits for nothing where all is known', () => {
    const { caches, known, put } = scene();
    put('trading');
    put('plain', false);
    known.add('trading');
    for (const asked of [request({}), exec, nodeProxy, { ...exec, namespace: 'plain' }]) {
      expect(caches.prepare(asked, signal)).toBeUndefined();
    }
    expect(
      caches.prepare(
        request({
          kind: { group: '', version: 'v1', kind: 'Namespace' },
          namespace: 'new',
          name: 'new',
        }),
        signal,
      ),
    ).toBeUndefined();
  });

  it('goes on as soon as the namespace is heard of', async () => {
    const { caches, put } = scene();
    const prepared = caches.prepare(request({}), signal);
    expect(prepared).toBeDefined();
    caches.heard();
    put('trading');
    caches.heard();
    expect(await prepared).toBeUndefined();
  });

  it('leaves a namespace that stays unknown to the rules, after a second', async () => {
    const { caches, clock } = scene();
    const prepared = caches.prepare(request({}), signal);
    await clock.advance(1_000);
    expect(await prepared).toBeUndefined();
  });

  it.each([
    ['exec', exec],
    ['nodes/proxy', nodeProxy],
  ])('refuses %s while the pods are not known', async (_, asked) => {
    const { caches, clock, put } = scene();
    put('trading');
    const prepared = caches.prepare(asked, signal);
    await clock.advance(1_000);
    expect(await prepared).toMatchObject({ allowed: false, reason: 'NotKnownYet', code: 503 });
  });

  it('connects as soon as the pods are known', async () => {
    const { caches, known, put } = scene();
    put('trading');
    const prepared = caches.prepare(exec, signal);
    known.add('trading');
    caches.heard();
    expect(await prepared).toBeUndefined();
  });

  it('ends with the time of the request', async () => {
    const { caches } = scene();
    const end = new AbortController();
    const prepared = caches.prepare(request({}), end.signal);
    end.abort();
    expect(await prepared).toBeUndefined();
  });
});
