import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Secret } from '#kube/objects.ts';
import { appendStaged, dropVersions, transition } from '#vault/entry.ts';
import type { CredentialIdentity, VaultEntry } from '#vault/entry.ts';
import { generateKey } from '#vault/envelope.ts';
import { isVaultError } from '#vault/errors.ts';
import { computeFingerprints } from '#vault/fingerprint.ts';
import type { KeyProvider } from '#vault/key-provider.ts';
import { unknownKey, unwrapWith, wrapWith } from '#vault/providers/wrapping.ts';
import { SecretBytes } from '#vault/secret-bytes.ts';
import {
  decodeEntry,
  encodeEntry,
  entryName,
  MAX_STAGED_ENTRY_BYTES,
  openVersion,
  rewrapVersions,
  sealVersion,
} from '#vault/stored-entry.ts';

/** A key provider of the real wrapping, with its keys in memory; the first one wraps. */
function provider(...ids: readonly string[]): KeyProvider {
  const keys = ids.map((keyId) => ({ keyId, key: keyBy(keyId) }));
  const [current] = keys;
  if (current === undefined) throw new Error('a provider needs a key');
  return {
    name: 'memory',
    keyId: current.keyId,
    wrap: async (dek) => wrapWith('memory', current, dek),
    async unwrap(wrapped) {
      const key = keys.find(({ keyId }) => keyId === wrapped.keyId);
      if (key === undefined) throw unknownKey('memory', wrapped);
      return unwrapWith(key, wrapped);
    },
  };
}

function keyBy(keyId: string): SecretBytes {
  return SecretBytes.fromUtf8(keyId.padEnd(32, '.'));
}

const IDENTITY: CredentialIdentity = {
  namespace: 'trading',
  name: 'maker',
  exchange: 'Phemex',
  type: 'ApiKey',
};
const OLD = provider('old');
const tableKey = generateKey();
const fingerprintKey = generateKey();
const CANARY = 'canary-0c7e';

/** An entry with the given values as versions 1, 2, …, the last one Current. */
async function storedWith(
  identity: CredentialIdentity,
  ...values: readonly Readonly<Record<string, string>>[]
): Promise<{ entry: VaultEntry; secret: Secret }> {
  let entry: VaultEntry = {
    identity,
    namespaceUid: 'uid',
    revision: 1,
    nextVersion: 1,
    versions: [],
  };
  let data: Readonly<Record<string, string>> = {};
  for (const value of values) {
    const fields = new Map(Object.entries(value).map(([k, v]) => [k, SecretBytes.fromUtf8(v)]));
    const version = entry.nextVersion;
    data = { ...data, ...(await sealVersion(identity, version, fields, OLD)) };
    entry = appendStaged(entry, {
      createdAt: '2026-01-01T00:00:00Z',
      origin: 'Sealed',
      fields: [...fields.keys()],
      ...computeFingerprints(fingerprintKey, fields),
    });
    entry = transition(entry, version, 'Current', '2026-01-01T00:00:00Z');
  }
  const metadata = { name: entryName(identity), namespace: 'system' };
  return { entry, secret: encodeEntry(entry, data, tableKey, metadata) };
}

async function values(
  stored: { entry: VaultEntry; secret: Secret },
  version: number,
  from: KeyProvider = OLD,
): Promise<Record<string, string>> {
  const fields = await openVersion(stored, version, from, fingerprintKey);
  return Object.fromEntries([...fields].map(([k, v]) => [k, v.utf8()]));
}

