import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  appendStaged,
  dropVersions,
  findVersion,
  isLegalTransition,
  isRevokedFingerprint,
  transition,
  VERSION_STATES,
  versionIn,
} from '#vault/entry.ts';
import type { NewVersion, VaultEntry, VersionState } from '#vault/entry.ts';
import { isVaultError } from '#vault/errors.ts';

const EMPTY: VaultEntry = {
  identity: { namespace: 'trading', name: 'maker', exchange: 'Phemex', type: 'ApiKey' },
  namespaceUid: 'uid',
  revision: 1,
  nextVersion: 1,
  versions: [],
};

function added(fingerprint: string, createdAt = '2026-01-01T00:00:00Z'): NewVersion {
  return {
    createdAt,
    origin: 'Sealed',
    fields: ['apiKey'],
    fingerprint,
    fieldFingerprints: { apiKey: fingerprint },
  };
}

/** An entry whose versions 1, 2, … are in the given states. */
function entryOf(...states: readonly VersionState[]): VaultEntry {
  return {
    ...EMPTY,
    nextVersion: states.length + 1,
    versions: states.map((state, index) => ({
      ...added(`f${index + 1}`),
      version: index + 1,
      state,
      changedAt: '2026-01-01T00:00:00Z',
    })),
  };
}

function statesOf(entry: VaultEntry): readonly VersionState[] {
  return entry.versions.map((record) => record.state);
}

const AT = '2026-02-02T00:00:00Z';

describe('transition', () => {
  it.each<[string, VersionState[], number, VersionState, VersionState[]]>([
    ['promotes the first', ['Staged'], 1, 'Current', ['Current']],
    ['promotes the second', ['Current', 'Staged'], 2, 'Current', ['Previous', 'Current']],
    [
      'promotes the third',
      ['Previous', 'Current', 'Staged'],
      3,
      'Current',
      ['Retired', 'Previous', 'Current'],
    ],
    ['rolls back to Previous', ['Previous', 'Current'], 1, 'Current', ['Current', 'Previous']],
    [
      'rolls back to Retired',
      ['Retired', 'Previous', 'Current'],
      1,
      'Current',
      ['Current', 'Retired', 'Previous'],
    ],
    ['revokes Current alone', ['Previous', 'Current'], 2, 'Revoked', ['Previous', 'Revoked']],
    ['fails a staged one', ['Current', 'Staged'], 2, 'Failed', ['Current', 'Failed']],
    ['retires Previous', ['Previous', 'Current'], 1, 'Retired', ['Retired', 'Current']],
    [
      'makes room for a new Previous',
      ['Previous', 'Current'],
      2,
      'Previous',
      ['Retired', 'Previous'],
    ],
  ])('%s', (_, before, version, to, after) => {
    expect(statesOf(transition(entryOf(...before), version, to, AT))).toEqual(after);
  });

  it('dates what changed, and only that', () => {
    const next = transition(entryOf('Retired', 'Previous', 'Current', 'Staged'), 4, 'Current', AT);
    expect(next.versions.map((record) => record.changedAt === AT)).toEqual([
      false,
      true,
      true,
      true,
    ]);
  });

  it('gives the reason to the version it was asked for, and drops that of an earlier change', () => {
    const failed = transition(entryOf('Staged'), 1, 'Failed', AT, 'too short');
    expect(findVersion(failed, 1)?.reason).toBe('too short');
    expect(findVersion(transition(failed, 1, 'Revoked', AT), 1)).not.toHaveProperty('reason');
  });

  it('leaves the entry it was given, and the revision', () => {
    const before = entryOf('Previous', 'Current');
    const copy = structuredClone(before);
    const after = transition(before, 1, 'Current', AT);
    expect(before).toEqual(copy);
    expect(after.revision).toBe(before.revision);
  });

  it('knows no way out of Revoked', () => {
    for (const to of VERSION_STATES) expect(isLegalTransition('Revoked', to)).toBe(false);
  });

  it('refuses what is not legal, naming both states', () => {
    expect(() => transition(entryOf('Revoked'), 1, 'Current', AT)).toThrow(
      'version 1 is Revoked and cannot become Current',
    );
    expect(() => transition(entryOf('Current'), 2, 'Revoked', AT)).toThrow('not in the vault');
  });
});

