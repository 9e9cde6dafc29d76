import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '#cli/run.ts';
import { captureIo } from '../../test/cli/capture-io.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'strongroom-run-'));
  await writeFile(path.join(cwd, 'empty.yaml'), '');
  await writeFile(
    path.join(cwd, 'typo.yaml'),
    'apiVersion: strongroom.dev/v1alpha1\nkind: ExchangeCredentials\n',
  );
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

describe('run', () => {
  it.each([
    ['a surplus argument', ['seal', 'canary-argument'], 2, /too many arguments/],
    ['an unknown command', ['sael'], 2, /unknown command/],
    [
      'a file without a credential',
      ['validate', 'empty.yaml'],
      2,
      /no ExchangeCredential found in empty\.yaml/,
    ],
    ['a kind that is none of ours', ['validate', 'typo.yaml'], 2, /1 fault/],
  ])('refuses %s, and repeats no argument that may be a secret', async (_, argv, code, message) => {
    const io = captureIo({ cwd });
    expect(await run(io, argv)).toBe(code);
    expect(io.err()).toMatch(message);
    expect(io.err() + io.out()).not.toContain('canary');
  });
});