describe('a stored entry', () => {
  it('gives back its table and the values of every version', async () => {
    const stored = await storedWith(
      IDENTITY,
      { apiKey: 'k1', apiSecret: 's1' },
      { apiKey: 'k2', apiSecret: '', 'tls.crt': 'x', dek: 'y' },
    );
    const entry = decodeEntry(stored.secret, tableKey);
    expect(entry).toEqual(stored.entry);
    expect(await values({ entry, secret: stored.secret }, 1)).toEqual({
      apiKey: 'k1',
      apiSecret: 's1',
    });
    expect(await values({ entry, secret: stored.secret }, 2)).toEqual({
      apiKey: 'k2',
      apiSecret: '',
      'tls.crt': 'x',
      dek: 'y',
    });
  });

  it('holds no value in the clear, in any encoding', async () => {
    const { secret } = await storedWith(IDENTITY, { apiKey: CANARY });
    const text = Object.values(secret.data ?? {})
      .map((part) => Buffer.from(part, 'base64').toString('latin1'))
      .join('\n');
    for (const encoding of ['utf8', 'base64', 'base64url', 'hex'] as const) {
      expect(text + JSON.stringify(secret)).not.toContain(Buffer.from(CANARY).toString(encoding));
    }
  });

  it('loses the ciphertexts of a version that is dropped', async () => {
    const { entry, secret } = await storedWith(IDENTITY, { a: '1' }, { a: '2' }, { a: '3' });
    const next = dropVersions(entry, [1]);
    const written = encodeEntry(next, secret.data ?? {}, tableKey, secret.metadata);
    expect(Object.keys(written.data ?? {}).sort()).toEqual([
      'data.2.a',
      'data.3.a',
      'dek.2',
      'dek.3',
      'mac',
      'table',
    ]);
  });

  it('is refused before it is too large for a Secret', async () => {
    const large = { a: 'x'.repeat(400_000) };
    await expect(storedWith(IDENTITY, large, large)).resolves.toBeDefined();
    await expect(storedWith(IDENTITY, large, large, large)).rejects.toThrow('spec.history');
  });

  it('keeps room for the table of an entry that is full of versions', async () => {
    const { entry, secret } = await storedWith(IDENTITY, { a: 'x'.repeat(949_000) });
    const { data = {}, metadata } = secret;
    const staged = encodeEntry(entry, data, tableKey, metadata, MAX_STAGED_ENTRY_BYTES);
    expect(staged.data).toEqual(data);
    const remembered = Array.from({ length: 1000 }, (_, at) => at.toString().padStart(43, '0'));
    const grown = { ...entry, revokedFingerprints: remembered };
    expect(() => encodeEntry(grown, data, tableKey, metadata, MAX_STAGED_ENTRY_BYTES)).toThrow(
      'spec.history',
    );
    expect(decodeEntry(encodeEntry(grown, data, tableKey, metadata), tableKey)).toEqual(grown);
  });

  it('cannot be written without the ciphertexts it lists', async () => {
    const { entry, secret } = await storedWith(IDENTITY, { a: '1' });
    expect(() => encodeEntry(entry, {}, tableKey, secret.metadata)).toThrow('dek.1 is missing');
  });
});

