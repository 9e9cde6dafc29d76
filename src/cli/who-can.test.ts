import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessFolder, credential } from '../../test/cli/access-fixture.ts';
import type { AccessFolder } from '../../test/cli/access-fixture.ts';

const GRANT = `apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: more }
spec:
  subjects: [ { kind: User, name: nina } ]
  permissions: [ AccessSecrets ]
  accessLevel: Admin
  environments: [ Production ]
  credentials: { namespaces: [ trading ], names: [ taker ] }
`;

let folder: AccessFolder;
beforeAll(async () => {
  folder = await accessFolder();
  await folder.write('more.yaml', GRANT);
});
afterAll(() => folder[Symbol.asyncDispose]());

interface Answer {
  readonly holders: readonly {
    readonly subject: { readonly name: string };
    readonly condition?: string;
    readonly rules: readonly { readonly policy: string }[];
  }[];
  readonly weaknesses: readonly {
    readonly type: string;
    readonly namespace: string;
    readonly subject: { readonly name: string };
  }[];
  readonly partly: readonly {
    readonly subject: { readonly name: string };
    readonly policy: string;
  }[];
  readonly administrators: readonly string[];
  readonly notes: readonly string[];
  readonly changes?: readonly Record<string, unknown>[];
}

async function json(...argv: readonly string[]): Promise<Answer> {
  const { code, out, err } = await folder.run(...argv, '-o', 'json');
  expect([code, err]).toEqual([0, '']);
  return JSON.parse(out) as Answer;
}

const named = ({ holders }: Answer): readonly string[] =>
  holders.map(({ subject }) => subject.name);