describe('appendStaged', () => {
  it('numbers versions without ever using a number twice', () => {
    let entry = appendStaged(EMPTY, added('a'));
    entry = transition(entry, 1, 'Revoked', AT);
    entry = dropVersions(entry, [1]);
    entry = appendStaged(entry, added('b'));
    expect(entry.versions.map((record) => record.version)).toEqual([2]);
    expect(entry.nextVersion).toBe(3);
  });

  it('fails one that was staged before and never promoted', () => {
    const entry = appendStaged(entryOf('Current', 'Staged'), added('c', AT));
    expect(statesOf(entry)).toEqual(['Current', 'Failed', 'Staged']);
    expect(findVersion(entry, 2)).toMatchObject({ reason: 'Superseded', changedAt: AT });
  });
});

describe('dropVersions', () => {
  it.each<VersionState>(['Staged', 'Current', 'Previous'])('keeps what is %s', (state) => {
    expect(() => dropVersions(entryOf(state), [1])).toThrow('cannot be dropped');
  });

  it('remembers what was revoked, also when the version is gone', () => {
    const entry = entryOf('Revoked', 'Retired', 'Failed', 'Current');
    const next = dropVersions(entry, [1, 2, 3]);
    expect(statesOf(next)).toEqual(['Current']);
    expect(isRevokedFingerprint(entry, 'f1')).toBe(true);
    expect(isRevokedFingerprint(next, 'f1')).toBe(true);
    expect(isRevokedFingerprint(next, 'f2')).toBe(false);
    expect(isRevokedFingerprint(next, 'f4')).toBe(false);
  });

  it('remembers a bounded number of them, the newest', () => {
    const full = {
      ...entryOf('Revoked'),
      revokedFingerprints: Array.from({ length: 1000 }, (_, index) => `old${index}`),
    };
    const next = dropVersions(full, [1]);
    expect(next.revokedFingerprints).toHaveLength(1000);
    expect(isRevokedFingerprint(next, 'f1')).toBe(true);
    expect(isRevokedFingerprint(next, 'old0')).toBe(false);
  });
});

describe('any history', () => {
  type Step =
    | { readonly kind: 'stage' }
    | { readonly kind: 'move'; readonly version: number; readonly to: VersionState }
    | { readonly kind: 'drop'; readonly version: number };
  const version = fc.integer({ min: 1, max: 6 });
  const step: fc.Arbitrary<Step> = fc.oneof(
    fc.record({ kind: fc.constant('stage' as const) }),
    fc.record({
      kind: fc.constant('move' as const),
      version,
      to: fc.constantFrom(...VERSION_STATES),
    }),
    fc.record({ kind: fc.constant('drop' as const), version }),
  );

  it('keeps at most one version Staged, Current and Previous, and Revoked values forgotten never', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        let entry = EMPTY;
        const revoked = new Set<string>();
        for (const [index, next] of steps.entries()) {
          entry = attempt(entry, next, index);
          for (const record of entry.versions) {
            if (record.state === 'Revoked') revoked.add(record.fingerprint);
          }
          for (const state of ['Staged', 'Current', 'Previous'] as const) {
            const held = entry.versions.filter((record) => record.state === state);
            expect(held.length).toBeLessThanOrEqual(1);
            expect(versionIn(entry, state)).toBe(held[0]);
          }
          const numbers = entry.versions.map((record) => record.version);
          expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
          expect(numbers.every((number) => number < entry.nextVersion)).toBe(true);
          for (const fingerprint of revoked) {
            expect(isRevokedFingerprint(entry, fingerprint)).toBe(true);
          }
        }
      }),
    );
  });

  /** The entry after the step, or as it was when the step is refused. */
  function attempt(entry: VaultEntry, step: Step, index: number): VaultEntry {
    try {
      if (step.kind === 'stage') return appendStaged(entry, added(`f${index}`));
      if (step.kind === 'drop') return dropVersions(entry, [step.version]);
      return transition(entry, step.version, step.to, AT);
    } catch (error) {
      if (isVaultError(error)) return entry;
      throw error;
    }
  }
});
