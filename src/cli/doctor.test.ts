import { expect, it } from 'vitest';
import { againstServer } from '../../test/cli/against-server.ts';
import { sendJson } from '../../test/http-server.ts';
import { run } from './run.ts';

it('doctor says that it does not know whether anything is guarded, where it may see nothing', async () => {
  await using api = await againstServer((_, response) =>
    sendJson(response, 403, { kind: 'Status', reason: 'Forbidden', message: 'RBAC' }),
  );
  const [table, json] = [api.io(), api.io()];
  expect(await run(table, ['doctor'])).toBe(0);
  expect(table.out()).toMatch(/\nthe webhook refuses +NotAllowed/);
  expect(await run(json, ['doctor', '-o', 'json'])).toBe(0);
  expect(JSON.parse(json.out())).toMatchObject({ guards: null });
  for (const { err } of [table, json]) {
    expect(err()).toMatch(/^whether it guards is not known: .*the webhook refuses/);
  }
});
