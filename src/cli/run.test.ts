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
    path.join(cwd, 'key.yaml'),
    'apiVersion: strongroom.dev/v1alpha1\nkind: ExchangeCredential\nmetadata: { name: a, namespace: b }\nspec:\n  type: PrivateKey\n',
  );
  for (const [name, value] of [
    ['alias', '*canary-alias'],
    ['tag', '!canary-tag'],
    ['quote', '"canary-quote'],
  ]) {
    await writeFile(
      path.join(cwd, `${name}.yaml`),
      `apiVersion: strongroom.dev/v1alpha1\nkind: ExchangeCredential\nmetadata: { name: a }\nspec:\n  source:\n    sealed:\n      privateKey: ${value}\n`,
    );
  }
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
      /no ExchangeCredential, AccessPolicy, IPBlock or EmergencyAccess found in empty\.yaml/,
    ],
    [
      'plaintext that looks like an alias',
      ['validate', 'alias.yaml'],
      2,
      /alias\.yaml: a value begins with "\*"/,
    ],
    [
      'plaintext that looks like a tag',
      ['validate', 'tag.yaml'],
      2,
      /tag\.yaml: line 7: a value begins with "!"/,
    ],
    [
      'a quote that is not closed',
      ['validate', 'quote.yaml'],
      2,
      /quote\.yaml: not valid YAML at line/,
    ],
    [
      'the same when sealing',
      ['seal', '--into', 'tag.yaml', '--field', 'privateKey'],
      2,
      /begins with "!"/,
    ],
    [
      'a file that is not there',
      ['validate', 'nope.yaml'],
      3,
      /: nope\.yaml cannot be read \(ENOENT\)$/m,
    ],
    [
      'a manifest that is not there',
      ['seal', '--into', 'nope.yaml'],
      3,
      /: nope\.yaml cannot be read/,
    ],
    [
      'a field that the type has not, before it asks',
      ['seal', '--into', 'key.yaml', '--field', 'nope'],
      2,
      /nope is no field of the type PrivateKey; it has privateKey/,
    ],
    [
      'a seal for no namespace',
      ['seal', '--name', 'a', '--exchange', 'OKX', '--field', 'f'],
      2,
      /give it with --namespace/,
    ],
    ['a kind that is none of ours', ['validate', 'typo.yaml'], 2, /1 fault/],
  ])('refuses %s, and repeats no argument that may be a secret', async (_, argv, code, message) => {
    const io = captureIo({ cwd });
    expect(await run(io, argv)).toBe(code);
    expect(io.err()).toMatch(message);
    expect(io.err() + io.out()).not.toContain('canary');
  });
});
