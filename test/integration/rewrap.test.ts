import { mkdtempDisposable, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { run } from '../../src/cli/run.ts';
import type { KubeClient } from '../../src/kube/client.ts';
import { SECRETS } from '../../src/kube/resources.ts';
import type { KeyProvider } from '../../src/vault/key-provider.ts';
import { createLocalKeyProvider } from '../../src/vault/providers/local.ts';
import { createPassphraseKeyProvider } from '../../src/vault/providers/passphrase.ts';
import { SecretBytes } from '../../src/vault/secret-bytes.ts';
import { createVault } from '../../src/vault/store.ts';
import type { Vault } from '../../src/vault/store.ts';
import { entryName } from '../../src/vault/stored-entry.ts';
import { loadVaultKeys } from '../../src/vault/vault-keys.ts';
import { captureIo } from '../cli/capture-io.ts';
import { connect, createNamespace } from './cluster.ts';

const IDENTITY = { namespace: 'trading', name: 'maker', exchange: 'Phemex', type: 'Password' };
const AT = '2026-11-24T00:00:00Z';

describe('strongroom rewrap', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  let directory: string;
  beforeAll(async () => {
    client = cleanup.use(await connect());
    directory = cleanup.use(await mkdtempDisposable(path.join(tmpdir(), 'rewrap-'))).path;
  });
  afterAll(() => cleanup.disposeAsync());

  async function emptyNamespace(): Promise<string> {
    return cleanup.use(await createNamespace(client, 'rewrap')).name;
  }

  async function vaultOf(namespace: string, keyProvider: KeyProvider): Promise<Vault> {
    const keys = await loadVaultKeys({ client, namespace, keyProvider });
    return createVault({ client, namespace, keyProvider, keys });
  }

  async function fill(vault: Vault): Promise<void> {
    const fields = new Map([['password', SecretBytes.fromUtf8('canary-61')]]);
    await vault.stage(await vault.create(IDENTITY, 'uid'), fields, { origin: 'Sealed', at: AT });
  }

  async function valueIn(vault: Vault): Promise<string | undefined> {
    const stored = await vault.read(IDENTITY);
    return stored && (await vault.open(stored, 1)).get('password')?.utf8();
  }

  async function rewrap(
    namespace: string,
    ...options: readonly string[]
  ): Promise<{ code: number; out: string; err: string }> {
    const io = captureIo({ cwd: directory, env: { KUBECONFIG: inject('kubeconfig') } });
    const code = await run(io, ['rewrap', '--operator-namespace', namespace, ...options]);
    return { code, out: io.out(), err: io.err() };
  }

  it('puts the vault under a new local key, after which the older one can go', async () => {
    const namespace = await emptyNamespace();
    await fill(await vaultOf(namespace, await createLocalKeyProvider({ client, namespace })));
    const first = await rewrap(namespace, '--new-key', '-o', 'json');
    expect([first.code, first.err]).toEqual([0, expect.stringContaining('1 of 1 entries')]);
    expect(JSON.parse(first.out)).toEqual({
      keyId: expect.stringMatching(/^2-/),
      rewrapped: 2,
      failed: [],
    });
    await client.delete(SECRETS, { namespace, name: 'strongroom-kek-1' });
    const again = await rewrap(namespace);
    expect([again.code, again.out]).toEqual([0, expect.stringMatching(/^0 Secrets are now under/)]);
    const keyProvider = await createLocalKeyProvider({ client, namespace });
    expect(await valueIn(await vaultOf(namespace, keyProvider))).toBe('canary-61');
  });

  it('changes the passphrase, of which a file may end in a line break and need not be text', async () => {
    const namespace = await emptyNamespace();
    const cost = { N: 2 ** 10, r: 8, p: 1 };
    const before = Buffer.from('correct horse battery');
    const after = Buffer.concat([Buffer.from([0xff, 0xfe, 0x00]), Buffer.from('another horse')]);
    await writeFile(path.join(directory, 'old.txt'), Buffer.concat([before, Buffer.from('\r\n')]));
    await writeFile(path.join(directory, 'new.txt'), Buffer.concat([after, Buffer.from('\n')]));
    const options = { client, namespace, cost };
    const old = await createPassphraseKeyProvider({
      ...options,
      passphrase: SecretBytes.fromBytes(before),
    });
    await fill(await vaultOf(namespace, old));

    const alone = await rewrap(namespace, '--passphrase-file', 'new.txt');
    expect([alone.code, alone.err]).toEqual([1, expect.stringContaining('does not belong')]);
    const passphrases = ['--passphrase-file', 'new.txt', '--previous-passphrase-file', 'old.txt'];
    const changed = await rewrap(namespace, ...passphrases);
    expect([changed.code, changed.out]).toEqual([0, expect.stringMatching(/^2 Secrets are now/)]);

    const keyProvider = await createPassphraseKeyProvider({
      ...options,
      passphrase: SecretBytes.fromBytes(after),
    });
    expect(await valueIn(await vaultOf(namespace, keyProvider))).toBe('canary-61');
  });

  it('names what cannot be rewrapped, and fails', async () => {
    const namespace = await emptyNamespace();
    await fill(await vaultOf(namespace, await createLocalKeyProvider({ client, namespace })));
    const at = { namespace, name: entryName(IDENTITY) };
    await client.mergePatch(SECRETS, at, { data: { mac: 'AAAA' } });
    const { code, err } = await rewrap(namespace, '--new-key');
    expect(code).toBe(1);
    expect(err).toContain(`${namespace}/${at.name}: VaultError: the table of vault entry`);
    expect(err).not.toContain('canary');
  });

  it('makes nothing where there is no vault', async () => {
    const namespace = await emptyNamespace();
    const { code, err } = await rewrap(namespace, '--new-key');
    expect([code, err]).toEqual([3, expect.stringContaining(`no vault in namespace ${namespace}`)]);
    expect((await client.list(SECRETS, { namespace })).items).toEqual([]);
  });

  it('takes a previous passphrase only beside a present one', async () => {
    const { code } = await rewrap('nowhere', '--previous-passphrase-file', 'old.txt');
    expect(code).toBe(2);
  });
});
