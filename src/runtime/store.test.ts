import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { KubeObject } from '#kube/objects.ts';
import { createStore, keyOf, namespaceOf } from './store.ts';

interface Thing extends KubeObject {
  readonly colour: string;
}

function thing(name: string, uid: string, version: number, colour: string): Thing {
  return {
    apiVersion: 'v1',
    kind: 'Thing',
    metadata: { namespace: 'n', name, uid, resourceVersion: String(version) },
    colour,
  };
}

const byColour = { colour: (t: Thing) => [t.colour] };

describe('keys', () => {
  it.each([
    [{ namespace: 'n', name: 'a' }, 'n/a', 'n'],
    [{ name: 'a' }, 'a', ''],
    [{ namespace: '', name: 'a' }, 'a', ''],
  ])('of %j', (metadata, key, namespace) => {
    expect(keyOf({ metadata })).toBe(key);
    expect(namespaceOf(key)).toBe(namespace);
  });
});

describe('store', () => {
  it('tells additions, updates and deletions apart, and repeats nothing', () => {
    const store = createStore(byColour);
    const first = thing('a', 'u1', 1, 'red');
    const second = thing('a', 'u1', 2, 'blue');
    expect(store.apply(first)).toEqual([{ type: 'Added', object: first }]);
    expect(store.apply(first)).toEqual([]);
    expect(store.apply(second)).toEqual([{ type: 'Updated', object: second, previous: first }]);
    expect(store.byIndex('colour', 'red')).toEqual([]);
    expect(store.byIndex('colour', 'blue')).toEqual([second]);
    expect(store.delete(second)).toEqual([{ type: 'Deleted', object: second }]);
    expect(store.delete(second)).toEqual([]);
  });

  it('shows an object made anew under the same name as a deletion and an addition', () => {
    const store = createStore(byColour);
    const old = thing('a', 'u1', 1, 'red');
    const anew = thing('a', 'u2', 9, 'red');
    store.apply(old);
    const changes = [
      { type: 'Deleted', object: old },
      { type: 'Added', object: anew },
    ];
    expect(store.replace([anew])).toEqual(changes);
    expect(store.list()).toEqual([anew]);
  });

  it('looks at the uid although the resourceVersion is the same', () => {
    const store = createStore(byColour);
    store.apply(thing('a', 'u1', 7, 'red'));
    expect(store.apply(thing('a', 'u2', 7, 'blue')).map(({ type }) => type)).toEqual([
      'Deleted',
      'Added',
    ]);
    expect(store.byIndex('colour', 'red')).toEqual([]);
  });

  it('keeps its indexes equal to a fresh count, through any events', () => {
    const event = fc.record({
      type: fc.constantFrom('apply', 'delete', 'replace'),
      name: fc.constantFrom('a', 'b', 'c'),
      uid: fc.constantFrom('u1', 'u2'),
      colour: fc.constantFrom('red', 'blue'),
    });
    fc.assert(
      fc.property(fc.array(event, { maxLength: 40 }), (events) => {
        const store = createStore(byColour);
        const model = new Map<string, Thing>();
        events.forEach(({ type, name, uid, colour }, version) => {
          const object = thing(name, uid, version, colour);
          if (type === 'apply') {
            store.apply(object);
            model.set(keyOf(object), object);
          } else if (type === 'delete') {
            store.delete(object);
            model.delete(keyOf(object));
          } else {
            store.replace([object]);
            model.clear();
            model.set(keyOf(object), object);
          }
          expect(new Set(store.list())).toEqual(new Set(model.values()));
          for (const wanted of ['red', 'blue']) {
            expect(new Set(store.byIndex('colour', wanted))).toEqual(
              new Set([...model.values()].filter((t) => t.colour === wanted)),
            );
          }
        });
      }),
    );
  });
});
