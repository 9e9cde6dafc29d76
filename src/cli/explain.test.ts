import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { accessFolder } from '../../test/cli/access-fixture.ts';
import type { AccessFolder } from '../../test/cli/access-fixture.ts';

let folder: AccessFolder;
beforeAll(async () => {
  folder = await accessFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

async function explain(...argv: readonly string[]): Promise<string> {
  const { code, out, err } = await folder.run('explain', ...argv, '-f', 'prod');
  expect([code, err]).toEqual([0, '']);
  return out;
}

describe('explain', () => {
  it('shows which policy allowed', async () => {
    const text = await explain('retrieve', 'maker', '--as', 'sofia');
    expect(text).toMatch(/^Decision: +allowed$/m);
    expect(text).toMatch(
      /^security +Allow +User sofia +AccessSecrets +role SecurityAdmin +Admin$/m,
    );
    expect(text).not.toContain('nearest');
  });

  it('shows which policy denied', async () => {
    const text = await explain('retrieve', 'taker', '--as', 'otto');
    expect(text).toMatch(/^Decision: +denied: a policy with effect Deny applies/m);
    expect(text).toMatch(/^no-taker +Deny +User otto +AccessSecrets/m);
  });

  it('shows what would hold but for a Deny', async () => {
    const away = await explain('retrieve', 'taker', '--as', 'otto');
    expect(away).toContain('But for the policies that deny, it would not be allowed either.');
    expect(away).toMatch(/^office +Constraint +/m);
    const there = ['--as', 'otto', '--source-address', '10.20.0.1'];
    expect(await explain('retrieve', 'taker', ...there)).toContain(
      'it would be allowed:\nAccessPolicy office gives AccessSecrets at Read to User otto',
    );
    expect(JSON.parse(await explain('retrieve', 'taker', ...there, '-o', 'json'))).toMatchObject({
      decision: { reason: 'Denied' },
      withoutDenies: { decision: { allowed: true, rules: [{ policy: 'office' }] } },
    });
  });

  it('shows what comes nearest, and what each policy misses', async () => {
    const text = await explain('rotate', 'maker', '--as', 'alice', '--as-group', 'desk-mm');
    expect(text).toMatch(/^Decision: +denied: no policy gives it$/m);
    expect(text).toMatch(/^Needs: +AccessSecrets at Admin$/m);
    expect(text).toMatch(/^desk +Level +/m);
    const away = await explain('retrieve', 'maker', '--as', 'otto', '--source-address', '10.9.9.9');
    expect(away).toMatch(/^office +Constraint +.*10\.20\.0\.0\/16/m);
    expect(away).toMatch(/^From: +10\.9\.9\.9$/m);
  });

  it('prints JSON', async () => {
    const json = await explain('retrieve', 'maker', '--as', 'alice', '-o', 'json');
    expect(JSON.parse(json)).toMatchObject({
      request: { action: 'retrieve', credential: 'maker', environment: 'Production' },
      identity: { username: 'alice' },
      decision: { allowed: false, reason: 'NotGranted', needs: { level: 'Read' } },
      considered: expect.arrayContaining([
        expect.objectContaining({ policy: 'desk', effect: 'Allow', applies: false }),
      ]) as unknown,
      notes: [],
    });
  });

  it('shows what would change', async () => {
    expect(await explain('retrieve', 'maker', '--as', 'sofia', '--without', 'security')).toMatch(
      /Lost +User sofia +trading\/maker +yes +no +retrieve/,
    );
  });

  it('says that a credential does not exist', async () => {
    const ran = await folder.run('explain', 'view', 'nope', '--as', 'a', '-f', 'prod');
    expect(ran).toMatchObject({
      code: 3,
      err: 'strongroom: ExchangeCredential nope is not in prod\n',
    });
  });
});
