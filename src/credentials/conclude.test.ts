import { describe, expect, it } from 'vitest';
import { conclude } from './conclude.ts';
import { entryWith, ours, record, sealedValue, viewOf } from './testing/views.ts';
import type { View } from './view.ts';

/** Ready, Reconciling, Stalled, SourceReady, Delivered: T(rue), F(alse) or ? before the reason. */
function summary(view: View): string[] {
  const findings = conclude(view);
  expect(findings.map(({ type }) => type)).toEqual([
    'Ready',
    'Reconciling',
    'Stalled',
    'SourceReady',
    'Delivered',
  ]);
  return findings.map(
    ({ status, reason }) => `${status === 'Unknown' ? '?' : status[0]} ${reason}`,
  );
}

const revoked = entryWith([record(1, 'Revoked', 'a')]);
const fault: View['vault'] = { kind: 'fault', reason: 'VaultRolledBack', message: 'It is old.' };
const absent: View['target'] = { kind: 'absent' };
const fine = 'F UpToDate';

const thief = { name: 'thief', uid: 'thief-uid', account: 'default' };

describe('conclude', () => {
  it.each<readonly [string, View, readonly string[]]>([
    [
      'withheld from pods that may not have it',
      viewOf({ target: absent, podsWithoutRight: [thief] }),
      ['F PodsWithoutRight', fine, 'T PodsWithoutRight', 'T SourceRead', 'F PodsWithoutRight'],
    ],
    ['healthy', viewOf(), ['T UpToDate', fine, fine, 'T SourceRead', 'T Delivered']],
    [
      'a bad value while a good one is delivered',
      viewOf({ source: { kind: 'refused', message: 'bad' } }),
      ['F SourceRefused', fine, 'T SourceRefused', 'F SourceRefused', 'T Delivered'],
    ],
    [
      'a source that is awaited',
      viewOf({ entry: undefined, target: absent, source: { kind: 'missing', message: 'none' } }),
      ['F SourceMissing', 'T SourceMissing', fine, 'F SourceMissing', 'F NoVersion'],
    ],
    [
      'a source that was removed after its import',
      viewOf({ source: { kind: 'removed' } }),
      ['T UpToDate', fine, fine, 'T SourceRemoved', 'T Delivered'],
    ],
    [
      'rolled back',
      viewOf({
        entry: entryWith([record(1, 'Current', 'a'), record(2, 'Previous', 'b')], {
          heldFingerprint: 'b',
        }),
        source: sealedValue('b'),
      }),
      ['T UpToDate', fine, fine, 'F SourceHeld', 'T Delivered'],
    ],
    [
      'the only version revoked',
      viewOf({ entry: revoked, target: absent }),
      [
        'F CurrentVersionRevoked',
        fine,
        'T CurrentVersionRevoked',
        'F SourceHeld',
        'F CurrentVersionRevoked',
      ],
    ],
    [
      'a foreign Secret',
      viewOf({ target: { kind: 'foreign', name: 'maker-secret', owner: 'Deployment x' } }),
      ['F ForeignSecret', fine, 'T ForeignSecret', 'T SourceRead', 'F ForeignSecret'],
    ],
    [
      'Suspended',
      viewOf({ spec: { state: 'Suspended' }, target: absent }),
      ['F Suspended', fine, fine, 'T SourceRead', 'F Suspended'],
    ],
    [
      'Suspended, whatever its source holds',
      viewOf({
        spec: { state: 'Suspended' },
        target: absent,
        source: { kind: 'refused', message: 'bad' },
      }),
      ['F Suspended', fine, fine, 'F SourceRefused', 'F Suspended'],
    ],
    [
      'Revoked',
      viewOf({
        spec: { state: 'Revoked' },
        entry: revoked,
        target: absent,
        source: { kind: 'unread' },
      }),
      ['F Revoked', fine, fine, 'F Revoked', 'F Revoked'],
    ],
    [
      'a vault at fault, the old Secret left as it was',
      viewOf({ vault: fault, source: { kind: 'unread' } }),
      ['F VaultRolledBack', fine, 'T VaultRolledBack', '? VaultRolledBack', 'T Delivered'],
    ],
    [
      'not guarded',
      viewOf({
        namespace: { uid: 'namespace-uid', guarded: false, terminating: false },
        target: { kind: 'unread' },
        source: { kind: 'unread' },
      }),
      [
        'F NamespaceNotGuarded',
        fine,
        'T NamespaceNotGuarded',
        '? NamespaceNotGuarded',
        '? NamespaceNotGuarded',
      ],
    ],
    [
      'being deleted, held up by the vault',
      viewOf({
        isDeleted: true,
        vault: fault,
        spec: { deletionPolicy: 'Delete' },
        target: absent,
        source: { kind: 'unread' },
      }),
      ['F Deleting', 'F Deleting', 'T Deleting', '? Deleting', 'F NoVersion'],
    ],
  ])('%s', (_, view, expected) => {
    expect(summary(view)).toEqual(expected);
  });

  it('names whose a foreign Secret is, and what to do', () => {
    const target: View['target'] = {
      kind: 'foreign',
      name: 'maker-secret',
      owner: 'Certificate web',
    };
    expect(conclude(viewOf({ target }))[0]?.message).toBe(
      'Secret maker-secret belongs to Certificate web and is left alone; delete it, or choose another name in spec.delivery.secret.name.',
    );
  });

  it.each([
    ['rolled back', 'Previous', /value that was rolled back.*Correct it there/],
    // The hold is still on record, but there is nothing left to wait for.
    ['rolled back and then revoked', 'Revoked', /value that was revoked.*Put a new one there/],
  ] as const)('tells a source whose value was %s apart', (_, state, message) => {
    const entry = entryWith([record(1, 'Current', 'a'), record(2, state, 'b')], {
      heldFingerprint: 'b',
    });
    const finding = conclude(viewOf({ entry, source: sealedValue('b') })).find(
      ({ type }) => type === 'SourceReady',
    );
    expect(finding?.message).toMatch(message);
  });

  it.each([
    ['a sealed source', sealedValue('a'), /Put a new value into the source/],
    ['a generated one', { kind: 'generate' }, /Ask for a new value with "strongroom rotate"/],
  ] as const)('says what to do after the last version of %s was revoked', (_, source, message) => {
    const finding = conclude(viewOf({ entry: revoked, target: absent, source })).find(
      ({ type }) => type === 'Delivered',
    );
    expect(finding?.message).toMatch(message);
  });

  it('says which version is delivered', () => {
    const entry = entryWith([record(1, 'Previous', 'a'), record(2, 'Current', 'b')]);
    const view = viewOf({ entry, source: sealedValue('b'), target: ours(2) });
    expect(conclude(view)[0]?.message).toBe('Version 2 is in Secret maker-secret.');
  });
});
