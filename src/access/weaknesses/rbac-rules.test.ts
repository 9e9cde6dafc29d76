import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { PolicyRule } from '#kube/objects.ts';
import { grantedVerbs, grantsResource } from './rbac-rules.ts';
import type { ResourcePath } from './rbac-rules.ts';

const rule = (apiGroups: readonly string[], resources: readonly string[]): PolicyRule => ({
  apiGroups,
  resources,
  verbs: ['get'],
});
const secrets: ResourcePath = { group: '', resource: 'secrets' };
const exec: ResourcePath = { group: '', resource: 'pods', subresource: 'exec' };
const extras: ResourcePath = {
  group: 'authentication.k8s.io',
  resource: 'userextras',
  subresource: '*',
};

describe('grantsResource', () => {
  it.each<readonly [groups: readonly string[], resources: readonly string[], path: ResourcePath]>([
    [[''], ['secrets'], secrets],
    [['*'], ['secrets'], secrets],
    [[''], ['*'], secrets],
    [['apps', ''], ['configmaps', 'secrets'], secrets],
    [[''], ['pods/exec'], exec],
    [[''], ['*/exec'], exec],
    [[''], ['*'], exec],
    [['authentication.k8s.io'], ['userextras/scopes'], extras],
    [['*'], ['*/scopes'], extras],
    [['*'], ['*'], extras],
  ])('%j %j grants %j', (groups, resources, path) => {
    expect(grantsResource(rule(groups, resources), path)).toBe(true);
  });

  it.each<readonly [groups: readonly string[], resources: readonly string[], path: ResourcePath]>([
    [['apps'], ['secrets'], secrets],
    [[], ['secrets'], secrets],
    [[''], [], secrets],
    [[''], ['secret'], secrets],
    [[''], ['*/secrets'], secrets],
    [[''], ['pods'], exec],
    [[''], ['pods/*'], exec],
    [[''], ['*/*'], exec],
    [[''], ['*/log'], exec],
    [['authentication.k8s.io'], ['userextras'], extras],
    [[''], ['userextras/scopes'], extras],
  ])('%j %j does not grant %j', (groups, resources, path) => {
    expect(grantsResource(rule(groups, resources), path)).toBe(false);
  });
});

describe('grantedVerbs', () => {
  const verbs = ['get', 'create', 'patch'];
  const core = (granted: readonly string[], resourceNames?: readonly string[]): PolicyRule => ({
    apiGroups: [''],
    resources: ['secrets'],
    verbs: granted,
    ...(resourceNames === undefined ? {} : { resourceNames }),
  });

  it.each<
    readonly [
      what: string,
      rules: readonly PolicyRule[],
      granted: Readonly<Record<string, 'every' | readonly string[]>>,
    ]
  >([
    ['nothing', [], {}],
    ['another verb', [core(['list'])], {}],
    ['one', [core(['get', 'list'])], { get: 'every' }],
    ['all', [core(['*'])], { get: 'every', create: 'every', patch: 'every' }],
    ['names', [core(['get'], ['a']), core(['get'], ['b'])], { get: ['a', 'b'] }],
    ['names and all', [core(['get'], ['a']), core(['get'])], { get: 'every' }],
    ['no names, said as an empty list', [core(['get'], [])], { get: 'every' }],
    ['a create by name, which has no name to compare', [core(['create'], ['a'])], {}],
    [
      'a create by name, which a server-side apply has',
      [core(['create'], ['a', 'b']), core(['patch'], ['b', 'c'])],
      { create: ['b'], patch: ['b', 'c'] },
    ],
    [
      'a create by name beside a patch of all',
      [core(['create'], ['a']), core(['patch'])],
      { create: ['a'], patch: 'every' },
    ],
  ])('%s', (_what, rules, expected) => {
    const granted = Object.fromEntries(
      [...grantedVerbs(rules, secrets, verbs)].map(([verb, names]) => [
        verb,
        names === 'every' ? names : [...names].sort(),
      ]),
    );
    expect(granted).toEqual(expected);
  });

  it('a create of a subresource has the name of its object', () => {
    const token: PolicyRule = {
      apiGroups: [''],
      resources: ['serviceaccounts/token'],
      resourceNames: ['maker'],
      verbs: ['create'],
    };
    const path = { group: '', resource: 'serviceaccounts', subresource: 'token' };
    expect(grantedVerbs([token], path, ['create'])).toEqual(
      new Map([['create', new Set(['maker'])]]),
    );
  });

  it('grants by any wildcard all that it grants by the name', () => {
    const paths = [secrets, exec, { group: 'apps', resource: 'deployments' }];
    fc.assert(
      fc.property(
        fc.constantFrom(...paths),
        fc.constantFrom(...verbs),
        fc.boolean(),
        fc.boolean(),
        fc.boolean(),
        (path, verb, anyGroup, anyResource, anyVerb) => {
          const full = [path.resource, path.subresource].filter((part) => part !== undefined);
          const granted = grantedVerbs(
            [
              {
                apiGroups: [anyGroup ? '*' : path.group],
                resources: [anyResource ? '*' : full.join('/')],
                verbs: [anyVerb ? '*' : verb],
              },
            ],
            path,
            [verb],
          );
          expect(granted).toEqual(new Map([[verb, 'every']]));
        },
      ),
    );
  });
});
