import { describe, expect, it } from 'vitest';
import type { ApplyOptions, KubeClient } from '#kube/client.ts';
import type { KubeObject } from '#kube/objects.ts';
import type { Resource } from '#kube/resource.ts';
import { writeStatus } from './status.ts';

interface Thing extends KubeObject {
  readonly status?: {
    readonly version?: number | undefined;
    readonly conditions?: readonly Readonly<Record<string, string>>[];
    readonly items?: readonly number[];
  };
}

const THINGS: Resource<Thing> = {
  group: 'example.org',
  version: 'v1',
  kind: 'Thing',
  plural: 'things',
  namespaced: true,
};

async function write(present: Thing['status'], next: NonNullable<Thing['status']>) {
  const applied: { readonly object: unknown; readonly options: ApplyOptions }[] = [];
  const client = {
    async apply(_: unknown, object: unknown, options: ApplyOptions) {
      applied.push({ object, options });
    },
  } as unknown as KubeClient;
  const object: Thing = {
    apiVersion: 'example.org/v1',
    kind: 'Thing',
    metadata: { namespace: 'n', name: 'a', uid: 'u', resourceVersion: '7', labels: { a: 'b' } },
    ...(present === undefined ? {} : { status: present }),
  };
  const { signal } = new AbortController();
  const hasWritten = await writeStatus(client, THINGS, object, next, 'manager', signal);
  expect(hasWritten).toBe(applied.length === 1);
  return applied;
}

describe('writeStatus', () => {
  it('applies the status, and of the rest only what says whose it is', async () => {
    const applied = await write({ version: 1 }, { version: 2 });
    expect(applied).toEqual([
      {
        object: {
          apiVersion: 'example.org/v1',
          kind: 'Thing',
          metadata: { namespace: 'n', name: 'a', resourceVersion: '7' },
          status: { version: 2 },
        },
        options: {
          fieldManager: 'manager',
          force: true,
          subresource: 'status',
          signal: expect.any(AbortSignal),
        },
      },
    ]);
  });

  it.each<[string, Thing['status'], NonNullable<Thing['status']>]>([
    ['the same', { version: 1 }, { version: 1 }],
    [
      'another order of members',
      { version: 1, conditions: [{ type: 'Ready', status: 'True' }] },
      { conditions: [{ status: 'True', type: 'Ready' }], version: 1 },
    ],
    ['an undefined member for an absent one', {}, { version: undefined }],
  ])('writes nothing for %s', async (_, present, next) => {
    expect(await write(present, next)).toEqual([]);
  });

  it.each<[string, Thing['status'], NonNullable<Thing['status']>]>([
    ['no status yet', undefined, {}],
    ['a member that is gone', { version: 1, items: [] }, { version: 1 }],
    ['another order of items', { items: [1, 2] }, { items: [2, 1] }],
    ['an empty list for an absent one', {}, { items: [] }],
  ])('writes for %s', async (_, present, next) => {
    expect(await write(present, next)).toHaveLength(1);
  });
});
