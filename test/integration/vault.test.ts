import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { KubeClient } from '../../src/kube/client.ts';
import { KubeError } from '../../src/kube/errors.ts';
import type { Secret } from '../../src/kube/objects.ts';
import { CONFIG_MAPS, SECRETS } from '../../src/kube/resources.ts';
import { dropVersions, transition } from '../../src/vault/entry.ts';
import type { CredentialIdentity } from '../../src/vault/entry.ts';
import { createLocalKeyProvider } from '../../src/vault/providers/local.ts';
import { createPassphraseKeyProvider } from '../../src/vault/providers/passphrase.ts';
import { parsePublicKeys, PUBLISHED_KEY, PUBLISHED_NAME } from '../../src/vault/public-keys.ts';
import { rewrapAll } from '../../src/vault/rewrap.ts';
import { createSealKeyStore } from '../../src/vault/seal-key-store.ts';
import { createSealKeyring } from '../../src/vault/seal-keys.ts';
import { open, seal } from '../../src/vault/sealing.ts';
import { SecretBytes } from '../../src/vault/secret-bytes.ts';
import type { CredentialFields } from '../../src/vault/secret-bytes.ts';
import { createVault } from '../../src/vault/store.ts';
import type { StoredEntry, Vault } from '../../src/vault/store.ts';
import { entryName } from '../../src/vault/stored-entry.ts';
import { loadVaultKeys, rewrapVaultKeys } from '../../src/vault/vault-keys.ts';
import { connect, createNamespace } from './cluster.ts';

const AT = '2026-11-24T00:00:00Z';
/** Far below the default: these tests derive many keys, and none protects anything. */
const CHEAP = { N: 2 ** 10, r: 8, p: 1 };

function fieldsOf(values: Readonly<Record<string, string>>): CredentialFields {
  return new Map(Object.entries(values).map(([k, v]) => [k, SecretBytes.fromUtf8(v)]));
}

function textOf(fields: CredentialFields): Record<string, string> {
  return Object.fromEntries([...fields].map(([k, v]) => [k, v.utf8()]));
}

function identity(name: string): CredentialIdentity {
  return { namespace: 'trading', name, exchange: 'Phemex', type: 'ApiKey' };
}

