import { describe, expect, test } from 'vitest';
import { MASTER, OPERATOR, controller, credentialOf } from '../testing/core-objects.ts';
import {
  contextOf,
  giving,
  namespaceOf,
  requestOf,
  review,
  userOf,
} from '../testing/own-objects.ts';
import type { Change } from '../testing/own-objects.ts';

const ON = { 'strongroom.dev/guarded': 'true' };
const of = (environment: string) => ({ ...ON, 'strongroom.dev/environment': environment });
const PROD = namespaceOf(of('Production'));
const STAGING = namespaceOf(of('Staging'));
const BARE = namespaceOf(ON);
const FREE = namespaceOf({ 'strongroom.dev/environment': 'Production' });

const here = { credentials: { namespaces: ['trading'] } };
const CONTEXT = contextOf({
  policies: [
    giving('all', 'AccessSecrets', 'Admin', here),
    giving('prod', 'AccessSecrets', 'Admin', { ...here, environments: ['Production'] }),
    giving('writer', 'AccessSecrets', 'Write', here),
    giving('elsewhere', 'AccessSecrets', 'Admin', { credentials: { namespaces: ['research'] } }),
    giving('some', 'AccessSecrets', 'Admin', { credentials: { names: ['maker'] } }),
  ],
});
const PEOPLE = ['all', 'prod', 'writer', 'elsewhere', 'some', 'nobody'];

describe('a namespace', () => {
  test.each<[string, Omit<Change, 'by'>, readonly string[]]>([
    ['is created free', { after: FREE }, PEOPLE],
    ['is created guarded', { after: PROD }, ['all', 'prod']],
    ['is created guarded, of no environment', { after: BARE }, ['all']],
    ['becomes guarded', { before: FREE, after: PROD }, ['all', 'prod']],
    ['becomes guarded, of another environment', { before: FREE, after: STAGING }, ['all']],
    ['is not guarded any more', { before: PROD, after: FREE }, ['all', 'prod']],
    ['loses all labels', { before: PROD, after: namespaceOf() }, ['all', 'prod']],
    [
      'is guarded: "false"',
      {
        before: PROD,
        after: namespaceOf({ ...of('Production'), 'strongroom.dev/guarded': 'false' }),
      },
      ['all', 'prod'],
    ],
    [
      'is guarded: "True"',
      {
        before: PROD,
        after: namespaceOf({ ...of('Production'), 'strongroom.dev/guarded': 'True' }),
      },
      ['all', 'prod'],
    ],
    ['changes its environment', { before: PROD, after: STAGING }, ['all']],
    ['loses its environment', { before: PROD, after: BARE }, ['all']],
    ['gets one', { before: BARE, after: PROD }, ['all']],
    ['gets one that is none', { before: PROD, after: namespaceOf(of('Moon')) }, ['all']],
    [
      'changes one that is none',
      { before: namespaceOf(of('Moon')), after: namespaceOf(of('Mars')) },
      ['all'],
    ],
    ['loses both', { before: STAGING, after: namespaceOf() }, ['all']],
    ['is deleted', { before: PROD }, ['all', 'prod']],
    ['is deleted, of no environment', { before: BARE }, ['all']],
    ['is deleted, and was free', { before: FREE }, PEOPLE],
    ['changes its environment, and is free', { before: FREE, after: namespaceOf() }, PEOPLE],
    [
      'gets another label',
      { before: PROD, after: namespaceOf({ ...of('Production'), a: 'b' }) },
      PEOPLE,
    ],
    ['stays as it is', { before: PROD, after: PROD }, PEOPLE],
  ])('%s', (_, change, allowed) => {
    for (const username of PEOPLE) {
      for (const subResource of [
        undefined,
        ...(change.before && change.after ? ['status', 'finalize'] : []),
      ]) {
        const more = subResource === undefined ? {} : { subResource };
        const verdict = review({ by: userOf(username), ...change, ...more }, CONTEXT);
        expect([username, verdict.allowed]).toEqual([username, allowed.includes(username)]);
        const told = 'Namespace trading: to ';
        expect(verdict.message ?? told).toContain(told);
        expect(review({ by: userOf(username), ...change, ...more, dryRun: true }, CONTEXT)).toEqual(
          verdict,
        );
      }
    }
    for (const by of [MASTER, OPERATOR]) {
      expect(review({ by, ...change }, CONTEXT).allowed).toBe(true);
    }
  });

  test('its controller takes the finalizer off and changes no label', () => {
    const by = controller('namespace-controller');
    const gone = { ...PROD, spec: { finalizers: [] } };
    const change = { by, before: PROD, after: gone, subResource: 'finalize' };
    expect(review(change, CONTEXT).allowed).toBe(true);
    expect(review({ ...change, after: namespaceOf() }, CONTEXT).allowed).toBe(false);
  });

  test('its own name counts, whatever the request says', () => {
    const request = { ...requestOf({ by: userOf('all'), before: PROD }), name: '', namespace: '' };
    expect(review(request, CONTEXT).allowed).toBe(true);
    const other = {
      ...requestOf({ by: userOf('all'), before: namespaceOf(of('Production'), 'vault') }),
      name: 'trading',
      namespace: 'trading',
    };
    expect(review(other, CONTEXT).allowed).toBe(false);
  });
});

