/**
 * The table of a credential's versions, and how it may change. Pure: no keys, no I/O. The table is
 * the authority on which versions exist and what state each one is in.
 */
import { VaultError } from '#vault/errors.ts';

export const VERSION_STATES = [
  'Staged',
  'Current',
  'Previous',
  'Retired',
  'Revoked',
  'Failed',
] as const;
export type VersionState = (typeof VERSION_STATES)[number];

export const ORIGINS = ['Sealed', 'SecretRef', 'Generate'] as const;
export type Origin = (typeof ORIGINS)[number];

export interface VersionRecord {
  /** Counts from 1; never used twice in one entry. */
  readonly version: number;
  readonly state: VersionState;
  /** RFC 3339, as all times here. */
  readonly createdAt: string;
  /** Of the last change of state. */
  readonly changedAt: string;
  readonly origin: Origin;
  readonly fields: readonly string[];
  /** Keyed hash over all fields. */
  readonly fingerprint: string;
  readonly fieldFingerprints: Readonly<Record<string, string>>;
  readonly reason?: string;
  /** Id of the seal key that a sealed value came under. */
  readonly sealKey?: string;
}

/** What ciphertexts are bound to; immutable for an entry. */
export interface CredentialIdentity {
  readonly namespace: string;
  readonly name: string;
  /** Empty for a backing system; `exchangeName` for the exchange Other. */
  readonly exchange: string;
  readonly type: string;
}

export interface VaultEntry {
  readonly identity: CredentialIdentity;
  /** UID of the namespace that the entry was made in. */
  readonly namespaceUid: string;
  /** Grows by one with every stored change of the table. */
  readonly revision: number;
  readonly nextVersion: number;
  /** In ascending order of version. */
  readonly versions: readonly VersionRecord[];
  /** After a rollback: the source value that is not taken again until it differs. */
  readonly heldFingerprint?: string;
  /** Of revoked versions that were dropped: they are still not to be taken again. */
  readonly revokedFingerprints?: readonly string[];
}

/**
 * Legal changes of state. A rollback makes Previous or Retired Current again; Revoked is final.
 * Current to Previous and Previous to Retired also happen by themselves, when another is promoted.
 */
const TRANSITIONS: Readonly<Record<VersionState, readonly VersionState[]>> = {
  Staged: ['Current', 'Failed', 'Revoked'],
  Current: ['Previous', 'Retired', 'Revoked'],
  Previous: ['Current', 'Retired', 'Revoked'],
  Retired: ['Current', 'Revoked'],
  Failed: ['Revoked'],
  Revoked: [],
};

/** States that the rule of `spec.history` may end. */
const DROPPABLE: ReadonlySet<VersionState> = new Set(['Retired', 'Revoked', 'Failed']);

/** How many fingerprints of dropped, revoked versions are remembered; the oldest go first. */
const MAX_REVOKED_FINGERPRINTS = 1000;

export function isLegalTransition(from: VersionState, to: VersionState): boolean {
  return TRANSITIONS[from].includes(to);
}

export function findVersion(entry: VaultEntry, version: number): VersionRecord | undefined {
  return entry.versions.find((record) => record.version === version);
}

/** The one version in `state`, of states that at most one version has: Staged, Current, Previous. */
export function versionIn(
  entry: VaultEntry,
  state: 'Staged' | 'Current' | 'Previous',
): VersionRecord | undefined {
  return entry.versions.find((record) => record.state === state);
}

/**
 * `entry` with `version` in state `to`. A promotion makes the old Current Previous and the old
 * Previous Retired; Current to Previous retires the old Previous. The revision is left alone: the
 * store counts it when it writes.
 *
 * @param at RFC 3339
 * @throws VaultError ERR_VAULT_UNKNOWN_VERSION, ERR_VAULT_ILLEGAL_TRANSITION
 */
export function transition(
  entry: VaultEntry,
  version: number,
  to: VersionState,
  at: string,
  reason?: string,
): VaultEntry {
  const subject = findVersion(entry, version);
  if (subject === undefined) {
    throw new VaultError('ERR_VAULT_UNKNOWN_VERSION', `version ${version} is not in the vault`);
  }
  if (!isLegalTransition(subject.state, to)) {
    throw new VaultError(
      'ERR_VAULT_ILLEGAL_TRANSITION',
      `version ${version} is ${subject.state} and cannot become ${to}`,
    );
  }
  const versions = entry.versions.map((record) => {
    if (record === subject) return changed(record, to, at, reason);
    if (to === 'Current' && record.state === 'Current') return changed(record, 'Previous', at);
    if ((to === 'Current' || to === 'Previous') && record.state === 'Previous') {
      return changed(record, 'Retired', at);
    }
    return record;
  });
  return { ...entry, versions };
}

/** A reason belongs to the change it came with; a later change without one drops it. */
function changed(
  record: VersionRecord,
  state: VersionState,
  at: string,
  reason?: string,
): VersionRecord {
  const { reason: _, ...rest } = record;
  return { ...rest, state, changedAt: at, ...(reason === undefined ? {} : { reason }) };
}

/** A version about to be staged; the entry gives it its number. */
export type NewVersion = Omit<VersionRecord, 'version' | 'state' | 'changedAt'>;

/** Adds a Staged version. One that is Staged already was never promoted, and becomes Failed. */
export function appendStaged(entry: VaultEntry, added: NewVersion): VaultEntry {
  const left = versionIn(entry, 'Staged');
  const cleared =
    left === undefined
      ? entry
      : transition(entry, left.version, 'Failed', added.createdAt, 'Superseded');
  const record: VersionRecord = {
    ...added,
    version: entry.nextVersion,
    state: 'Staged',
    changedAt: added.createdAt,
  };
  return {
    ...cleared,
    nextVersion: entry.nextVersion + 1,
    versions: [...cleared.versions, record],
  };
}

/**
 * Takes versions out for good; their ciphertexts go with them when the entry is saved. What was
 * revoked is remembered by its fingerprint, so that the same value is not taken again.
 *
 * @throws VaultError ERR_VAULT_ILLEGAL_TRANSITION for one that is Staged, Current or Previous
 */
export function dropVersions(entry: VaultEntry, versions: readonly number[]): VaultEntry {
  const gone = new Set(versions);
  const remembered = [...(entry.revokedFingerprints ?? [])];
  const kept = entry.versions.filter((record) => {
    if (!gone.has(record.version)) return true;
    if (!DROPPABLE.has(record.state)) {
      throw new VaultError(
        'ERR_VAULT_ILLEGAL_TRANSITION',
        `version ${record.version} is ${record.state} and cannot be dropped`,
      );
    }
    if (record.state === 'Revoked' && !remembered.includes(record.fingerprint)) {
      remembered.push(record.fingerprint);
    }
    return false;
  });
  return {
    ...entry,
    versions: kept,
    ...(remembered.length === 0
      ? {}
      : { revokedFingerprints: remembered.slice(-MAX_REVOKED_FINGERPRINTS) }),
  };
}

/** Whether a value of this fingerprint was revoked, in a version that is still here or was dropped. */
export function isRevokedFingerprint(entry: VaultEntry, fingerprint: string): boolean {
  return (
    entry.versions.some(
      (record) => record.state === 'Revoked' && record.fingerprint === fingerprint,
    ) || (entry.revokedFingerprints ?? []).includes(fingerprint)
  );
}
