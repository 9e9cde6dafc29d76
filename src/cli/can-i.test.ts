import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessFolder, credential } from '../../test/cli/access-fixture.ts';
import type { AccessFolder } from '../../test/cli/access-fixture.ts';

let folder: AccessFolder;
beforeAll(async () => {
  folder = await accessFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

const ask = (...argv: readonly string[]) => folder.run('can-i', ...argv, '-f', 'prod');

describe('can-i', () => {
  it.each([
    ['a group', ['--as', 'alice', '--as-group', 'desk-mm'], 'maker', 0],
    ['a group alone', ['--as-group', 'desk-mm'], 'maker', 0],
    ['a ServiceAccount', ['--as-service-account', 'trading/maker'], 'maker', 0],
    ['the username of one', ['--as', 'system:serviceaccount:trading:maker'], 'maker', 0],
    ['one of another namespace', ['--as-service-account', 'other/maker'], 'maker', 1],
    ['who is not named', ['--as', 'alice'], 'maker', 1],
    ['another case', ['--as', 'Sofia'], 'maker', 1],
    ['who is named', ['--as', 'sofia'], 'taker', 0],
    ['system:masters', ['--as', 'root', '--as-group', 'system:masters'], 'taker', 0],
    ['a known address', ['--as', 'otto', '--source-address', '10.20.1.1'], 'maker', 0],
    ['another address', ['--as', 'otto', '--source-address', '10.21.1.1'], 'maker', 1],
    ['no address', ['--as', 'otto'], 'maker', 1],
    ['who is denied', ['--as', 'otto', '--source-address', '10.20.1.1'], 'taker', 1],
  ])('answers yes or no by exit code, for %s', async (_, options, name, code) => {
    const ran = await ask('retrieve', name, ...options);
    expect(ran).toMatchObject({ code, err: '' });
    expect(ran.out).toMatch(code === 0 ? /^yes: / : /^no: /);
  });

  it('says why', async () => {
    expect((await ask('retrieve', 'maker', '--as-group', 'desk-mm')).out).toContain(
      'AccessPolicy desk gives AccessSecrets at Write to Group desk-mm (permissions)',
    );
    expect((await ask('retrieve', 'taker', '--as', 'otto')).out).toContain(
      'AccessPolicy no-taker denies AccessSecrets from Read to User otto (permissions)',
    );
    expect((await ask('retrieve', 'maker', '--as', 'alice')).out).toContain(
      'no AccessPolicy gives AccessSecrets at Read on trading/maker to alice, in system:authenticated',
    );
    expect((await ask('retrieve', 'maker', '--as', 'otto')).out).toMatch(
      /^no: not under these circumstances, only .*10\.20\.0\.0\/16/,
    );
  });

  it('prints JSON, with the constraint that is in the way', async () => {
    const { code, out } = await ask('retrieve', 'maker', '--as', 'otto', '-o', 'json');
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({
      request: { action: 'retrieve', namespace: 'trading', credential: 'maker' },
      identity: { username: 'otto', groups: ['system:authenticated'] },
      allowed: false,
      reason: 'NotGranted',
      rules: [{ policy: 'office', permission: 'AccessSecrets', level: 'Read' }],
      condition: expect.stringContaining('10.20.0.0/16') as unknown,
    });
  });

  it('lists all credentials with the actions that are allowed', async () => {
    const { code, out } = await ask('-n', 'trading', '--as', 'otto', '--as-group', 'desk-mm');
    expect(code).toBe(0);
    expect(out).toMatch(/trading\/maker +Production +view, retrieve, mount, create, update$/m);
    expect(out).toMatch(/trading\/\* +all +-$/m);
    expect((await ask('--as', 'root', '--as-group', 'system:masters')).out).toMatch(
      /trading\/taker +Production +everything$/m,
    );
    const json = await ask('-n', 'trading', '--as', 'otto', '-o', 'json');
    expect(JSON.parse(json.out)).toMatchObject({
      credentials: [
        { namespace: 'trading', name: '*', allowed: [] },
        {
          name: 'maker',
          environment: 'Production',
          allowed: [],
          conditional: [{ action: 'view' }, { action: 'retrieve' }, { action: 'mount' }],
        },
        { name: 'taker', allowed: [], conditional: [] },
      ],
    });
  });

  it('lists each namespace of the files, and all of them', async () => {
    const { out } = await ask('--as', 'sofia');
    expect(out).toMatch(/^\*\/\* +all +view, retrieve/m);
    expect(out).toMatch(/^trading\/\* +all +view, retrieve/m);
  });

  it('shows what would change for the person', async () => {
    const { code, out } = await ask(
      'retrieve',
      'maker',
      '--as-group',
      'desk-mm',
      '--without',
      'desk',
    );
    expect(code).toBe(1);
    expect(out).toMatch(/Lost +Group desk-mm +trading\/maker +yes +no +retrieve/);
  });

  it('finds the one credential of a name, or asks which', async () => {
    await folder.write('other.yaml', credential('maker', 'other'));
    expect((await ask('view', 'maker', '--as', 'sofia', '-f', 'other.yaml')).err).toMatch(
      /other\/maker and trading\/maker; say which with --namespace/,
    );
    expect(
      await ask('view', 'maker', '--as', 'sofia', '-f', 'other.yaml', '-n', 'other'),
    ).toMatchObject({ code: 0 });
  });

  it.each([
    ['nobody', ['retrieve', 'maker'], /files do not say who you are/],
    ['a bad ServiceAccount', ['--as-service-account', 'maker'], /wants <namespace>\/<name>/],
    ['two', ['--as', 'a', '--as-service-account', 'a/b'], /either --as or/],
    ['an empty name', ['--as', ''], /--as is empty/],
    ['a level alone', ['--as', 'a', '--level', 'Read'], /--level goes with/],
  ])('refuses %s', async (_, options, message) => {
    const ran = await ask(...options);
    expect(ran).toMatchObject({ code: 2, out: '' });
    expect(ran.err).toMatch(message);
  });
});