describe('the vault in a real cluster', () => {
  const cleanup = new AsyncDisposableStack();
  let client: KubeClient;
  beforeAll(async () => {
    client = cleanup.use(await connect());
  });
  afterAll(() => cleanup.disposeAsync());

  async function emptyNamespace(): Promise<string> {
    return cleanup.use(await createNamespace(client, 'vault')).name;
  }

  async function openVault(namespace: string): Promise<Vault> {
    const keyProvider = await createLocalKeyProvider({ client, namespace });
    const keys = await loadVaultKeys({ client, namespace, keyProvider });
    return createVault({ client, namespace, keyProvider, keys });
  }

  /** One version, Current. */
  async function filled(vault: Vault, name: string, value: string): Promise<StoredEntry> {
    const created = await vault.create(identity(name), 'namespace-uid');
    const staged = await vault.stage(created, fieldsOf({ apiKey: value }), {
      origin: 'Sealed',
      at: AT,
      sealKey: 'kid',
    });
    return await vault.save(staged, transition(staged.entry, 1, 'Current', AT));
  }

  function secretOf(namespace: string, name: string): Promise<Secret> {
    return client.get(SECRETS, { namespace, name: entryName(identity(name)) });
  }

  describe('the version store', () => {
    let namespace: string;
    let vault: Vault;
    beforeAll(async () => {
      namespace = await emptyNamespace();
      vault = await openVault(namespace);
    });

    it('keeps versions over a restart, encrypted', async () => {
      const stored = await filled(vault, 'restart', 'canary-4b1d');
      expect(stored.entry).toMatchObject({ revision: 3, nextVersion: 2 });
      const restarted = await openVault(namespace);
      const read = await restarted.read(identity('restart'), { atLeastRevision: 3 });
      expect(read?.entry).toEqual(stored.entry);
      expect(read && textOf(await restarted.open(read, 1))).toEqual({ apiKey: 'canary-4b1d' });
      const decoded = Object.values((await secretOf(namespace, 'restart')).data ?? {}).map((part) =>
        Buffer.from(part, 'base64').toString('latin1'),
      );
      expect(decoded.join('\n')).not.toContain('canary');
    });

    it('stores entries under a type and a label of their own, and names the credential', async () => {
      await filled(vault, 'form', 'a');
      expect(await secretOf(namespace, 'form')).toMatchObject({
        type: 'strongroom.dev/vault-entry',
        metadata: {
          labels: { 'strongroom.dev/component': 'vault-entry' },
          annotations: { 'strongroom.dev/credential': 'trading/form' },
        },
      });
    });

    it('recognises an entry whose making took effect although its answer was lost', async () => {
      const lossy: KubeClient = {
        ...client,
        async create(...call) {
          await client.create(...call);
          throw new KubeError('ERR_KUBE_TIMEOUT', 'no answer');
        },
      };
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const keys = await loadVaultKeys({ client, namespace, keyProvider });
      const cutOff = createVault({ client: lossy, namespace, keyProvider, keys });
      await expect(cutOff.create(identity('lossy'), 'uid')).rejects.toMatchObject({
        code: 'ERR_KUBE_TIMEOUT',
      });
      const created = await vault.create(identity('lossy'), 'uid');
      expect(created).toEqual(await vault.read(identity('lossy')));
      // Of another namespace of that name it is not the same.
      await expect(vault.create(identity('lossy'), 'other uid')).rejects.toMatchObject({
        code: 'ERR_KUBE_ALREADY_EXISTS',
      });
    });

    it('recognises a version whose staging took effect although its answer was lost', async () => {
      const stored = await filled(vault, 'staged', 'a');
      const lossy: KubeClient = {
        ...client,
        async replace(...call) {
          await client.replace(...call);
          throw new KubeError('ERR_KUBE_TIMEOUT', 'no answer');
        },
      };
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const keys = await loadVaultKeys({ client, namespace, keyProvider });
      const cutOff = createVault({ client: lossy, namespace, keyProvider, keys });
      const about = { origin: 'Sealed', at: AT } as const;
      await expect(cutOff.stage(stored, fieldsOf({ apiKey: 'b' }), about)).rejects.toMatchObject({
        code: 'ERR_KUBE_TIMEOUT',
      });
      const read = await cutOff.read(identity('staged'));
      expect(read?.entry.versions.map(({ state }) => state)).toEqual(['Current', 'Staged']);
      expect(read && textOf(await vault.open(read, 2))).toEqual({ apiKey: 'b' });
    });

    it('notices a ciphertext of a removed entry put into the one that was made anew', async () => {
      const removed = await filled(vault, 'anew', 'before');
      await vault.remove(removed);
      await filled(vault, 'anew', 'after');
      const secret = await secretOf(namespace, 'anew');
      const { 'dek.1': dek = '', 'data.1.apiKey': data = '' } = removed.secret.data ?? {};
      await client.replace(SECRETS, {
        ...secret,
        data: { ...secret.data, 'dek.1': dek, 'data.1.apiKey': data },
      });
      const read = await vault.read(identity('anew'));
      if (read === undefined) throw new Error('the entry is gone');
      await expect(vault.open(read, 1)).rejects.toMatchObject({ code: 'ERR_VAULT_TAMPERED' });
    });

    it('refuses what a Secret cannot hold before it is written, and can still revoke what is in it', async () => {
      const large = 'x'.repeat(300_000);
      const stored = await filled(vault, 'large', large);
      const about = { origin: 'SecretRef', at: AT } as const;
      const fields = fieldsOf({ apiKey: large });
      const third = await vault.stage(await vault.stage(stored, fields, about), fields, about);
      await expect(vault.stage(third, fields, about)).rejects.toMatchObject({
        code: 'ERR_VAULT_TOO_LARGE',
      });
      expect(await vault.read(identity('large'))).toEqual(third);
      const revoked = transition(third.entry, 1, 'Revoked', AT, 'r'.repeat(10_000));
      // More fingerprints than are ever remembered make the table as large as it gets.
      const revokedFingerprints = Array.from({ length: 1000 }, (_, at) => `${at}`.padEnd(43, '.'));
      const full = await vault.save(third, { ...revoked, revokedFingerprints });
      expect(await vault.read(identity('large'))).toEqual(full);
    });

    it('finds nothing where nothing was stored', async () => {
      expect(await vault.read(identity('nothing'))).toBeUndefined();
    });

    it('refuses a write on top of a state that is no longer the present one', async () => {
      const stored = await filled(vault, 'conflict', 'a');
      const about = { origin: 'SecretRef', at: AT } as const;
      const next = await vault.stage(stored, fieldsOf({ apiKey: 'b' }), about);
      await expect(vault.stage(stored, fieldsOf({ apiKey: 'c' }), about)).rejects.toMatchObject({
        code: 'ERR_KUBE_CONFLICT',
      });
      expect(textOf(await vault.open(next, 2))).toEqual({ apiKey: 'b' });
      await expect(vault.create(identity('conflict'), 'uid')).rejects.toMatchObject({
        code: 'ERR_KUBE_ALREADY_EXISTS',
      });
    });

    it('ends the ciphertext of a version that is dropped', async () => {
      const stored = await filled(vault, 'drop', 'a');
      const revoked = transition(stored.entry, 1, 'Revoked', AT, 'leaked');
      const next = await vault.save(stored, dropVersions(revoked, [1]));
      expect(Object.keys((await secretOf(namespace, 'drop')).data ?? {}).sort()).toEqual([
        'mac',
        'table',
      ]);
      await expect(vault.open(next, 1)).rejects.toMatchObject({
        code: 'ERR_VAULT_UNKNOWN_VERSION',
      });
    });

    it('notices an entry that was swapped with another one', async () => {
      await filled(vault, 'left', 'a');
      await filled(vault, 'right', 'b');
      const [left, right] = [await secretOf(namespace, 'left'), await secretOf(namespace, 'right')];
      const put = (into: Secret, from: Secret): Promise<Secret> =>
        client.replace(SECRETS, { ...into, ...(from.data && { data: from.data }) });
      await put(left, right);
      await put(right, left);
      for (const name of ['left', 'right']) {
        await expect(vault.read(identity(name))).rejects.toMatchObject({
          code: 'ERR_VAULT_SWAPPED',
        });
      }
      const listed = await vault.list();
      expect(
        listed.filter((found) => found.kind === 'fault').map(({ error }) => error.code),
      ).toEqual(['ERR_VAULT_SWAPPED', 'ERR_VAULT_SWAPPED']);
      expect(listed.some((found) => found.kind === 'entry')).toBe(true);
    });

    it('notices an older copy of an entry, by its own memory and by the revision in status', async () => {
      const stored = await filled(vault, 'older', 'a');
      const old = await secretOf(namespace, 'older');
      await vault.save(stored, transition(stored.entry, 1, 'Revoked', AT));
      const present = await secretOf(namespace, 'older');
      await client.replace(SECRETS, { ...present, ...(old.data && { data: old.data }) });
      await expect(vault.read(identity('older'))).rejects.toMatchObject({
        code: 'ERR_VAULT_ROLLED_BACK',
      });
      const restarted = await openVault(namespace);
      await expect(
        restarted.read(identity('older'), { atLeastRevision: stored.entry.revision + 1 }),
      ).rejects.toMatchObject({ code: 'ERR_VAULT_ROLLED_BACK' });
    });

    it('notices an entry that was put back after its removal', async () => {
      const stored = await filled(vault, 'removed', 'a');
      const old = await secretOf(namespace, 'removed');
      await vault.remove(stored);
      await vault.remove(stored);
      expect(await vault.read(identity('removed'))).toBeUndefined();
      const { name, labels = {} } = old.metadata;
      const copy = { ...old, metadata: { name, namespace, labels } };
      const { metadata } = await client.create(SECRETS, copy);
      await expect(vault.read(identity('removed'))).rejects.toMatchObject({
        code: 'ERR_VAULT_ROLLED_BACK',
      });
      await client.delete(SECRETS, { namespace, name: metadata.name });
      const anew = await vault.create(identity('removed'), 'uid');
      expect(await vault.read(identity('removed'))).toEqual(anew);
    });

    it('does not remove an entry that was changed since it was read', async () => {
      const stored = await filled(vault, 'keep', 'a');
      const next = await vault.save(stored, { ...stored.entry, heldFingerprint: 'f' });
      await expect(vault.remove(stored)).rejects.toMatchObject({ code: 'ERR_KUBE_CONFLICT' });
      expect(await vault.read(identity('keep'))).toEqual(next);
    });

    it('notices a table that was edited', async () => {
      await filled(vault, 'edited', 'a');
      const secret = await secretOf(namespace, 'edited');
      const table = Buffer.from(secret.data?.['table'] ?? '', 'base64').toString('utf8');
      const edited = table.replace('"Current"', '"Revoked"');
      await client.replace(SECRETS, {
        ...secret,
        data: { ...secret.data, table: Buffer.from(edited).toString('base64') },
      });
      await expect(vault.read(identity('edited'))).rejects.toMatchObject({
        code: 'ERR_VAULT_TAMPERED',
      });
    });
  });

  describe('the local key provider', () => {
    it('agrees between replicas that start together', async () => {
      const namespace = await emptyNamespace();
      const vaults = await Promise.all([1, 2, 3].map(() => openVault(namespace)));
      const fields = fieldsOf({ a: 'x' });
      const seen = new Set(vaults.map((vault) => vault.fingerprint(fields).fingerprint));
      expect(seen.size).toBe(1);
    });

    it('rewraps an entry under a new key without touching a payload', async () => {
      const namespace = await emptyNamespace();
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const other = await createLocalKeyProvider({ client, namespace });
      const keys = await loadVaultKeys({ client, namespace, keyProvider });
      const vault = createVault({ client, namespace, keyProvider, keys });
      const stored = await filled(vault, 'rewrap', 'a');
      const before = keyProvider.keyId;
      expect(await vault.rewrap(stored)).toBe(stored);
      const after = await keyProvider.rotate();
      expect([before, after]).toEqual([expect.stringMatching(/^1-/), expect.stringMatching(/^2-/)]);
      const rewrapped = await vault.rewrap(stored);
      await rewrapVaultKeys({ client, namespace, keyProvider });
      expect(rewrapped.entry).toEqual(stored.entry);
      const changed = Object.entries(rewrapped.secret.data ?? {}).filter(
        ([part, content]) => stored.secret.data?.[part] !== content,
      );
      expect(changed.map(([part]) => part)).toEqual(['dek.1']);
      // The old key is of no use any more, and a replica that started before learns of the new one.
      await client.delete(SECRETS, { namespace, name: 'strongroom-kek-1' });
      const follower = createVault({ client, namespace, keyProvider: other, keys });
      expect(textOf(await follower.open(rewrapped, 1))).toEqual({ apiKey: 'a' });
      const restarted = await openVault(namespace);
      const read = await restarted.read(identity('rewrap'));
      expect(read && textOf(await restarted.open(read, 1))).toEqual({ apiKey: 'a' });
    });

    it('rewraps all there is, in the face of other writers and of what cannot be opened', async () => {
      const namespace = await emptyNamespace();
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const keys = await loadVaultKeys({ client, namespace, keyProvider });
      const vault = createVault({ client, namespace, keyProvider, keys });
      const sealKeys = createSealKeyStore({ client, namespace, keyProvider });
      await sealKeys.create(Date.parse(AT));
      const names = ['one', 'two', 'three'];
      for (const name of names) await filled(vault, name, name);
      await filled(vault, 'forged', 'x');
      const forged = await secretOf(namespace, 'forged');
      await client.replace(SECRETS, { ...forged, data: { ...forged.data, mac: 'AAAA' } });

      await keyProvider.rotate();
      const progress: number[] = [];
      let interfered = false;
      const busy: KubeClient = {
        ...client,
        async replace(resource, object, options) {
          if (object.metadata.name === entryName(identity('two')) && !interfered) {
            interfered = true;
            const read = await vault.read(identity('two'));
            if (read !== undefined) await vault.save(read, { ...read.entry, heldFingerprint: 'f' });
          }
          return await client.replace(resource, object, options);
        },
      };
      const options = { client, namespace, keyProvider, sealKeys };
      const report = await rewrapAll({
        ...options,
        vault: createVault({ client: busy, namespace, keyProvider, keys }),
        onProgress: ({ done, total }) => progress.push(done / total),
      });
      // Three entries, the vault's own keys and a seal key.
      expect(report.rewrapped).toBe(5);
      expect(report.faults).toEqual([
        {
          kind: 'fault',
          secretName: entryName(identity('forged')),
          error: expect.objectContaining({ code: 'ERR_VAULT_TAMPERED' }),
        },
      ]);
      expect(progress).toEqual([0.25, 0.5, 0.75, 1]);
      expect(interfered).toBe(true);
      expect((await rewrapAll({ ...options, vault })).rewrapped).toBe(0);

      await client.delete(SECRETS, { namespace, name: 'strongroom-kek-1' });
      const restarted = await openVault(namespace);
      for (const name of names) {
        const read = await restarted.read(identity(name));
        expect(read && textOf(await restarted.open(read, 1))).toEqual({ apiKey: name });
      }
      expect((await restarted.read(identity('two')))?.entry.heldFingerprint).toBe('f');
    });

    it('wraps under a key that another process made, so that the older one can go', async () => {
      const namespace = await emptyNamespace();
      const vault = await openVault(namespace);
      await (await createLocalKeyProvider({ client, namespace })).rotate();
      const stored = await filled(vault, 'late', 'a');
      const dek = Buffer.from(stored.secret.data?.['dek.1'] ?? '', 'base64').toString('utf8');
      expect(JSON.parse(dek)).toMatchObject({ keyId: expect.stringMatching(/^2-/) });
    });

    it('makes no new key where something lies under a lost one', async () => {
      const namespace = await emptyNamespace();
      await openVault(namespace);
      await client.delete(SECRETS, { namespace, name: 'strongroom-kek-1' });
      const provider = createLocalKeyProvider({ client, namespace });
      await expect(provider).rejects.toThrow('Secret strongroom-vault-keys was encrypted before');
      expect(await client.find(SECRETS, { namespace, name: 'strongroom-kek-1' })).toBeUndefined();
    });

    it('names the key that is lost', async () => {
      const namespace = await emptyNamespace();
      const vault = await openVault(namespace);
      const stored = await filled(vault, 'lost', 'a');
      await client.delete(SECRETS, { namespace, name: 'strongroom-kek-1' });
      await expect(openVault(namespace)).rejects.toMatchObject({ code: 'ERR_KEY_STORE' });
      // The process that has the key in memory goes on, but puts nothing new under it.
      const about = { origin: 'Sealed', at: AT } as const;
      await expect(vault.stage(stored, fieldsOf({ apiKey: 'b' }), about)).rejects.toMatchObject({
        code: 'ERR_KEY_STORE',
      });
      expect(textOf(await vault.open(stored, 1))).toEqual({ apiKey: 'a' });
    });

    it('refuses a Secret that carries its label but no key', async () => {
      const namespace = await emptyNamespace();
      await client.create(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: 'strongroom-kek-1',
          namespace,
          labels: { 'strongroom.dev/component': 'key-encryption-key' },
        },
        data: { key: Buffer.from('short').toString('base64') },
      });
      await expect(createLocalKeyProvider({ client, namespace })).rejects.toMatchObject({
        code: 'ERR_KEY_STORE',
      });
    });
  });

  describe('the keys of the vault', () => {
    it('are not made anew while entries exist', async () => {
      const namespace = await emptyNamespace();
      await filled(await openVault(namespace), 'orphan', 'a');
      await client.delete(SECRETS, { namespace, name: 'strongroom-vault-keys' });
      await expect(openVault(namespace)).rejects.toMatchObject({ code: 'ERR_VAULT_KEYS_MISSING' });
    });
  });

  describe('the passphrase key provider', () => {
    const first = (): SecretBytes => SecretBytes.fromUtf8('correct horse battery staple');
    const second = (): SecretBytes => SecretBytes.fromUtf8('another horse, another staple');

    it('opens with the same passphrase, and with no other', async () => {
      const namespace = await emptyNamespace();
      const options = { client, namespace, cost: CHEAP };
      const one = await createPassphraseKeyProvider({ ...options, passphrase: first() });
      using dek = SecretBytes.fromBytes(new Uint8Array(32).fill(7));
      const wrapped = await one.wrap(dek);
      const again = await createPassphraseKeyProvider({ ...options, passphrase: first() });
      expect(again.keyId).toBe(one.keyId);
      expect((await again.unwrap(wrapped)).equals(dek)).toBe(true);
      await expect(
        createPassphraseKeyProvider({ ...options, passphrase: second() }),
      ).rejects.toMatchObject({ code: 'ERR_KEY_PASSPHRASE' });
      await expect(
        createPassphraseKeyProvider({ ...options, passphrase: SecretBytes.fromUtf8('short') }),
      ).rejects.toMatchObject({ code: 'ERR_KEY_PASSPHRASE' });
    });

    it('has a salt of its own in every vault', async () => {
      const passphrase = first();
      const make = async (): Promise<string> =>
        (
          await createPassphraseKeyProvider({
            client,
            namespace: await emptyNamespace(),
            passphrase,
            cost: CHEAP,
          })
        ).keyId;
      expect(await make()).not.toBe(await make());
    });

    it('agrees between replicas that start together', async () => {
      const namespace = await emptyNamespace();
      const providers = await Promise.all(
        [1, 2, 3].map(() =>
          createPassphraseKeyProvider({ client, namespace, passphrase: first(), cost: CHEAP }),
        ),
      );
      expect(new Set(providers.map(({ keyId }) => keyId)).size).toBe(1);
    });

    it('changes the passphrase when the one before is given as well', async () => {
      const namespace = await emptyNamespace();
      const options = { client, namespace, cost: CHEAP };
      const old = await createPassphraseKeyProvider({ ...options, passphrase: first() });
      const keys = await loadVaultKeys({ client, namespace, keyProvider: old });
      const stored = await filled(
        createVault({ client, namespace, keyProvider: old, keys }),
        'pass',
        'a',
      );
      const changing = await createPassphraseKeyProvider({
        ...options,
        passphrase: second(),
        previousPassphrase: first(),
      });
      const vault = createVault({ client, namespace, keyProvider: changing, keys });
      await vault.rewrap(stored);
      await rewrapVaultKeys({ client, namespace, keyProvider: changing });
      const next = await createPassphraseKeyProvider({ ...options, passphrase: second() });
      const restarted = createVault({
        client,
        namespace,
        keyProvider: next,
        keys: await loadVaultKeys({ client, namespace, keyProvider: next }),
      });
      const read = await restarted.read(identity('pass'));
      expect(read && textOf(await restarted.open(read, 1))).toEqual({ apiKey: 'a' });
    });

    it('makes no new salt where something lies under a lost one', async () => {
      const namespace = await emptyNamespace();
      const options = { client, namespace, cost: CHEAP };
      const keyProvider = await createPassphraseKeyProvider({ ...options, passphrase: first() });
      await loadVaultKeys({ client, namespace, keyProvider });
      await client.delete(SECRETS, { namespace, name: 'strongroom-passphrase-1' });
      await expect(
        createPassphraseKeyProvider({ ...options, passphrase: first() }),
      ).rejects.toMatchObject({ code: 'ERR_KEY_STORE' });
    });

    it.each([
      ['would take all memory', { N: 2 ** 30 }],
      ['would take all time', { p: 2 ** 20 }],
      ['are no power of two', { N: 1000 }],
      ['cost nothing', { N: 1 }],
      ['are no numbers', { N: '1024' }],
    ])('refuses parameters that %s', async (_, change) => {
      const namespace = await emptyNamespace();
      const document = { N: 2 ** 10, r: 8, p: 1, salt: 'AAAA', check: 'x', ...change };
      await client.create(SECRETS, {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: {
          name: 'strongroom-passphrase-1',
          namespace,
          labels: { 'strongroom.dev/component': 'passphrase-parameters' },
        },
        data: { 'scrypt.json': Buffer.from(JSON.stringify(document)).toString('base64') },
      });
      await expect(
        createPassphraseKeyProvider({ client, namespace, passphrase: first() }),
      ).rejects.toMatchObject({ code: 'ERR_KEY_STORE' });
    });
  });

  describe('seal keys', () => {
    const NOW = Date.parse(AT);
    const POLICY = { rotateEveryMs: 1000, acceptForMs: 1000 };
    const TARGET = {
      namespace: 'n',
      name: 'c',
      field: 'f',
      exchange: '',
      scope: 'strict',
    } as const;

    it('are read by every replica, survive a rewrap, and open what was sealed under them', async () => {
      const namespace = await emptyNamespace();
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const store = createSealKeyStore({ client, namespace, keyProvider });
      const first = await store.create(NOW);
      const token = await seal(SecretBytes.fromUtf8('v'), TARGET, first);
      const second = await store.create(NOW + 1000);

      const follower = createSealKeyStore({
        client,
        namespace,
        keyProvider: await createLocalKeyProvider({ client, namespace }),
      });
      const { pairs, faults } = await follower.load();
      expect(faults).toEqual([]);
      const keyring = createSealKeyring(pairs, POLICY, NOW + 1500);
      expect(keyring.active.keyId).toBe(second.keyId);
      expect((await open(token, TARGET, keyring)).value.utf8()).toBe('v');

      await keyProvider.rotate();
      expect(await store.rewrap()).toEqual({ rewrapped: 2, faults: [] });
      expect(await store.rewrap()).toEqual({ rewrapped: 0, faults: [] });
      await client.delete(SECRETS, { namespace, name: 'strongroom-kek-1' });
      expect((await store.load()).pairs).toHaveLength(2);
    });

    it('are published, once, and again when they differ', async () => {
      const namespace = await emptyNamespace();
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const store = createSealKeyStore({ client, namespace, keyProvider });
      const published = async (): Promise<[string, string | undefined]> => {
        const map = await client.get(CONFIG_MAPS, { namespace, name: PUBLISHED_NAME });
        return [map.data?.[PUBLISHED_KEY] ?? '', map.metadata.resourceVersion];
      };
      const first = await store.create(NOW);
      const keyring = createSealKeyring([first], POLICY, NOW);
      await store.publish(keyring);
      const [text, version] = await published();
      expect(parsePublicKeys(text, 'keys.json').active.keyId).toBe(first.keyId);
      await store.publish(keyring);
      expect((await published())[1]).toBe(version);
      const second = await store.create(NOW + 1000);
      await store.publish(createSealKeyring([first, second], POLICY, NOW + 1000));
      const [later] = await published();
      expect(parsePublicKeys(later, 'keys.json').all.map(({ keyId }) => keyId)).toEqual([
        second.keyId,
        first.keyId,
      ]);
      expect(later).not.toContain('"d"');
    });

    it('that were tampered with are reported, and harm no other', async () => {
      const namespace = await emptyNamespace();
      const keyProvider = await createLocalKeyProvider({ client, namespace });
      const store = createSealKeyStore({ client, namespace, keyProvider });
      const good = await store.create(NOW);
      await store.create(NOW + 1);
      const { items } = await client.list(
        SECRETS,
        { namespace },
        { labelSelector: 'strongroom.dev/component=seal-key' },
      );
      const publicHalf = (secret: Secret): Record<string, string> =>
        JSON.parse(
          Buffer.from(secret.data?.['public.json'] ?? '', 'base64').toString('utf8'),
        ) as Record<string, string>;
      const victim = items.find((secret) => publicHalf(secret)['keyId'] !== good.keyId);
      if (victim === undefined) throw new Error('no second seal key');
      // Made young again, it would be accepted for longer.
      const half = { ...publicHalf(victim), createdAt: '2030-01-01T00:00:00Z' };
      await client.replace(SECRETS, {
        ...victim,
        data: {
          ...victim.data,
          'public.json': Buffer.from(JSON.stringify(half)).toString('base64'),
        },
      });
      const { pairs, faults } = await store.load();
      expect(pairs.map(({ keyId }) => keyId)).toEqual([good.keyId]);
      expect(faults).toEqual([
        {
          secretName: victim.metadata.name,
          error: expect.objectContaining({ code: 'ERR_SEAL_KEYS' }),
        },
      ]);
    });
  });
});
