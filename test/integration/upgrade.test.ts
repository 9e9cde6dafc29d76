import { execFile } from 'node:child_process';
import { symlink } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { EXCHANGE_CREDENTIALS } from '../../src/api/exchange-credential.ts';
import type { ExchangeCredential } from '../../src/api/exchange-credential.ts';
import { SECRETS } from '../../src/kube/resources.ts';
import { binary } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { createNamespace } from './cluster.ts';
import type { TestNamespace } from './cluster.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { installChart, runProgram } from './operator-process.ts';

const execute = promisify(execFile);

describe('installation', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let trading: TestNamespace;

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    trading = cleanup.use(
      await createNamespace(installation.client, 'upgrade', { 'strongroom.dev/guarded': 'true' }),
    );
  });
  afterAll(() => cleanup.disposeAsync());

  /** Everything the operator keeps: vault entries, seal keys, key-encryption keys. */
  async function kept(): Promise<Readonly<Record<string, unknown>>> {
    const { items } = await installation.client.list(
      SECRETS,
      { namespace: installation.namespace },
      { labelSelector: 'strongroom.dev/component' },
    );
    return Object.fromEntries(items.map(({ metadata, data }) => [metadata.name, data]));
  }

  it('keeps seal keys and vault through an upgrade, and delivers the same value after it', async () => {
    const { client, namespace } = installation;
    const object: ExchangeCredential = {
      apiVersion: 'strongroom.dev/v1alpha1',
      kind: 'ExchangeCredential',
      metadata: { name: 'kept', namespace: trading.name },
      spec: {
        type: 'Password',
        environment: 'Staging',
        owner: 'test',
        source: { generate: {} },
        delivery: { secret: { name: 'kept' } },
      },
    };
    const first = await installation.start('before');
    await client.create(EXCHANGE_CREDENTIALS, object);
    const delivered = (): Promise<string | undefined> =>
      client
        .find(SECRETS, { namespace: trading.name, name: 'kept' })
        .then((secret) => secret?.data?.['password']);
    const value = await eventually(delivered, { what: 'the generated value' });
    const before = await kept();
    expect(Object.keys(before).length).toBeGreaterThanOrEqual(4);
    await first.stop();

    await installChart(inject('kubeconfig'), namespace, ['config.logLevel=warn', 'replicas=3']);
    expect(await kept()).toEqual(before);
    await client.delete(SECRETS, { namespace: trading.name, name: 'kept' });
    await using second = await installation.start('after');
    expect(await eventually(delivered, { what: `the same value; ${second.output()}` })).toBe(value);
    expect(Object.keys(await kept())).toEqual(Object.keys(before));
  });

  it('works as a kubectl plugin', async () => {
    await symlink(installation.program, path.join(installation.scratch, 'kubectl-strongroom'));
    const kubectl = await binary('kubectl');
    const { stdout } = await execute(kubectl, ['strongroom', 'version', '-o', 'json'], {
      env: { PATH: `${installation.scratch}:${process.env['PATH']}` },
    });
    expect(JSON.parse(stdout)).toMatchObject({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  });

  it('tells usage errors, missing objects and missing rights apart by exit code', async () => {
    const { program, scratch } = installation;
    const options = { kubeconfig: inject('kubeconfig'), cwd: scratch };
    const on = ['-n', trading.name];
    const run = (...args: string[]) => runProgram(program, args, options);
    expect(await run('status', 'nope', ...on)).toMatchObject({
      code: 3,
      stderr: expect.stringContaining(`${trading.name}/nope does not exist`),
    });
    expect(await run('rotate')).toMatchObject({ code: 2 });
    expect(await run('revoke', 'kept', ...on, '--reason', 'x')).toMatchObject({ code: 2 });
    expect(await run('rollback', 'kept', ...on, '--to', '99', '--reason', 'x')).toMatchObject({
      code: 3,
      stderr: expect.stringContaining('version 99 of kept is not kept'),
    });
    expect(await run('status', '--kubeconfig', '/nonexistent')).toMatchObject({ code: 2 });
    expect(await run('seal', '--into', 'nope.yaml', '--field', 'a')).toMatchObject({ code: 3 });
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('seal') });
  });
});
