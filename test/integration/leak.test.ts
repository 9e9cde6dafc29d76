/**
 * Invariant 1: no plaintext outside memory, the delivered Secret and the wire. A canary in every
 * field of every type goes through success, failure and bad input; afterwards everything that can be
 * read anywhere is searched for it, in the forms that it could have taken.
 */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { CREDENTIAL_FIELDS, CREDENTIAL_TYPES } from '../../src/api/fields.ts';
import type { CredentialType } from '../../src/api/fields.ts';
import { CONFIG_MAPS, EVENTS, SECRETS } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { runProgram } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';

/** Everything that was ever given in as a value. */
const canaries: string[] = [];

function canary(label: string): string {
  const value = `canary-${label}-${randomBytes(12).toString('hex')}`;
  canaries.push(value);
  return value;
}

/** A value that a field of a type accepts, with a canary in it; PEM for the fields that need it. */
function valueOf(type: CredentialType, field: string): string {
  if (type === 'Certificate') {
    const { privateKey } = generateKeyPairSync('ed25519');
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' });
    canaries.push(pem.split('\n')[1] ?? pem);
    return pem;
  }
  if (type === 'PrivateKey') {
    const hex = `0x${randomBytes(32).toString('hex')}`;
    canaries.push(hex.slice(2));
    return hex;
  }
  if (type === 'EncryptionKey') {
    const key = randomBytes(32).toString('base64');
    canaries.push(key);
    return key;
  }
  if (field === 'port') return '5432';
  return canary(`${type}-${field}`);
}

/** The forms in which a value could turn up. */
function formsOf(value: string): readonly string[] {
  const bytes = Buffer.from(value, 'utf8');
  const base64 = bytes.toString('base64');
  return [
    value,
    // Without its ends, which depend on what stands around it.
    base64.slice(4, -8),
    bytes.toString('hex'),
    encodeURIComponent(value),
    JSON.stringify(value).slice(1, -1),
  ].filter((form) => form.length >= 12);
}

function findIn(text: string): readonly string[] {
  return canaries.flatMap(formsOf).filter((form) => text.includes(form));
}