describe('tampering', () => {
  it('with any byte of any part is found, and never gives another value', async () => {
    const stored = await storedWith(IDENTITY, { apiKey: 'k1', apiSecret: 's1' }, { apiKey: 'k2' });
    const parts = Object.entries(stored.secret.data ?? {});
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...parts),
        fc.nat(10_000),
        fc.integer({ min: 1, max: 255 }),
        async ([part, content], at, mask) => {
          const bytes = Buffer.from(content, 'base64');
          const index = at % bytes.length;
          bytes[index] = (bytes[index] ?? 0) ^ mask;
          const data = { ...stored.secret.data, [part]: bytes.toString('base64') };
          const secret = { ...stored.secret, data };
          const error: unknown = await openAll(secret).catch((e: unknown) => e);
          // A data key that now names another key is not to be told from one that was lost.
          expect(error).toMatchObject({ code: expect.stringMatching(/TAMPERED|ERR_KEY_UNKNOWN/) });
        },
      ),
      { numRuns: 400 },
    );
  });

  it('by taking any part away is found', async () => {
    const stored = await storedWith(IDENTITY, { apiKey: 'k1', apiSecret: 's1' });
    for (const part of Object.keys(stored.secret.data ?? {})) {
      const { [part]: _, ...data } = stored.secret.data ?? {};
      expect(() => decodeEntry({ ...stored.secret, data }, tableKey)).toThrow(
        /does not authenticate|has lost its part/,
      );
    }
    const { data: _, ...bare } = stored.secret;
    expect(() => decodeEntry(bare, tableKey)).toThrow('does not authenticate');
  });

  it('by moving ciphertexts between versions, fields or credentials is found', async () => {
    const stored = await storedWith(
      IDENTITY,
      { apiKey: 'k1', apiSecret: 's1' },
      { apiKey: 'k2', apiSecret: 's2' },
    );
    const other = await storedWith(
      { ...IDENTITY, name: 'taker' },
      { apiKey: 'k9', apiSecret: 's9' },
    );
    const data = stored.secret.data ?? {};
    const theirs = other.secret.data ?? {};
    const part = (of: Readonly<Record<string, string>>, name: string): string => of[name] ?? '';
    const moves: readonly Record<string, string>[] = [
      { 'data.2.apiKey': part(data, 'data.1.apiKey') },
      { 'data.2.apiKey': part(data, 'data.1.apiKey'), 'dek.2': part(data, 'dek.1') },
      { 'data.2.apiKey': part(data, 'data.2.apiSecret') },
      { 'dek.2': part(data, 'dek.1') },
      {
        'data.1.apiKey': part(theirs, 'data.1.apiKey'),
        'data.1.apiSecret': part(theirs, 'data.1.apiSecret'),
        'dek.1': part(theirs, 'dek.1'),
      },
    ];
    for (const move of moves) {
      const secret = { ...stored.secret, data: { ...data, ...move } };
      await expect(openAll(secret)).rejects.toMatchObject({ code: 'ERR_VAULT_TAMPERED' });
    }
  });

  it.each<[string, Partial<CredentialIdentity>]>([
    ['namespace', { namespace: 'other' }],
    ['name', { name: 'taker' }],
    ['exchange', { exchange: 'Binance' }],
    ['type', { type: 'Password' }],
  ])('by moving a version to another %s is found, even of equal values', async (_, change) => {
    const { secret: theirs } = await storedWith({ ...IDENTITY, ...change }, { apiKey: 'same' });
    const { secret } = await storedWith(IDENTITY, { apiKey: 'same' });
    const { table: __, mac: ___, ...parts } = theirs.data ?? {};
    const moved = { ...secret, data: { ...secret.data, ...parts } };
    await expect(openAll(moved)).rejects.toThrow('field apiKey of version 1');
  });

  it('by moving a version to another number is found, even of equal values', async () => {
    const { secret } = await storedWith(IDENTITY, { apiKey: 'same' }, { apiKey: 'same' });
    const { 'dek.1': dek = '', 'data.1.apiKey': content = '' } = secret.data ?? {};
    const data = { ...secret.data, 'dek.2': dek, 'data.2.apiKey': content };
    await expect(openAll({ ...secret, data })).rejects.toThrow('field apiKey of version 2');
  });

  it('by putting back what a removed entry of the same name held is found', async () => {
    const former = await storedWith(IDENTITY, { apiKey: 'k1', apiSecret: 's1' });
    const present = await storedWith(IDENTITY, { apiKey: 'k2', apiSecret: 's2' });
    const { table: _, mac: __, ...parts } = former.secret.data ?? {};
    const secret = { ...present.secret, data: { ...present.secret.data, ...parts } };
    await expect(openAll(secret)).rejects.toMatchObject({ code: 'ERR_VAULT_TAMPERED' });
  });

  it('with the table of a vault that has other keys is found', async () => {
    const { secret } = await storedWith(IDENTITY, { a: '1' });
    expect(() => decodeEntry(secret, generateKey())).toThrow('does not authenticate');
  });

  async function openAll(secret: Secret): Promise<void> {
    const entry = decodeEntry(secret, tableKey);
    for (const { version } of entry.versions) {
      await openVersion({ entry, secret }, version, OLD, fingerprintKey);
    }
  }
});

describe('rewrapVersions', () => {
  it('changes the wrapped data keys and nothing else', async () => {
    const stored = await storedWith(IDENTITY, { a: '1' }, { a: '2', b: '3' });
    const both = provider('new', 'old');
    const data = (await rewrapVersions(stored, both)) ?? {};
    const before = stored.secret.data ?? {};
    const changed = Object.keys(before).filter((part) => data[part] !== before[part]);
    expect(changed.sort()).toEqual(['dek.1', 'dek.2']);
    const rewrapped = { entry: stored.entry, secret: { ...stored.secret, data } };
    expect(await values(rewrapped, 2, provider('new'))).toEqual({ a: '2', b: '3' });
    await expect(values(rewrapped, 1, OLD)).rejects.toMatchObject({ code: 'ERR_KEY_UNKNOWN' });
  });

  it('does nothing when all is under the present key', async () => {
    expect(await rewrapVersions(await storedWith(IDENTITY, { a: '1' }), OLD)).toBeUndefined();
  });
});

describe('openVersion', () => {
  it('knows the versions of the table only', async () => {
    const stored = await storedWith(IDENTITY, { a: '1' });
    const error: unknown = await openVersion(stored, 2, OLD, fingerprintKey).catch(
      (e: unknown) => e,
    );
    expect(isVaultError(error, 'ERR_VAULT_UNKNOWN_VERSION')).toBe(true);
  });
});

describe('entryName', () => {
  it('is a valid name for any credential, and differs between credentials', () => {
    const names = [
      entryName({ namespace: 'a', name: 'b' }),
      entryName({ namespace: 'a', name: 'c' }),
      entryName({ namespace: 'ab', name: 'c' }),
      entryName({ namespace: 'a'.repeat(63), name: 'b'.repeat(253) }),
    ];
    expect(new Set(names).size).toBe(names.length);
    for (const name of names) expect(name).toMatch(/^xc-[0-9a-f]{40}$/);
  });
});
