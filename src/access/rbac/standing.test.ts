import { describe, expect, it } from 'vitest';
import type { Role, RoleBinding } from '#kube/objects.ts';
import type { Informer } from '#runtime/informer.ts';
import type { Change } from '#runtime/store.ts';
import { createStandingObjects, policyIndexValues } from './standing.ts';

/** Holds what it is given, and says so; nothing is watched. */
function cacheOf<T extends Role>() {
  const objects = new Map<string, T>();
  const handlers: ((change: Change<T>, initial: boolean) => void)[] = [];
  const informer = {
    byIndex: (_: string, policy: string) =>
      [...objects.values()].filter((object) => policyIndexValues(object).includes(policy)),
    onChange: (handler: (change: Change<T>, initial: boolean) => void) => handlers.push(handler),
  } as unknown as Informer<T>;
  const tell = (change: Change<T>) => {
    for (const handler of handlers) handler(change, false);
  };
  return {
    informer,
    set(object: T) {
      const previous = objects.get(object.metadata.name);
      objects.set(object.metadata.name, object);
      tell(
        previous === undefined ? { type: 'Added', object } : { type: 'Updated', object, previous },
      );
    },
    delete(object: T) {
      objects.delete(object.metadata.name);
      tell({ type: 'Deleted', object });
    },
  };
}

function role(resourceVersion: string, verbs: readonly string[] = ['get']): Role {
  return {
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'Role',
    metadata: { name: 'strongroom:policy:desk', namespace: 'trading', uid: 'u', resourceVersion },
    rules: [{ verbs }],
  };
}

function scene() {
  const roles = cacheOf<Role>();
  const standing = createStandingObjects(roles.informer, cacheOf<RoleBinding>().informer);
  const versions = () => standing.of('desk').roles.map((one) => one.metadata.resourceVersion);
  return { roles, standing, versions };
}

const KEY = 'Role trading/strongroom:policy:desk';

describe('StandingObjects', () => {
  it('knows what was written before a cache does', () => {
    const { roles, standing, versions } = scene();
    standing.wrote('Role', role('5'), false);
    expect(versions()).toEqual(['5']);
    roles.set(role('5'));
    expect(versions()).toEqual(['5']);
    standing.wrote('Role', role('5'), true);
    expect(versions()).toEqual([]);
    roles.delete(role('6'));
    expect(standing.takeTampered('desk')).toEqual(new Set());
  });

  it('is not misled by what a cache hears late', () => {
    const { roles, standing, versions } = scene();
    roles.set(role('5'));
    standing.wrote('Role', role('9', ['get', 'list']), false);
    roles.set(role('7'));
    expect(versions()).toEqual(['9']);
    expect(standing.takeTampered('desk')).toEqual(new Set());
  });

  it.each<[string, (of: ReturnType<typeof scene>) => void]>([
    ['changed', ({ roles }) => roles.set(role('6', ['*']))],
    ['deleted', ({ roles }) => roles.delete(role('6'))],
    [
      'changed right after we wrote it',
      ({ roles, standing }) => {
        standing.wrote('Role', role('6'), false);
        roles.set(role('7', ['*']));
      },
    ],
  ])('notices once what others %s', (_, act) => {
    const of = scene();
    of.roles.set(role('5'));
    act(of);
    expect(of.standing.takeTampered('desk')).toEqual(new Set([KEY]));
    expect(of.standing.takeTampered('desk')).toEqual(new Set());
  });

  it('takes labels that others add for no change of what it gives', () => {
    const { roles, standing } = scene();
    roles.set(role('5'));
    const labelled = role('6');
    roles.set({
      ...labelled,
      metadata: { ...labelled.metadata, annotations: { team: 'mm' } },
    });
    expect(standing.takeTampered('desk')).toEqual(new Set());
  });
});