describe('plaintext', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let trading: TestNamespace;
  let operator: OperatorProcess;
  /** What the commands printed. */
  let printed = '';

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    trading = cleanup.use(
      await createNamespace(installation.client, 'leak', { 'strongroom.dev/guarded': 'true' }),
    );
    operator = cleanup.use(await installation.start('leaky', ['--source-refresh', '1s']));
  });
  afterAll(() => cleanup.disposeAsync());

  async function command(args: readonly string[], stdin?: string): Promise<number> {
    const result = await runProgram(installation.program, args, {
      kubeconfig: inject('kubeconfig'),
      ...(stdin === undefined ? {} : { stdin }),
    });
    printed += result.stdout + result.stderr;
    return result.code;
  }

  async function apply(
    name: string,
    spec: Partial<ExchangeCredential['spec']> & { readonly type: CredentialType },
  ): Promise<void> {
    const object: ExchangeCredential = {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'ExchangeCredential',
      metadata: { name, namespace: trading.name },
      spec: {
        environment: 'Staging',
        owner: 'test',
        source: { generate: {} },
        delivery: { secret: { name: `${name}-out` } },
        ...spec,
      },
    };
    await installation.client.apply(EXCHANGE_CREDENTIALS, object, {
      fieldManager: 'test',
      force: true,
    });
  }

  async function seal(
    name: string,
    values: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>> {
    const sealed: Record<string, string> = {};
    for (const [field, value] of Object.entries(values)) {
      const file = path.join(installation.scratch, 'value');
      await writeFile(file, value, { mode: 0o600 });
      const result = await runProgram(
        installation.program,
        [
          'seal',
          '-n',
          trading.name,
          '--name',
          name,
          '--exchange',
          '',
          '--operator-namespace',
          installation.namespace,
          '--from-file',
          `${field}=${file}`,
          '--keep-newline',
          '-o',
          'json',
        ],
        { kubeconfig: inject('kubeconfig') },
      );
      expect(result).toMatchObject({ code: 0 });
      printed += result.stdout + result.stderr;
      Object.assign(
        sealed,
        (JSON.parse(result.stdout) as { sealed: Record<string, string> }).sealed,
      );
    }
    return sealed;
  }

  function condition(name: string, type: string): Promise<string> {
    return eventually(
      async () => {
        const found = await installation.client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, {
          namespace: trading.name,
          name,
        });
        return found.status?.conditions?.find(
          (c) => c.type === type && found.status?.observedGeneration === found.metadata.generation,
        )?.reason;
      },
      {
        what: `the condition ${type} of ${name}; the operator printed ${operator.output().slice(-2000)}`,
      },
    );
  }

  it.each(CREDENTIAL_TYPES)('of %s is only where it belongs', async (type) => {
    const { required, optional } = CREDENTIAL_FIELDS[type];
    const name = type.toLowerCase();
    const values = Object.fromEntries(
      [...required, ...optional].map((field) => [field, valueOf(type, field)]),
    );
    await apply(name, { type, source: { sealed: await seal(name, values) } });
    expect(await condition(name, 'SourceReady')).toMatch(/^Source/);
    // The same from a Secret, then one with faults in it: line break, byte order mark, NUL, nothing.
    for (const [index, spoil] of [
      (v: string) => v,
      (v: string) => `${v}\n`,
      (v: string) => `\uFEFF${v}`,
      (v: string) => `${v}\0`,
    ].entries()) {
      const source = `${name}-in-${index}`;
      await installation.client.create(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: source, namespace: trading.name },
        data: Object.fromEntries(
          Object.entries(values).map(([field, value]) => [
            field,
            Buffer.from(spoil(value)).toString('base64'),
          ]),
        ),
      });
      await apply(`${name}-${index}`, { type, source: { secretRef: { name: source } } });
      expect(await condition(`${name}-${index}`, 'SourceReady')).toMatch(/^Source/);
    }
  });

  it('that was put where ciphertext belongs is refused without being repeated', async () => {
    const value = canary('pasted');
    const refusal = await apply('pasted', {
      type: 'ApiKey',
      source: { sealed: { apiKey: value, apiSecret: value } },
    }).catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'ERR_KUBE_INVALID' });
    expect(findIn(JSON.stringify([String(refusal), refusal]))).toEqual([]);
    const file = path.join(installation.scratch, 'pasted.yaml');
    await writeFile(
      file,
      `apiVersion: strongroom.dev/v1alpha1\nkind: ExchangeCredential\nmetadata: { name: pasted, namespace: ${trading.name} }\nspec:\n  type: ApiKey\n  source: { sealed: { apiKey: "${value}" } }\n`,
    );
    expect(await command(['validate', file])).toBe(2);
  });

  it('is not shown by any command but retrieve', async () => {
    const password = canary('retrieved');
    await apply('shown', {
      type: 'Password',
      source: { sealed: await seal('shown', { password }) },
    });
    await eventually(
      () => installation.client.find(SECRETS, { namespace: trading.name, name: 'shown-out' }),
      { what: 'shown to be delivered' },
    );
    const on = ['-n', trading.name];
    for (const args of [
      ['status', ...on],
      ['status', 'shown', ...on],
      ['status', 'shown', '-o', 'json', ...on],
      ['versions', 'shown', ...on],
      ['rotate', 'shown', '--reason', 'test', ...on],
      ['suspend', 'shown', ...on],
      ['resume', 'shown', ...on],
    ]) {
      expect(`${args[0]} ${await command(args)}`).toBe(`${args[0]} 0`);
    }
    await eventually(
      () => installation.client.find(SECRETS, { namespace: trading.name, name: 'shown-out' }),
      { what: 'shown to be delivered again' },
    );
    const read = await runProgram(
      installation.program,
      ['retrieve', 'shown', ...on, '--field', 'password', '--reason', 'test'],
      { kubeconfig: inject('kubeconfig') },
    );
    expect(read).toMatchObject({ code: 0, stdout: password });
    expect(findIn(read.stderr)).toEqual([]);
  });

  it('is in no log, metric, Event, status, ConfigMap or foreign Secret', async () => {
    const { client } = installation;
    await command(['status', '-n', trading.name, '-o', 'json']);
    const scopes = [trading.name, installation.namespace];
    const lists = await Promise.all(
      scopes.flatMap((namespace) => [
        client.list(EVENTS, { namespace }),
        client.list(CONFIG_MAPS, { namespace }),
        client.list<ExchangeCredential>(EXCHANGE_CREDENTIALS, { namespace }),
      ]),
    );
    expect(findIn(operator.output())).toEqual([]);
    expect(findIn(printed)).toEqual([]);
    expect(findIn(await operator.metrics())).toEqual([]);
    expect(findIn(JSON.stringify(lists))).toEqual([]);
    expect(lists.flatMap(({ items }) => items).length).toBeGreaterThan(10);
    // The vault, the keys: what the operator stores is ciphertext, base64 taken off and not.
    const stored = await client.list(SECRETS, { namespace: installation.namespace });
    const decoded = stored.items.flatMap(({ data }) =>
      Object.values(data ?? {}).map((value) => Buffer.from(value, 'base64').toString('latin1')),
    );
    expect(findIn(JSON.stringify(stored))).toEqual([]);
    expect(findIn(decoded.join('\n'))).toEqual([]);
    // And the search itself finds what is there.
    const delivered = await client.list(SECRETS, { namespace: trading.name });
    expect(findIn(JSON.stringify(delivered)).length).toBeGreaterThan(10);
  });
});
