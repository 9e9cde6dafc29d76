import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { parse } from 'yaml';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import type { Secret } from '../../src/kube/objects.ts';
import { LEASES, SECRETS } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { runProgram } from './operator-process.ts';
import type { OperatorProcess } from './operator-process.ts';

/** The bundled program with the chart's rights: what an installation is, without a node. */
describe('operator', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let client: KubeClient;
  let program: string;
  let scratch: string;
  let operatorNamespace: string;
  let trading: TestNamespace;
  let operator: OperatorProcess;

  const start = (identity: string): Promise<OperatorProcess> =>
    installation.start(identity, ['--source-refresh', '1s']);

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    ({ client, program, scratch, namespace: operatorNamespace } = installation);
    trading = cleanup.use(
      await createNamespace(client, 'trading', { 'strongroom.dev/guarded': 'true' }),
    );
    operator = await start('one');
  });
  afterAll(async () => {
    await operator?.[Symbol.asyncDispose]();
    await cleanup.disposeAsync();
  });

  async function sealed(name: string, value: string): Promise<string> {
    const file = path.join(scratch, `${name}.yaml`);
    await writeFile(
      file,
      `apiVersion: strongroom.dev/v1alpha1
kind: ExchangeCredential
metadata: { name: ${name}, namespace: ${trading.name} }
spec:
  exchange: Hyperliquid
  type: PrivateKey
  environment: Production
  owner: market-making
  delivery:
    secret: { name: ${name}, keys: { privateKey: KEY } }
`,
    );
    const result = await runProgram(
      program,
      [
        'seal',
        '--into',
        file,
        '--operator-namespace',
        operatorNamespace,
        '--field',
        'privateKey',
        '--stdin',
      ],
      { kubeconfig: inject('kubeconfig'), stdin: value },
    );
    expect(result).toMatchObject({ code: 0 });
    return file;
  }

  async function apply(file: string): Promise<void> {
    const object = parse(await readFile(file, 'utf8')) as ExchangeCredential;
    await client.apply(EXCHANGE_CREDENTIALS, object, { fieldManager: 'git', force: true });
  }

  function delivered(name: string, value: string): Promise<Secret> {
    return eventually(
      async () => {
        const secret = await client.find(SECRETS, { namespace: trading.name, name });
        return secret?.data?.['KEY'] === Buffer.from(value).toString('base64') ? secret : undefined;
      },
      { what: `${name} to be delivered; the operator printed ${operator.output().slice(-3000)}` },
    );
  }

  function credential(name: string): Promise<ExchangeCredential> {
    return client.get<ExchangeCredential>(EXCHANGE_CREDENTIALS, { namespace: trading.name, name });
  }

  function ready(name: string): Promise<ExchangeCredential> {
    return eventually(
      async () => {
        const found = await credential(name);
        const condition = found.status?.conditions?.find(({ type }) => type === 'Ready');
        return condition?.status === 'True' &&
          found.status?.observedGeneration === found.metadata.generation
          ? found
          : undefined;
      },
      { what: `${name} to be ready` },
    );
  }

  const newKey = (): string => `0x${randomBytes(32).toString('hex')}`;

  it('brings a sealed value into a Secret, and its replacement after it', async () => {
    const [first, second] = [newKey(), newKey()];
    await apply(await sealed('maker', first));
    await delivered('maker', first);
    expect((await ready('maker')).status).toMatchObject({
      currentVersion: 1,
      delivery: { version: 1 },
    });
    await apply(await sealed('maker', second));
    await delivered('maker', second);
    await eventually(async () => (await credential('maker')).status?.delivery?.version === 2, {
      what: 'version 2 in status',
    });
  });

  it('rolls back, refuses what was rolled back, and revokes, by command', async () => {
    const [first, second, third] = [newKey(), newKey(), newKey()];
    await apply(await sealed('roll', first));
    await delivered('roll', first);
    await apply(await sealed('roll', second));
    await delivered('roll', second);
    const options = { kubeconfig: inject('kubeconfig') };
    const rolled = await runProgram(
      program,
      ['rollback', 'roll', '-n', trading.name, '--to', '1', '--reason', 'test'],
      options,
    );
    expect(rolled).toMatchObject({ code: 0 });
    await delivered('roll', first);
    await apply(await sealed('roll', third));
    await delivered('roll', third);
    const revoked = await runProgram(
      program,
      ['revoke', 'roll', '-n', trading.name, '--version', '1', '--reason', 'test', '-o', 'json'],
      options,
    );
    expect(revoked).toMatchObject({ code: 0 });
    expect(JSON.parse(revoked.stdout)).toMatchObject({ currentVersion: 3 });
    const again = ['rollback', 'roll', '-n', trading.name, '--to', '1', '--reason', 'test'];
    expect(await runProgram(program, again, options)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('version 1 of roll is Revoked'),
    });
    const versions = await runProgram(
      program,
      ['versions', 'roll', '-n', trading.name, '-o', 'json'],
      options,
    );
    expect(JSON.parse(versions.stdout)).toMatchObject([
      { version: 3, state: 'Current' },
      { version: 2 },
      { version: 1, state: 'Revoked' },
    ]);
  });

  it('suspends and resumes by command', async () => {
    const key = newKey();
    await apply(await sealed('pause', key));
    await delivered('pause', key);
    const options = { kubeconfig: inject('kubeconfig') };
    expect(
      await runProgram(
        program,
        ['suspend', 'pause', '-n', trading.name, '--reason', 'test'],
        options,
      ),
    ).toMatchObject({ code: 0 });
    await eventually(
      async () =>
        (await client.find(SECRETS, { namespace: trading.name, name: 'pause' })) === undefined,
      { what: 'the Secret to be withdrawn' },
    );
    expect(
      await runProgram(program, ['resume', 'pause', '-n', trading.name], options),
    ).toMatchObject({ code: 0 });
    await delivered('pause', key);
  });

  it('says what is wrong with a ciphertext that was moved, and delivers nothing', async () => {
    const file = await sealed('origin', newKey());
    const moved = path.join(scratch, 'moved.yaml');
    await writeFile(moved, (await readFile(file, 'utf8')).replaceAll('origin', 'moved'));
    await apply(moved);
    const condition = await eventually(
      async () =>
        (await credential('moved')).status?.conditions?.find(
          ({ type, status }) => type === 'SourceReady' && status === 'False',
        ),
      { what: 'the moved ciphertext to be refused' },
    );
    expect(condition).toMatchObject({ reason: 'SourceRefused' });
    expect(condition.message).toMatch(/privateKey/);
    expect(condition.message).toMatch(/origin/);
    expect(await client.find(SECRETS, { namespace: trading.name, name: 'moved' })).toBeUndefined();
  });

  it('changes nothing when it is killed and started anew (invariant 7)', async () => {
    const key = newKey();
    await apply(await sealed('still', key));
    await delivered('still', key);
    await ready('still');
    const state = async () => {
      const [secret, object] = await Promise.all([
        client.get(SECRETS, { namespace: trading.name, name: 'still' }),
        credential('still'),
      ]);
      return [
        secret.metadata.uid,
        secret.metadata.resourceVersion,
        object.metadata.resourceVersion,
      ];
    };
    const before = await state();
    await operator.kill();
    operator = await start('two');
    await eventually(
      async () =>
        (
          await client.get(LEASES, { namespace: operatorNamespace, name: 'strongroom-operator' })
        ).spec?.holderIdentity?.startsWith('two') === true,
      { what: 'the second process to lead', timeoutMs: 60_000 },
    );
    // A credential made now is handled after the first list: then the old ones have been looked at.
    await apply(await sealed('after', key));
    await delivered('after', key);
    await eventually(
      async () =>
        /reconcile_total\{controller="[^"]*",result="[a-z_]+"\} \d+/.test(await operator.metrics()),
      { what: 'metrics' },
    );
    expect(await state()).toEqual(before);
  });

  it('stops cleanly, gives its lease back, and printed no value', async () => {
    const code = await operator.stop();
    expect(code).toBe(0);
    const lease = await client.get(LEASES, {
      namespace: operatorNamespace,
      name: 'strongroom-operator',
    });
    expect(lease.spec?.holderIdentity ?? '').toBe('');
    expect(operator.output()).not.toMatch(/0x[0-9a-f]{64}/);
    operator = await start('three');
  });
});
