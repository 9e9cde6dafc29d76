import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { loadClusterConfig } from '#kube/config.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'strongroom-login-'));
});
afterEach(() => rm(directory, { recursive: true }));

/** A plug-in that counts its runs and runs `script`, with `$run` the number of this run. */
async function withPlugin(script: string) {
  const plugin = path.join(directory, 'plugin');
  const counter = path.join(directory, 'runs');
  await writeFile(
    plugin,
    `#!/bin/sh\necho run >> '${counter}'\nrun=$(wc -l < '${counter}' | tr -d ' ')\n${script}\n`,
  );
  await chmod(plugin, 0o700);
  const file = path.join(directory, 'kubeconfig');
  await writeFile(
    file,
    stringify({
      'current-context': 'main',
      contexts: [{ name: 'main', context: { cluster: 'c', user: 'u' } }],
      clusters: [{ name: 'c', cluster: { server: 'https://api.test' } }],
      users: [
        {
          name: 'u',
          user: { exec: { apiVersion: 'client.authentication.k8s.io/v1', command: plugin } },
        },
      ],
    }),
  );
  return {
    config: await loadClusterConfig({ kubeconfig: file }),
    runs: async () => (await readFile(counter, 'utf8')).trim().split('\n').length,
  };
}

function credential(status: object): string {
  const json = JSON.stringify({
    apiVersion: 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    status,
  });
  return `cat <<END\n${json}\nEND`;
}

// Loading the official client takes seconds on a busy machine.
describe('a login by a plug-in', { timeout: 60_000 }, () => {
  it('runs it once for token and certificate, and again only for a fresh login', async () => {
    const { config, runs } = await withPlugin(
      credential({ token: 'token-$run', clientCertificateData: 'CERT', clientKeyData: 'KEY' }),
    );
    const read = (fresh: boolean) =>
      Promise.all([config.readAuthorization(fresh), config.readClientCertificate(fresh)]);
    const certificate = { cert: 'CERT', key: 'KEY' };
    expect(await read(false)).toEqual(['Bearer token-1', certificate]);
    expect(await read(false)).toEqual(['Bearer token-1', certificate]);
    expect(await runs()).toBe(1);
    expect(await read(true)).toEqual(['Bearer token-2', certificate]);
    expect(await runs()).toBe(2);
  });

  it('runs it again when its token has ended', async () => {
    const { config } = await withPlugin(
      credential({ token: 'token-$run', expirationTimestamp: '2020-01-01T00:00:00Z' }),
    );
    expect(await config.readAuthorization(false)).toBe('Bearer token-1');
    expect(await config.readAuthorization(false)).toBe('Bearer token-2');
    expect(await config.readClientCertificate(false)).toBeUndefined();
  });

  it.each([
    ['fails', 'echo canary >&2; echo canary; exit 1'],
    ['prints no JSON', 'echo canary'],
    ['prints no credential', 'echo \'{"canary": 1}\''],
  ])('that %s says so, without what it printed', async (_, script) => {
    const { config } = await withPlugin(script);
    const error = await config.readAuthorization(false).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_KUBE_CONFIG',
      message: expect.stringMatching(/the login of context main failed/) as string,
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary');
  });

  it('whose command is missing says so', async () => {
    const { config } = await withPlugin('');
    await rm(path.join(directory, 'plugin'));
    await expect(config.readAuthorization(false)).rejects.toMatchObject({
      message: expect.stringMatching(/failed \(ENOENT\)/) as string,
    });
  });
});
