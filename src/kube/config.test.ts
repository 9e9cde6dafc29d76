import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { inClusterConfig, loadClusterConfig } from '#kube/config.ts';

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'strongroom-config-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function write(name: string, text: string): Promise<string> {
  const file = path.join(directory, name);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  return file;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

function kubeconfig(cluster: object, user: object, namespace = 'trading'): Promise<string> {
  return write(
    'kubeconfig',
    stringify({
      'current-context': 'main',
      contexts: [
        { name: 'main', context: { cluster: 'c', user: 'u', namespace } },
        { name: 'other', context: { cluster: 'c2', user: 'u' } },
      ],
      clusters: [
        { name: 'c', cluster: { server: 'https://api.test:6443', ...cluster } },
        { name: 'c2', cluster: { server: 'https://other.test' } },
      ],
      users: [{ name: 'u', user }],
    }),
  );
}

describe('a kubeconfig', () => {
  it('gives server, namespace, CA and client certificate from inline data', async () => {
    const file = await kubeconfig(
      { 'certificate-authority-data': base64('CA'), 'tls-server-name': 'api.internal' },
      { 'client-certificate-data': base64('CERT'), 'client-key-data': base64('KEY') },
    );
    const config = await loadClusterConfig({ kubeconfig: file });
    expect(config).toMatchObject({
      server: 'https://api.test:6443',
      currentNamespace: 'trading',
      tlsServerName: 'api.internal',
    });
    expect(await config.readCa()).toBe('CA');
    expect(await config.readClientCertificate(false)).toEqual({ cert: 'CERT', key: 'KEY' });
    expect(await config.readAuthorization(false)).toBeUndefined();
  });

  it('gives them from files beside it, read anew each time', async () => {
    const file = await kubeconfig(
      { 'certificate-authority': 'pki/ca.crt' },
      {
        'client-certificate': 'pki/me.crt',
        'client-key': 'pki/me.key',
        token: 'not this one',
        tokenFile: 'token',
      },
    );
    for (const round of ['1', '2']) {
      await write('pki/ca.crt', `CA${round}`);
      await write('pki/me.crt', `CERT${round}`);
      await write('pki/me.key', `KEY${round}`);
      await write('token', `token${round}\n`);
    }
    const config = await loadClusterConfig({ kubeconfig: file });
    expect(await config.readCa()).toBe('CA2');
    await write('pki/ca.crt', 'CA3');
    await write('token', 'token3\n');
    expect(await config.readCa()).toBe('CA3');
    expect(await config.readClientCertificate(false)).toEqual({ cert: 'CERT2', key: 'KEY2' });
    expect(await config.readAuthorization(false)).toBe('Bearer token3');
  });

  it('gives the context that was asked for', async () => {
    const file = await kubeconfig({}, { token: 't' });
    const config = await loadClusterConfig({ kubeconfig: file, context: 'other' });
    expect(config).toMatchObject({ server: 'https://other.test', currentNamespace: undefined });
    expect(await config.readCa()).toBeUndefined();
    expect(await config.readAuthorization(false)).toBe('Bearer t');
  });

  it('may log in with a password', async () => {
    const file = await kubeconfig({}, { username: 'me', password: 'p' });
    const config = await loadClusterConfig({ kubeconfig: file });
    expect(await config.readAuthorization(false)).toBe(`Basic ${base64('me:p')}`);
  });

  it.each([
    [{ 'insecure-skip-tls-verify': true }, {}, /insecure-skip-tls-verify: give its CA/],
    [{ 'proxy-url': 'http://proxy.test' }, {}, /proxy-url: proxies are not supported/],
    [{}, { as: 'admin' }, /user u sets as: impersonation/],
    [{}, { 'as-groups': ['system:masters'] }, /sets as-groups: impersonation/],
    [{ server: 'http://api.test' }, {}, /must be reached by https/],
    [{ server: 'ftp://api.test' }, {}, /must be reached by https/],
    [{ server: 'api.test' }, {}, /is no URL/],
    [{ server: '' }, {}, /cluster c has no server/],
  ])('is refused with cluster %o and user %o', async (cluster, user, message) => {
    const file = await kubeconfig(cluster, user);
    await expect(loadClusterConfig({ kubeconfig: file })).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFIG',
      message: expect.stringMatching(message) as string,
    });
  });

  it.each(['http://127.0.0.1:8001', 'http://localhost:8001', 'http://[::1]:8001'])(
    'may name kubectl proxy, which is on this machine: %s',
    async (server) => {
      const file = await kubeconfig({ server: `${server}/` }, {});
      expect((await loadClusterConfig({ kubeconfig: file })).server).toBe(server);
    },
  );

  it('that lacks something is told what', async () => {
    const file = await kubeconfig({}, {});
    await expect(loadClusterConfig({ kubeconfig: file, context: 'nowhere' })).rejects.toMatchObject(
      {
        code: 'ERR_KUBE_CONFIG',
        message: expect.stringMatching(/contexts has no "nowhere"/) as string,
      },
    );
    await expect(loadClusterConfig({ kubeconfig: `${file}:${file}` })).rejects.toMatchObject({
      message: expect.stringMatching(/several kubeconfigs/) as string,
    });
    await expect(loadClusterConfig({ kubeconfig: `${file}x` })).rejects.toMatchObject({
      message: expect.stringMatching(/cannot be read \(ENOENT\)/) as string,
    });
    await expect(loadClusterConfig({ kubeconfig: await write('empty', '') })).rejects.toMatchObject(
      { message: expect.stringMatching(/no current-context/) as string },
    );
  });

  it('that is not YAML is not quoted', async () => {
    const file = await write('broken', 'users: [{ token: canary\n  : }');
    const error = await loadClusterConfig({ kubeconfig: file }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'ERR_KUBE_CONFIG',
      message: expect.stringMatching(/not valid YAML/) as string,
    });
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain('canary');
  });
});