describe('who-can', () => {
  it('names who may do it in a part of what is asked about', async () => {
    const asked = ['who-can', 'delete', '-n', 'trading', '-f', 'prod', '--with', 'more.yaml'];
    const answer = await json(...asked);
    expect(named(answer)).not.toContain('nina');
    expect(answer.partly).toContainEqual(
      expect.objectContaining({ policy: 'more', environments: ['Production'] }),
    );
    const { out } = await folder.run(...asked);
    expect(out).toMatch(/In part, .*\n.*\n(.*\n)*User nina +more +Production +.*taker/);
  });

  it('names every subject with its policy, and the constraint it is under', async () => {
    const answer = await json('who-can', 'retrieve', 'maker', '-n', 'trading', '-f', 'prod');
    expect(named(answer).toSorted()).toEqual(['desk-mm', 'maker', 'otto', 'sofia']);
    const of = (name: string) => answer.holders.find(({ subject }) => subject.name === name);
    expect(of('otto')?.condition).toContain('10.20.0.0/16');
    expect(of('sofia')).toMatchObject({
      subject: { kind: 'User', name: 'sofia' },
      rules: [
        {
          policy: 'security',
          permission: 'AccessSecrets',
          grantedBy: 'role SecurityAdmin',
          level: 'Admin',
        },
      ],
    });
    expect(of('sofia')).not.toHaveProperty('condition');
    expect(answer.administrators).toEqual(['User sofia']);
    expect(answer).toMatchObject({
      request: {
        action: 'retrieve',
        needs: { anyOf: ['AccessSecrets'], level: 'Read' },
        namespace: 'trading',
        credential: 'maker',
        environment: 'Production',
        at: '2026-11-24T12:00:00.000Z',
      },
    });
  });

  it('takes what a Deny takes, and levels by rank', async () => {
    expect(named(await json('who-can', 'retrieve', 'taker', '-f', 'prod'))).toEqual(['sofia']);
    expect(named(await json('who-can', 'rotate', 'maker', '-f', 'prod'))).toEqual(['sofia']);
    expect(
      named(
        await json('who-can', 'AccessSecrets', 'maker', '--level', 'Write', '-f', 'prod'),
      ).toSorted(),
    ).toEqual(['desk-mm', 'maker', 'sofia']);
  });

  it('asks for everything in a namespace without a credential', async () => {
    const on = ['-n', 'trading', '-f', 'prod'];
    expect(named(await json('who-can', 'create', ...on))).toEqual(['sofia']);
    const one = await json('who-can', 'retrieve', ...on, '--environment', 'Production');
    expect(named(one)).toContain('sofia');
    expect(one).toMatchObject({ request: { namespace: 'trading', environment: 'Production' } });
  });

  it('lists the RBAC of others that lets the policies be rounded, and where', async () => {
    const { weaknesses, notes } = await json('who-can', 'retrieve', 'maker', '-f', 'prod');
    expect(weaknesses).toContainEqual(
      expect.objectContaining({
        type: 'SecretRead',
        namespace: 'trading',
        subject: expect.objectContaining({ name: 'mallory' }) as unknown,
      }),
    );
    expect(weaknesses).toContainEqual(
      expect.objectContaining({ type: 'NodesProxy', namespace: '*' }),
    );
    expect(notes).toEqual([]);
    const { out } = await folder.run('who-can', 'retrieve', 'maker', '-f', 'prod');
    expect(out).toMatch(/whole cluster +Group monitoring/);
    expect(out).toMatch(/trading +User mallory/);
  });

  it('says that RBAC was not looked at where the files hold none', async () => {
    const files = ['prod/policies.yaml', 'prod/credentials.yaml'];
    const { notes } = await json('who-can', 'retrieve', 'maker', '-f', ...files);
    expect(notes).toEqual([expect.stringContaining('RBAC was not looked at')]);
  });

  it('says that nobody may, and that nobody holds ManageUsers', async () => {
    await folder.write('empty/credential.yaml', credential('lone'));
    const { code, out } = await folder.run('who-can', 'retrieve', 'lone', '-f', 'empty');
    expect(code).toBe(0);
    expect(out).toContain('No AccessPolicy lets anybody retrieve on trading/lone');
    expect(out).toContain('Nobody holds ManageUsers at Admin');
  });

  it('shows what a policy would change before it is applied', async () => {
    const answer = await json('who-can', 'rotate', 'taker', '-f', 'prod', '--with', 'more.yaml');
    expect(named(answer).toSorted()).toEqual(['nina', 'sofia']);
    expect(answer.changes).toEqual([
      {
        change: 'Gained',
        subject: { kind: 'User', name: 'nina' },
        action: 'rotate',
        credential: { namespace: 'trading', name: 'taker' },
        before: 'no',
        after: 'yes',
      },
    ]);
    await folder.write('applied/more.yaml', GRANT);
    const applied = await json('who-can', 'rotate', 'taker', '-f', 'prod', 'applied');
    expect(applied.holders).toEqual(answer.holders);
  });

  it('shows what is lost without a policy, for all actions', async () => {
    const { changes = [] } = await json('who-can', '-f', 'prod', '--without', 'desk');
    expect(new Set(changes.map(({ change }) => change))).toEqual(new Set(['Lost']));
    expect(new Set(changes.map(({ action }) => action))).toEqual(
      new Set(['view', 'retrieve', 'mount', 'create', 'update']),
    );
    const { out } = await folder.run('who-can', '-f', 'prod', '--without', 'desk');
    expect(out).toMatch(
      /Lost +Group desk-mm +trading\/maker +yes +no +view, retrieve, mount, create, update/,
    );
  });

  it('shows that a policy under a constraint comes in the place of one without', async () => {
    const policy = GRANT.replace('name: more', 'name: desk')
      .replace('{ kind: User, name: nina }', '{ kind: Group, name: desk-mm }')
      .replace('taker', 'maker')
      .concat('  constraints: { sourceRanges: [ 10.30.0.0/16 ] }\n');
    await folder.write('narrow.yaml', policy);
    const { changes = [] } = await json(
      'who-can',
      'retrieve',
      'maker',
      '-f',
      'prod',
      '--with',
      'narrow.yaml',
    );
    expect(changes).toEqual([
      expect.objectContaining({
        change: 'Lost',
        subject: { kind: 'Group', name: 'desk-mm' },
        before: 'yes',
        after: expect.stringMatching(/^only .*10\.30\.0\.0\/16/) as unknown,
      }),
      expect.objectContaining({ change: 'Lost', before: 'yes', after: 'no' }),
    ]);
    const { code, out } = await folder.run('who-can', '-f', 'prod', '--with', 'prod/policies.yaml');
    expect([code, out]).toEqual([0, 'Would change: nothing of what is asked about\n']);
  });

  it('tells of a Deny under a constraint that is not met now', async () => {
    const night = GRANT.replace('name: more', 'name: night')
      .replace('name: nina', 'name: sofia')
      .replace('spec:', 'spec:\n  effect: Deny')
      .replace('accessLevel: Admin', 'accessLevel: Read')
      .concat('  constraints: { times: [ { schedule: "0 22 * * *", duration: 6h } ] }\n');
    await folder.write('night.yaml', night);
    const asked = ['who-can', 'retrieve', 'taker', '-f', 'prod', '--with', 'night.yaml'];
    const { holders, changes = [] } = await json(...asked);
    expect(holders).toMatchObject([
      { subject: { name: 'sofia' }, condition: expect.stringMatching(/^not .*22/) as unknown },
    ]);
    expect(changes).toMatchObject([
      {
        change: 'Lost',
        subject: { name: 'sofia' },
        before: 'yes',
        after: expect.stringMatching(/^yes, but not .*22/) as unknown,
      },
    ]);
    expect(await json(...asked, '--at', '2026-11-24T23:30:00Z')).toMatchObject({
      holders: [{ subject: { name: 'sofia' } }],
    });
  });

  it('takes a credential that would be new', async () => {
    await folder.write('new.yaml', credential('new'));
    const { changes = [] } = await json(
      'who-can',
      'retrieve',
      'new',
      '-f',
      'prod',
      '--with',
      'new.yaml',
    );
    expect(changes).toContainEqual(
      expect.objectContaining({ subject: { kind: 'User', name: 'sofia' }, before: 'no' }),
    );
  });

  it.each([
    ['no action', ['who-can', '-f', 'prod'], 2, /say which action: view, /],
    ['an unknown action', ['who-can', 'canary', '-f', 'prod'], 2, /there is no such action/],
    [
      'a level of an action',
      ['who-can', 'rotate', 'maker', '--level', 'Read', '-f', 'prod'],
      2,
      /rotate needs Admin by itself/,
    ],
    [
      'an environment of a credential',
      ['who-can', 'view', 'maker', '--environment', 'Production', '-f', 'prod'],
      2,
      /leave out --environment/,
    ],
    [
      'a credential that is not there',
      ['who-can', 'view', 'nope', '-n', 'trading', '-f', 'prod'],
      3,
      /ExchangeCredential trading\/nope is not in prod/,
    ],
    [
      'a policy that is not there',
      ['who-can', '-f', 'prod', '--without', 'nope'],
      3,
      /AccessPolicy nope, which --without names, does not exist; there are desk, no-taker/,
    ],
    [
      'a plan without policies',
      ['who-can', '-f', 'prod', '--with', 'prod/cluster'],
      2,
      /no AccessPolicy or ExchangeCredential found in prod\/cluster/,
    ],
    [
      'a bad time',
      ['who-can', 'view', '-f', 'prod', '--at', '2026-02-30T00:00:00Z'],
      2,
      /RFC 3339/,
    ],
    ['a bad address', ['who-can', 'view', '-f', 'prod', '--source-address', '10.0'], 2, /IPv4/],
    ['a cluster and files', ['who-can', 'view', '-f', 'prod', '--context', 'a'], 2, /no cluster/],
    ['a namespace and all', ['who-can', 'view', '-f', 'prod', '-A', '-n', 'a'], 2, /either/],
  ])('refuses %s', async (_, argv, code, message) => {
    const ran = await folder.run(...argv);
    expect(ran.err).toMatch(message);
    expect(ran.code).toBe(code);
    expect(ran.err).not.toContain('canary');
  });
});