describe('what breaks when it becomes guarded', () => {
  const { world: _world, ...rest } = CONTEXT;
  const policies = [giving('all', 'AccessSecrets', 'Admin')];
  const by = userOf('all');
  const report = (credentials: readonly ReturnType<typeof credentialOf>[], after = PROD) =>
    review(
      { by, before: namespaceOf(), after },
      { ...rest, ...contextOf({ policies, credentials }) },
    );

  test('credentials of another environment are named, and it is refused', () => {
    const verdict = report([
      credentialOf('dev', { environment: 'Development' }),
      credentialOf('maker'),
    ]);
    expect(verdict).toMatchObject({ allowed: false, reason: 'BreaksRules' });
    expect(verdict.message).toContain('ExchangeCredential dev (Development)');
    expect(verdict.message).not.toContain('maker');
    const change = { by: MASTER, before: namespaceOf(), after: PROD };
    const asMaster = review(
      change,
      contextOf({ policies, credentials: [credentialOf('dev', { environment: 'Development' })] }),
    );
    expect(asMaster.allowed).toBe(true);
    expect(asMaster.warnings?.[0]).toContain('dev (Development)');
  });

  test('the same when its environment changes', () => {
    const context = contextOf({ policies, credentials: [credentialOf('maker')] });
    expect(review({ by, before: PROD, after: STAGING }, context).reason).toBe('BreaksRules');
    expect(review({ by, before: STAGING, after: PROD }, context).allowed).toBe(true);
    expect(review({ by, before: PROD, after: FREE }, context).allowed).toBe(true);
  });

  test('what is known to be odd, and what cannot be known, is told', () => {
    const shared = credentialOf('taker', { delivery: { secret: { name: 'maker' } } });
    const { allowed, warnings } = report([credentialOf('maker'), shared]);
    expect(allowed).toBe(true);
    expect(warnings?.join(' ')).toContain('Secret maker is of maker and taker');
    expect(warnings?.join(' ')).toContain('known only once it is guarded');
    expect(report([]).warnings).toBeUndefined();
    expect(report([], namespaceOf(of('Moon'))).warnings?.join()).toContain('is no environment');
  });

  test('credentials that nobody may mount are told', () => {
    const context = contextOf({
      policies: [
        giving('all', 'AccessSecrets', 'Admin', {
          credentials: { namespaces: ['trading'] },
          environments: ['Production'],
        }),
      ],
      credentials: [credentialOf('maker'), credentialOf('dev', { environment: 'Development' })],
    });
    const change = { by: MASTER, before: namespaceOf(), after: BARE };
    const told = review(change, context).warnings?.join(' ');
    expect(told).toContain('No AccessPolicy gives AccessSecrets to dev:');
  });

  test('a long list stays short', () => {
    const many = Array.from({ length: 500 }, (_, place) =>
      credentialOf(`dev-${place}`, { environment: 'Development' }),
    );
    expect(report(many).message?.length).toBeLessThan(2000);
    expect(report(many).message).toContain('480 more');
  });
});