describe('inside a pod', () => {
  it('gives the ServiceAccount’s token and CA, read anew each time', async () => {
    await write('namespace', 'strongroom-system\n');
    await write('ca.crt', 'CA1');
    await write('token', 'one\n');
    const config = await inClusterConfig('fd00::1', '443', directory);
    expect(config).toMatchObject({
      server: 'https://[fd00::1]:443',
      currentNamespace: 'strongroom-system',
    });
    expect([await config.readCa(), await config.readAuthorization(false)]).toEqual([
      'CA1',
      'Bearer one',
    ]);
    await write('ca.crt', 'CA2');
    await write('token', 'two');
    expect([await config.readCa(), await config.readAuthorization(false)]).toEqual([
      'CA2',
      'Bearer two',
    ]);
    await write('token', ' \n');
    await expect(config.readAuthorization(false)).rejects.toMatchObject({
      code: 'ERR_KUBE_CONFIG',
      message: expect.stringMatching(/token is empty/) as string,
    });
  });
});

describe('where the configuration comes from', () => {
  it('is the file that was given, before $KUBECONFIG, before ~/.kube/config', async () => {
    const given = await kubeconfig({}, {}, 'given');
    const read = async (options: Parameters<typeof loadClusterConfig>[0]) =>
      (await loadClusterConfig(options)).currentNamespace;
    const home = { HOME: directory };
    await expect(read({ env: home })).rejects.toMatchObject({
      message: expect.stringMatching(/\.kube\/config cannot be read/) as string,
    });
    const text = (namespace: string) =>
      stringify({
        'current-context': 'm',
        contexts: [{ name: 'm', context: { cluster: 'c', user: 'u', namespace } }],
        clusters: [{ name: 'c', cluster: { server: 'https://a.test' } }],
        users: [{ name: 'u', user: {} }],
      });
    await write('.kube/config', text('home'));
    const variable = await write('variable', text('variable'));
    expect(await read({ env: home })).toBe('home');
    expect(await read({ env: { ...home, KUBECONFIG: variable } })).toBe('variable');
    expect(await read({ env: { ...home, KUBECONFIG: '' } })).toBe('home');
    expect(await read({ kubeconfig: given, env: { ...home, KUBECONFIG: variable } })).toBe('given');
  });

  it('is the pod’s ServiceAccount where nothing was named, unless a context was', async () => {
    const pod = { HOME: directory, KUBERNETES_SERVICE_HOST: '10.96.0.1' };
    // No pod here, so that its files are missing.
    await expect(loadClusterConfig({ env: pod })).rejects.toMatchObject({
      message: expect.stringMatching(/serviceaccount\/namespace cannot be read/) as string,
    });
    await expect(loadClusterConfig({ env: pod, context: 'm' })).rejects.toMatchObject({
      message: expect.stringMatching(/\.kube\/config cannot be read/) as string,
    });
  });
});
