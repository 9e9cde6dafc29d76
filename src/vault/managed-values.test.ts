import { describe, expect, it } from 'vitest';
import type { VaultEntry, VersionRecord, VersionState } from './entry.ts';
import { generateKey } from './envelope.ts';
import { computeFingerprints } from './fingerprint.ts';
import { entryFingerprints, valueFingerprints } from './managed-values.ts';
import { SecretBytes } from './secret-bytes.ts';
import { encodeEntry } from './stored-entry.ts';

const tableKey = generateKey();
const fingerprintKey = generateKey();

function version(number: number, state: VersionState, fields: Record<string, string>) {
  const values = new Map(
    Object.entries(fields).map(([name, text]) => [name, SecretBytes.fromBytes(Buffer.from(text))]),
  );
  return {
    version: number,
    state,
    createdAt: '2026-11-24T12:00:00Z',
    changedAt: '2026-11-24T12:00:00Z',
    origin: 'Sealed',
    fields: [...values.keys()],
    ...computeFingerprints(fingerprintKey, values),
  } satisfies VersionRecord;
}

function entryOf(...versions: readonly VersionRecord[]) {
  const entry: VaultEntry = {
    identity: { namespace: 'trading', name: 'maker', exchange: 'Phemex', type: 'ApiKey' },
    namespaceUid: 'u',
    revision: 1,
    nextVersion: versions.length + 1,
    versions,
  };
  const data = Object.fromEntries(
    versions.flatMap(({ version, fields }) => [
      [`dek.${version}`, 'e30='],
      ...fields.map((field) => [`data.${version}.${field}`, 'e30=']),
    ]),
  );
  return encodeEntry(entry, data, tableKey, { name: 'xc-1', namespace: 'strongroom-system' });
}

const SECRET = 'f3b1c3d09a4e4b0f8f2b9d1c7a6e5f40';
const owned = (value: string, entry = entryFingerprints(all, tableKey)): boolean =>
  valueFingerprints(fingerprintKey, Buffer.from(value)).some((one) =>
    entry?.fingerprints.includes(one),
  );
const all = entryOf(
  version(1, 'Revoked', { apiKey: 'key-1', apiSecret: `${SECRET}-revoked` }),
  version(2, 'Previous', { apiKey: 'key-2', apiSecret: `${SECRET}-previous` }),
  version(3, 'Current', {
    apiKey: 'a-public-key-of-32-characters---',
    apiSecret: SECRET,
    passphrase: 'correct horse battery staple',
  }),
);

describe('fingerprints of what the vault holds', () => {
  it('tell whose value one is, of the current version and the one before', () => {
    expect(entryFingerprints(all, tableKey)?.credential).toBe('trading/maker');
    expect(owned(SECRET)).toBe(true);
    expect(owned(`${SECRET}-previous`)).toBe(true);
    expect(owned(`${SECRET}-revoked`)).toBe(false);
    expect(owned(`${SECRET}-another`)).toBe(false);
  });

  it('tell nothing of what can be guessed, or is public', () => {
    expect(owned('correct horse battery staple')).toBe(false);
    expect(owned('a-public-key-of-32-characters---')).toBe(false);
  });

  it('are not taken from an entry that does not authenticate', () => {
    const [first = ''] = Object.keys(all.data ?? {});
    expect(first).toBe('table');
    const table = Buffer.from(all.data?.['table'] ?? '', 'base64').toString('utf8');
    const forged = Buffer.from(table.replace('maker', 'taker')).toString('base64');
    expect(
      entryFingerprints({ ...all, data: { ...all.data, table: forged } }, tableKey),
    ).toBeUndefined();
    expect(entryFingerprints(all, generateKey())).toBeUndefined();
  });
});
