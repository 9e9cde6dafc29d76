import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isKubeError } from '#kube/errors.ts';
import { LEASES, NAMESPACES, SECRETS } from '#kube/resources.ts';
import { collectionPath, objectPath, scopeOf } from '#kube/url.ts';

describe('collectionPath', () => {
  it.each([
    [SECRETS, { namespace: 'trading' }, {}, '/api/v1/namespaces/trading/secrets'],
    [SECRETS, { allNamespaces: true }, {}, '/api/v1/secrets'],
    [
      LEASES,
      { namespace: 'a' },
      { limit: 5 },
      '/apis/coordination.k8s.io/v1/namespaces/a/leases?limit=5',
    ],
    [NAMESPACES, { allNamespaces: true }, { watch: true }, '/api/v1/namespaces?watch=true'],
    [NAMESPACES, { namespace: 'ignored' }, {}, '/api/v1/namespaces'],
    [
      SECRETS,
      { namespace: 'a' },
      { labelSelector: 'x in (a,b)', continue: undefined, resourceVersion: '' },
      '/api/v1/namespaces/a/secrets?labelSelector=x+in+%28a%2Cb%29',
    ],
  ] as const)('%o in %o with %o', (resource, scope, query, path) => {
    expect(collectionPath(resource, scope, query)).toBe(path);
  });
});

describe('objectPath', () => {
  it.each([
    [SECRETS, { namespace: 'a', name: 'b.c' }, undefined, {}, '/api/v1/namespaces/a/secrets/b.c'],
    [NAMESPACES, { name: 'a' }, 'status', {}, '/api/v1/namespaces/a/status'],
    [
      LEASES,
      { namespace: 'a', name: 'system:b' },
      undefined,
      { dryRun: 'All' },
      '/apis/coordination.k8s.io/v1/namespaces/a/leases/system%3Ab?dryRun=All',
    ],
  ] as const)('%o at %o, %s', (resource, at, subresource, query, path) => {
    expect(objectPath(resource, at, subresource, query)).toBe(path);
  });

  it.each(['', '.', '..', 'a/b', '../secrets', 'a%2fb', '%2e%2e', '\ud800'])(
    'refuses the name %j',
    (name) => {
      const invalid = expect.objectContaining({ code: 'ERR_KUBE_INVALID' }) as Error;
      expect(() => objectPath(SECRETS, { namespace: 'a', name }, undefined)).toThrow(invalid);
      expect(() => objectPath(SECRETS, { namespace: name, name: 'a' }, undefined)).toThrow(invalid);
      expect(() => objectPath(SECRETS, { namespace: 'a', name: 'a' }, name)).toThrow(invalid);
    },
  );

  it('never leaves the collection, whatever the name', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary' }),
        fc.string({ unit: 'binary' }),
        (namespace, name) => {
          const path = pathOrRefusal(namespace, name);
          fc.pre(path !== undefined);
          // What a server sees after URL parsing, which resolves dots and strips control characters.
          const { pathname, search, hash } = new URL(path, 'https://cluster.test');
          expect([pathname, search, hash]).toEqual([path, '', '']);
          const [, api, version, collection, space = '', kind, leaf = '', ...rest] =
            path.split('/');
          expect([api, version, collection, kind, rest]).toEqual([
            'api',
            'v1',
            'namespaces',
            'secrets',
            [],
          ]);
          expect([decodeURIComponent(space), decodeURIComponent(leaf)]).toEqual([namespace, name]);
        },
      ),
    );
  });
});

function pathOrRefusal(namespace: string, name: string): string | undefined {
  try {
    return objectPath(SECRETS, { namespace, name }, undefined);
  } catch (error) {
    if (isKubeError(error, 'ERR_KUBE_INVALID')) return undefined;
    throw error;
  }
}

describe('scopeOf', () => {
  it('asks for a namespace where there must be one', () => {
    expect(scopeOf(SECRETS, { namespace: 'a' })).toEqual({ namespace: 'a' });
    expect(scopeOf(NAMESPACES, {})).toEqual({ allNamespaces: true });
    expect(() => scopeOf(SECRETS, {})).toThrow('Secret: a namespace is needed');
    expect(() => scopeOf(SECRETS, { namespace: '' })).toThrow('Secret: a namespace is needed');
  });
});
