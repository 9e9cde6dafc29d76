import { describe, expect, test } from 'vitest';
import type { IPBlock } from '#api/ip-block.ts';
import { MASTER, OPERATOR, controller } from '../testing/core-objects.ts';
import { annotated, blockOf, contextOf, giving, review, userOf } from '../testing/own-objects.ts';

const CONTEXT = contextOf({
  policies: [
    giving('root', 'ManageNetworkBlocks', 'Read'),
    giving('here', 'ManageNetworkBlocks', 'Read', {
      environments: ['Production'],
      credentials: { namespaces: ['trading'] },
    }),
    giving('staging', 'ManageNetworkBlocks', 'Read', {
      environments: ['Staging'],
      credentials: { namespaces: ['trading'] },
    }),
    giving('other', 'ManageUsers', 'Emergency'),
  ],
});

describe('who may write an IPBlock', () => {
  test.each<[string, IPBlock['spec']['scope'], readonly string[]]>([
    ['of everything', undefined, ['root']],
    ['of an empty scope', {}, ['root']],
    ['of every namespace', { namespaces: ['*'] }, ['root']],
    ['of the gateway', { gateway: true }, ['root']],
    ['of a namespace', { namespaces: ['trading'] }, ['root', 'here']],
    ['of a namespace and the gateway', { namespaces: ['trading'], gateway: true }, ['root']],
    [
      'of a namespace without the gateway',
      { namespaces: ['trading'], gateway: false },
      ['root', 'here'],
    ],
    ['of a namespace too many', { namespaces: ['trading', 'research'] }, ['root']],
    ['of another namespace', { namespaces: ['research'] }, ['root']],
  ])('one %s', (_, scope, allowed) => {
    const block = blockOf(scope === undefined ? {} : { scope });
    const later = { ...block, spec: { ...block.spec, duration: '24h' } };
    for (const username of ['root', 'here', 'staging', 'other', 'nobody']) {
      const by = userOf(username);
      for (const change of [{ after: block }, { before: block, after: later }, { before: block }]) {
        const verdict = review({ by, ...change }, CONTEXT);
        expect([username, verdict.allowed]).toEqual([username, allowed.includes(username)]);
        const told = 'IPBlock scanner: to';
        expect(verdict.message ?? told).toContain(told);
        expect(verdict.message ?? 'ManageNetworkBlocks').toContain('ManageNetworkBlocks');
        expect(review({ by, ...change, dryRun: true }, CONTEXT)).toEqual(verdict);
      }
    }
  });

  test('both scopes count', () => {
    const here = blockOf({ scope: { namespaces: ['trading'] } });
    const by = userOf('here');
    expect(review({ by, before: here, after: blockOf() }, CONTEXT).allowed).toBe(false);
    expect(review({ by, before: blockOf(), after: here }, CONTEXT).allowed).toBe(false);
  });

  test('nothing changed needs nothing, an annotation does', () => {
    const by = userOf('nobody');
    expect(review({ by, before: blockOf(), after: blockOf() }, CONTEXT).allowed).toBe(true);
    const after = annotated(blockOf(), { 'example.com/x': '1' });
    expect(review({ by, before: blockOf(), after }, CONTEXT).allowed).toBe(false);
  });

  test('one that cannot be read is invalid; a stored one is let go by who may ban everywhere', () => {
    const broken = { ...blockOf(), spec: { scope: { namespaces: 'trading' } } };
    expect(review({ by: MASTER, after: broken }, CONTEXT).reason).toBe('Invalid');
    expect(review({ by: userOf('here'), before: broken }, CONTEXT).allowed).toBe(false);
    expect(review({ by: userOf('root'), before: broken }, CONTEXT).allowed).toBe(true);
  });

  test('operator, garbage collector and system:masters', () => {
    for (const by of [OPERATOR, MASTER, controller('generic-garbage-collector')]) {
      expect(review({ by, before: blockOf() }, CONTEXT).allowed).toBe(true);
    }
    const by = controller('generic-garbage-collector');
    expect(review({ by, after: blockOf() }, CONTEXT).allowed).toBe(false);
  });
});
