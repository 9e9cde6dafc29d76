import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readValues } from '#cli/values.ts';
import { captureIo } from '../../test/cli/capture-io.ts';

let cwd: string;
beforeAll(async () => {
  cwd = await mkdtemp(path.join(tmpdir(), 'strongroom-values-'));
  await writeFile(path.join(cwd, 'key.txt'), 'abc\n');
  await writeFile(
    path.join(cwd, 'key.pem'),
    '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n',
  );
  await writeFile(path.join(cwd, '.env'), 'KEY=canary-one\nSECRET="canary two"\n');
  await writeFile(
    path.join(cwd, 'secret.yaml'),
    `kind: Secret\ndata: { key: ${Buffer.from('canary-one').toString('base64')} }\nstringData: { plain: canary-two }\n`,
  );
  await writeFile(path.join(cwd, 'broken.yaml'), 'kind: "Secret\ndata: canary-one');
  await writeFile(path.join(cwd, 'plain.yaml'), 'kind: Secret\ndata: { key: "canary-one!" }');
  const base64 = Buffer.from('canary-one').toString('base64');
  await writeFile(
    path.join(cwd, 'wrapped.yaml'),
    `kind: Secret\ndata:\n  key: |\n    ${base64.slice(0, 7)}\n    ${base64.slice(7)}\n`,
  );
  await writeFile(path.join(cwd, 'tag.yaml'), 'kind: Secret\nstringData: { key: !canary-one }');
  await writeFile(path.join(cwd, 'alias.yaml'), 'kind: Secret\nstringData: { key: *canary-one }');
  await writeFile(path.join(cwd, 'map.yaml'), 'kind: ConfigMap');
});
afterAll(() => rm(cwd, { recursive: true, force: true }));

async function read(options: Parameters<typeof readValues>[1], stdin?: string) {
  const io = captureIo({ cwd, ...(stdin === undefined ? {} : { stdin }) });
  const values = await readValues(io, options);
  return {
    values: Object.fromEntries([...values].map(([field, value]) => [field, value.utf8()])),
    err: io.err(),
  };
}

describe('readValues', () => {
  it.each([
    ['stdin', { field: ['apiKey'], stdin: true }, { apiKey: 'abc' }],
    [
      'stdin, kept whole',
      { field: ['apiKey'], stdin: true, keepNewline: true },
      { apiKey: 'abc\r\n' },
    ],
    ['a file', { fromFile: ['apiKey=key.txt'] }, { apiKey: 'abc' }],
    [
      'a PEM file, whole',
      { fromFile: ['privateKey=key.pem'] },
      { privateKey: '-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n' },
    ],
    [
      'a .env file',
      { fromEnvFile: '.env', map: ['apiKey=KEY', 'apiSecret=SECRET'] },
      { apiKey: 'canary-one', apiSecret: 'canary two' },
    ],
    [
      'the manifest of a Secret',
      { fromSecret: 'secret.yaml', map: ['apiKey=key', 'apiSecret=plain'] },
      { apiKey: 'canary-one', apiSecret: 'canary-two' },
    ],
  ])('reads %s', async (_, options, expected) => {
    expect((await read(options, 'abc\r\n')).values).toEqual(expected);
  });

  it('takes base64 that is wrapped over lines', async () => {
    const { values } = await read({ fromSecret: 'wrapped.yaml', map: ['apiKey=key'] });
    expect(Buffer.from(values['apiKey'] ?? '').toString()).toBe('canary-one');
  });

  it('says that it left out a line break', async () => {
    expect((await read({ fromFile: ['apiKey=key.txt'] })).err).toContain('line break of apiKey');
  });

  it.each([
    ['nothing at all', {}, /no value to seal/],
    ['stdin without a field', { stdin: true }, /name its field/],
    ['stdin for two fields', { stdin: true, field: ['a', 'b'] }, /exactly one value/],
    ['a terminal that is none', { field: ['apiKey'] }, /stdin is not a terminal/],
    [
      'a field twice',
      { fromFile: ['a=key.txt', 'b=key.txt'], fromEnvFile: '.env', map: ['a=KEY'] },
      /a is given twice/,
    ],
    ['a file that is not there', { fromFile: ['a=nope'] }, /nope cannot be read \(ENOENT\)/],
    ['a pair without a sign', { fromFile: ['canary-one'] }, /--from-file takes field=/],
    [
      'a variable that is not there',
      { fromEnvFile: '.env', map: ['a=NOPE'] },
      /has no NOPE .*it has KEY, SECRET/,
    ],
    [
      'broken YAML',
      { fromSecret: 'broken.yaml' },
      /broken\.yaml: not valid YAML at line \d+ \(\w+\)$/,
    ],
    [
      'data that is no base64',
      { fromSecret: 'plain.yaml' },
      /data\.key is not base64; use stringData/,
    ],
    ['another kind', { fromSecret: 'map.yaml' }, /not the manifest of one Secret/],
    ['an empty value', { stdin: true, field: ['a'] }, /a is empty/],
  ])('refuses %s, and quotes no value', async (_, options, message) => {
    const failure = await read(options, '\n').catch((error: unknown) => String(error));
    expect(failure).toMatch(message);
    expect(failure).not.toContain('canary');
  });
});
