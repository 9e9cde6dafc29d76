import { describe, expect, it } from 'vitest';
import { ANNOTATIONS } from '#api/names.ts';
import type { VersionState } from '#vault/entry.ts';
import { decide } from './decide.ts';
import type { Step } from './step.ts';
import {
  entryWith,
  importedValue,
  ours,
  record,
  sealedValue,
  secretNamed,
  viewOf,
} from './testing/views.ts';
import type { View } from './view.ts';

type Row = readonly [what: string, view: View, step: Step | undefined];

function table(rows: readonly Row[]): void {
  it.each(rows)('%s', (_, view, step) => {
    expect(decide(view)).toEqual(step);
  });
}

const nothing = undefined;
const target = secretNamed('maker-secret');
const fault: View['vault'] = { kind: 'fault', reason: 'VaultTampered', message: 'It was changed.' };
const unguarded: View['namespace'] = { uid: 'namespace-uid', guarded: false, terminating: false };
const ending: View['namespace'] = { uid: 'namespace-uid', guarded: true, terminating: true };
const two = [record(1, 'Previous', 'a'), record(2, 'Current', 'b')] as const;
const { rotate, rollbackTo, revoke, adopt } = ANNOTATIONS;

const thief = { name: 'thief', uid: 'thief-uid', account: 'default' };
const renamed = { delivery: { secret: { name: 'maker-secret' } } };
const deliveredAs = (secretName: string) => ({
  observedGeneration: 1,
  delivery: {
    secretName,
    secretUid: `${secretName}-uid`,
    version: 1,
    deliveredAt: '2026-11-01T00:00:00Z',
  },
});

describe('decide', () => {
  describe('pods that may not use what would be delivered', () => {
    const prepared = { target: { kind: 'absent' }, podsWithoutRight: [thief] } as const;
    table([
      ['withhold the first delivery', viewOf(prepared), nothing],
      [
        'do not withhold it once they are gone',
        viewOf({ ...prepared, podsWithoutRight: [] }),
        { kind: 'createSecret', version: 1 },
      ],
      [
        'withhold a new name, and the former one stays',
        viewOf({
          ...prepared,
          spec: renamed,
          status: deliveredAs('former'),
          orphans: [secretNamed('former')],
        }),
        nothing,
      ],
      [
        'withhold no repair of what is delivered',
        viewOf({ ...prepared, status: deliveredAs('maker-secret') }),
        { kind: 'createSecret', version: 1 },
      ],
      [
        'withhold no rotation',
        viewOf({ podsWithoutRight: [thief], entry: entryWith(two), source: sealedValue('b') }),
        { kind: 'applySecret', version: 2, secret: target, repairs: [] },
      ],
      [
        'keep no withdrawal from happening',
        viewOf({ podsWithoutRight: [thief], spec: { state: 'Suspended' } }),
        { kind: 'withdrawSecret', secret: target, because: 'State' },
      ],
    ]);
  });

  describe('a healthy credential', () => {
    table([
      ['is left alone', viewOf(), nothing],
      ['without our finalizer gets it first', viewOf({ isHeld: false }), { kind: 'addFinalizer' }],
    ]);
  });

  describe('where nothing may be done, nothing is', () => {
    const eager = { entry: undefined, target: { kind: 'absent' } } as const;
    table([
      ['not guarded', viewOf({ ...eager, namespace: unguarded, isHeld: false }), nothing],
      ['terminating', viewOf({ ...eager, namespace: ending, isHeld: false }), nothing],
      ['namespace gone', viewOf({ ...eager, namespace: undefined, isHeld: false }), nothing],
      [
        'another environment',
        viewOf({
          ...eager,
          namespace: {
            uid: 'namespace-uid',
            guarded: true,
            terminating: false,
            environment: 'Staging',
          },
        }),
        nothing,
      ],
      ['vault at fault', viewOf({ vault: fault, target: { kind: 'absent' } }), nothing],
      [
        'a vault at fault leaves a damaged Secret as it is',
        viewOf({ vault: fault, target: ours(1, { differences: ['changed'] }) }),
        nothing,
      ],
      [
        'an entry of a former namespace',
        viewOf({
          entry: entryWith([record(1, 'Current', 'a')], { namespaceUid: 'former' }),
          target: { kind: 'absent' },
        }),
        nothing,
      ],
      [
        'an entry of another type',
        viewOf({
          entry: entryWith([record(1, 'Current', 'a')], {
            identity: {
              namespace: 'trading',
              name: 'maker',
              exchange: 'Hyperliquid',
              type: 'Password',
            },
          }),
          target: { kind: 'absent' },
        }),
        nothing,
      ],
    ]);
  });

  describe('adoption', () => {
    const former = entryWith([record(1, 'Current', 'a')], { namespaceUid: 'former' });
    table([
      [
        'with the uid of the former namespace',
        viewOf({ entry: former, annotations: { [adopt]: 'former' } }),
        { kind: 'adoptEntry', from: 'former' },
      ],
      ['not with another', viewOf({ entry: former, annotations: { [adopt]: 'other' } }), nothing],
      ['not where it is not needed', viewOf({ annotations: { [adopt]: 'former' } }), nothing],
    ]);
  });

  describe('taking from the source', () => {
    table([
      [
        'the first value',
        viewOf({ entry: undefined, target: { kind: 'absent' } }),
        { kind: 'stage' },
      ],
      ['a new value', viewOf({ source: sealedValue('b') }), { kind: 'stage' }],
      [
        'also while Suspended, so that resuming delivers the new one at once',
        viewOf({
          source: sealedValue('b'),
          spec: { state: 'Suspended' },
          target: { kind: 'absent' },
        }),
        { kind: 'stage' },
      ],
      [
        'the value of an older version is a new version',
        viewOf({
          entry: entryWith(two),
          source: sealedValue('a'),
          target: ours(2),
        }),
        { kind: 'stage' },
      ],
      [
        'not a value that was revoked',
        viewOf({
          entry: entryWith([record(1, 'Revoked', 'x'), record(2, 'Current', 'a')]),
          source: sealedValue('x'),
          target: ours(2),
        }),
        nothing,
      ],
      [
        'not a value whose revoked version was dropped',
        viewOf({
          entry: entryWith([record(2, 'Current', 'a')], { revokedFingerprints: ['x'] }),
          source: sealedValue('x'),
          target: ours(2),
        }),
        nothing,
      ],
      [
        'not the value that is held after a rollback',
        viewOf({
          entry: entryWith([record(1, 'Current', 'a'), record(2, 'Previous', 'b')], {
            heldFingerprint: 'b',
          }),
          source: sealedValue('b'),
        }),
        nothing,
      ],
      [
        'one that differs from the held one releases it',
        viewOf({
          entry: entryWith([record(1, 'Current', 'a'), record(2, 'Previous', 'b')], {
            heldFingerprint: 'b',
          }),
          source: sealedValue('c'),
        }),
        { kind: 'releaseHold' },
      ],
      ['not a missing one', viewOf({ source: { kind: 'missing', message: '' } }), nothing],
      ['not a refused one', viewOf({ source: { kind: 'refused', message: '' } }), nothing],
      [
        'generates the first value',
        viewOf({ entry: undefined, source: { kind: 'generate' }, target: { kind: 'absent' } }),
        { kind: 'stage' },
      ],
      [
        'generates it when a stop left an empty entry',
        viewOf({ entry: entryWith([]), source: { kind: 'generate' }, target: { kind: 'absent' } }),
        { kind: 'stage' },
      ],
      ['never generates a second one by itself', viewOf({ source: { kind: 'generate' } }), nothing],
      [
        'not even when the only one was revoked',
        viewOf({
          entry: entryWith([record(1, 'Revoked', 'a')]),
          source: { kind: 'generate' },
          target: { kind: 'absent' },
        }),
        nothing,
      ],
      [
        'or when all were dropped',
        viewOf({
          entry: entryWith([], { nextVersion: 4 }),
          source: { kind: 'generate' },
          target: { kind: 'absent' },
        }),
        nothing,
      ],
    ]);
  });

  describe('a staged version', () => {
    const staged = entryWith([record(1, 'Current', 'a'), record(2, 'Staged', 'b')]);
    table([
      [
        'is promoted when a stop came in between',
        viewOf({ entry: staged, source: sealedValue('b') }),
        { kind: 'promote', version: 2 },
      ],
      [
        'also when the source cannot be read now',
        viewOf({ entry: staged, source: { kind: 'missing', message: '' } }),
        { kind: 'promote', version: 2 },
      ],
      [
        'not when the source holds another value by now',
        viewOf({ entry: staged, source: sealedValue('c') }),
        { kind: 'failStaged', version: 2, because: 'Superseded' },
      ],
      [
        'not when its value was revoked meanwhile',
        viewOf({
          entry: entryWith([record(1, 'Revoked', 'b'), record(2, 'Staged', 'b')]),
          source: sealedValue('b'),
        }),
        { kind: 'failStaged', version: 2, because: 'ValueNotTaken' },
      ],
    ]);
  });

  describe('rotate', () => {
    const annotations = { [rotate]: 'r1' };
    table([
      [
        'generates a new value, which remembers the request',
        viewOf({ annotations, source: { kind: 'generate' } }),
        { kind: 'stage', reason: 'rotate/r1' },
      ],
      [
        'is closed when a version was made by it',
        viewOf({
          annotations,
          source: { kind: 'generate' },
          entry: entryWith([record(1, 'Current', 'a', { reason: 'rotate/r1' })]),
        }),
        { kind: 'closeRequest', request: 'rotate', id: 'r1' },
      ],
      [
        'is handled once',
        viewOf({ annotations, handled: { rotate: 'r1' }, source: { kind: 'generate' } }),
        nothing,
      ],
      [
        'of a source with nothing new says so',
        viewOf({ annotations }),
        { kind: 'reportNothingNew', id: 'r1', message: expect.any(String) as string },
      ],
      [
        'of a source that was removed says so',
        viewOf({ annotations, source: { kind: 'removed' } }),
        { kind: 'reportNothingNew', id: 'r1', message: expect.any(String) as string },
      ],
      [
        'waits for a source that cannot be read',
        viewOf({ annotations, source: { kind: 'missing', message: '' } }),
        nothing,
      ],
      [
        'of a Revoked credential is refused',
        viewOf({
          annotations,
          spec: { state: 'Revoked' },
          source: { kind: 'unread' },
          entry: entryWith([record(1, 'Revoked', 'a')]),
          target: { kind: 'absent' },
        }),
        {
          kind: 'refuseRequest',
          request: 'rotate',
          id: 'r1',
          message: expect.any(String) as string,
        },
      ],
    ]);
  });

  describe('roll back', () => {
    const back = {
      annotations: { [rollbackTo]: '1/x' },
      source: sealedValue('b'),
      target: ours(2),
    };
    table([
      [
        'makes the version current and holds what the source has',
        viewOf({ ...back, entry: entryWith(two) }),
        { kind: 'rollBack', version: 1, hold: 'b' },
      ],
      [
        'holds what the source had, when it cannot be read',
        viewOf({ ...back, entry: entryWith(two), source: { kind: 'missing', message: '' } }),
        { kind: 'rollBack', version: 1, hold: 'b' },
      ],
      [
        'holds nothing of a generated credential',
        viewOf({ ...back, entry: entryWith(two), source: { kind: 'generate' } }),
        { kind: 'rollBack', version: 1 },
      ],
      [
        'holds nothing when the source has the very value',
        viewOf({ ...back, entry: entryWith(two), source: sealedValue('a') }),
        { kind: 'rollBack', version: 1 },
      ],
      [
        'comes before a new value of the source is taken',
        viewOf({ ...back, entry: entryWith(two), source: sealedValue('c') }),
        { kind: 'rollBack', version: 1, hold: 'c' },
      ],
      [
        'is closed when the version is current',
        viewOf({ annotations: { [rollbackTo]: '1' } }),
        { kind: 'closeRequest', request: 'rollbackTo', id: '1' },
      ],
    ]);
    it.each<VersionState>(['Revoked', 'Failed', 'Staged'])(
      'to a %s version is refused',
      (state) => {
        const entry = entryWith([record(1, state, 'z'), record(2, 'Current', 'b')]);
        expect(decide(viewOf({ ...back, entry }))).toMatchObject({
          kind: 'refuseRequest',
          message: expect.stringContaining(state),
        });
      },
    );
    it('to a version whose value was revoked in another one is refused', () => {
      const entry = entryWith([
        record(1, 'Previous', 'z'),
        record(2, 'Current', 'b'),
        record(3, 'Revoked', 'z'),
      ]);
      expect(decide(viewOf({ ...back, entry }))).toMatchObject({ kind: 'refuseRequest' });
    });
    it.each(['9', 'one', '0', '-1', '1.5', '/x'])('to "%s" is refused', (value) => {
      const view = viewOf({
        annotations: { [rollbackTo]: value },
        entry: entryWith(two),
        target: ours(2),
      });
      expect(decide(view)).toMatchObject({ kind: 'refuseRequest', id: value });
    });
  });

  describe('revoke', () => {
    table([
      [
        'ends the version',
        viewOf({ annotations: { [revoke]: '1' } }),
        { kind: 'revokeVersions', versions: [1] },
      ],
      [
        'ends every version of that value',
        viewOf({
          annotations: { [revoke]: '1' },
          entry: entryWith([
            record(1, 'Retired', 'a'),
            record(2, 'Previous', 'b'),
            record(3, 'Current', 'a'),
          ]),
        }),
        { kind: 'revokeVersions', versions: [1, 3] },
      ],
      [
        'is closed when that is done',
        viewOf({ annotations: { [revoke]: '1' }, entry: entryWith([record(1, 'Revoked', 'a')]) }),
        { kind: 'closeRequest', request: 'revoke', id: '1' },
      ],
      [
        'works where nothing new may be delivered',
        viewOf({
          annotations: { [revoke]: '1' },
          namespace: {
            uid: 'namespace-uid',
            guarded: true,
            terminating: false,
            environment: 'Staging',
          },
        }),
        { kind: 'revokeVersions', versions: [1] },
      ],
      [
        'leaves nothing to deliver, so the Secret is withdrawn',
        viewOf({ entry: entryWith([record(1, 'Revoked', 'a')]) }),
        { kind: 'withdrawSecret', secret: target, because: 'NoVersion' },
      ],
      [
        'of an unknown version is refused',
        viewOf({ annotations: { [revoke]: '5' } }),
        {
          kind: 'refuseRequest',
          request: 'revoke',
          id: '5',
          message: 'Version 5 is not in the vault; there are 1.',
        },
      ],
    ]);
  });

  describe('delivery', () => {
    table([
      [
        'makes the Secret',
        viewOf({ target: { kind: 'absent' } }),
        { kind: 'createSecret', version: 1 },
      ],
      [
        'finishes a Secret that was made and not applied',
        viewOf({ target: ours(undefined) }),
        { kind: 'applySecret', version: 1, secret: target, repairs: [] },
      ],
      [
        'brings it to the current version',
        viewOf({ entry: entryWith(two), source: sealedValue('b'), target: ours(1) }),
        { kind: 'applySecret', version: 2, secret: target, repairs: [] },
      ],
      [
        'puts back what was edited by hand, and says what',
        viewOf({
          status: {
            observedGeneration: 1,
            delivery: {
              secretName: 'maker-secret',
              secretUid: target.uid,
              version: 1,
              deliveredAt: '2026-11-24T00:00:00Z',
            },
          },
          target: ours(1, { differences: ['data key "KEY" was changed'] }),
        }),
        {
          kind: 'applySecret',
          version: 1,
          secret: target,
          repairs: ['data key "KEY" was changed'],
        },
      ],
      [
        'does not call it a repair when the spec was changed',
        viewOf({
          generation: 2,
          status: { observedGeneration: 1 },
          target: ours(1, { differences: ['label "desk" was changed'] }),
        }),
        { kind: 'applySecret', version: 1, secret: target, repairs: [] },
      ],
      [
        'applies a new spec even where no difference can be seen',
        viewOf({ generation: 2, status: { observedGeneration: 1 } }),
        { kind: 'applySecret', version: 1, secret: target, repairs: [] },
      ],
      [
        'once',
        viewOf({
          generation: 2,
          status: { observedGeneration: 1 },
          target: ours(1, { isApplied: true }),
        }),
        nothing,
      ],
      [
        'deletes what cannot be mended',
        viewOf({ target: ours(1, { unmendable: true }) }),
        { kind: 'withdrawSecret', secret: target, because: 'Unmendable' },
      ],
      [
        'leaves a foreign Secret alone',
        viewOf({ target: { kind: 'foreign', name: 'maker-secret' } }),
        nothing,
      ],
      [
        'withdraws the Secret of a former name after the new one is there',
        viewOf({ orphans: [secretNamed('old')] }),
        { kind: 'withdrawSecret', secret: secretNamed('old'), because: 'Renamed' },
      ],
      [
        'but keeps it while the new name is taken by somebody else',
        viewOf({
          orphans: [secretNamed('old')],
          target: { kind: 'foreign', name: 'maker-secret' },
        }),
        nothing,
      ],
    ]);
  });

  describe('states', () => {
    table([
      [
        'Suspended withdraws',
        viewOf({ spec: { state: 'Suspended' } }),
        { kind: 'withdrawSecret', secret: target, because: 'State' },
      ],
      [
        'also Secrets of former names',
        viewOf({
          spec: { state: 'Suspended' },
          target: { kind: 'absent' },
          orphans: [secretNamed('old')],
        }),
        { kind: 'withdrawSecret', secret: secretNamed('old'), because: 'State' },
      ],
      [
        'and does so whatever happened to the vault',
        viewOf({ spec: { state: 'Suspended' }, vault: fault }),
        { kind: 'withdrawSecret', secret: target, because: 'State' },
      ],
      [
        'and then keeps the versions',
        viewOf({ spec: { state: 'Suspended' }, target: { kind: 'absent' } }),
        nothing,
      ],
      [
        'Suspended leaves a foreign Secret alone',
        viewOf({ spec: { state: 'Suspended' }, target: { kind: 'foreign', name: 'maker-secret' } }),
        nothing,
      ],
      [
        'Revoked ends the versions first',
        viewOf({ spec: { state: 'Revoked' } }),
        { kind: 'revokeAll', because: 'State' },
      ],
      [
        'then withdraws',
        viewOf({ spec: { state: 'Revoked' }, entry: entryWith([record(1, 'Revoked', 'a')]) }),
        { kind: 'withdrawSecret', secret: target, because: 'State' },
      ],
      [
        'Revoked takes nothing',
        viewOf({
          spec: { state: 'Revoked' },
          entry: entryWith([record(1, 'Revoked', 'a')]),
          target: { kind: 'absent' },
          source: sealedValue('b'),
        }),
        nothing,
      ],
    ]);
  });

  describe('afterImport', () => {
    const deletes = {
      source: { secretRef: { name: 'import-me', afterImport: 'Delete' as const } },
    };
    table([
      [
        'Delete, once the value is stored and delivered',
        viewOf({ spec: deletes, source: importedValue('a') }),
        { kind: 'deleteSource', version: 1, secret: secretNamed('import-me') },
      ],
      [
        'not while it cannot be delivered',
        viewOf({
          spec: deletes,
          source: importedValue('a'),
          target: { kind: 'foreign', name: 'maker-secret' },
        }),
        nothing,
      ],
      [
        'not a value that is not taken',
        viewOf({
          spec: deletes,
          source: importedValue('x'),
          entry: entryWith([record(1, 'Current', 'a')], { revokedFingerprints: ['x'] }),
        }),
        nothing,
      ],
      [
        'not unless asked',
        viewOf({
          spec: { source: { secretRef: { name: 'import-me' } } },
          source: importedValue('a'),
        }),
        nothing,
      ],
    ]);
  });

  describe('deletion', () => {
    const deleted = { isDeleted: true, source: { kind: 'unread' } } as const;
    const gone = { ...deleted, target: { kind: 'absent' } } as const;
    table([
      [
        'withdraws the Secret first',
        viewOf({ ...deleted }),
        { kind: 'withdrawSecret', secret: target, because: 'Deletion' },
      ],
      [
        'and those of former names',
        viewOf({ ...gone, orphans: [secretNamed('old')] }),
        { kind: 'withdrawSecret', secret: secretNamed('old'), because: 'Deletion' },
      ],
      ['Retain keeps the entry', viewOf({ ...gone }), { kind: 'removeFinalizer' }],
      [
        'Revoke ends the versions',
        viewOf({ ...gone, spec: { deletionPolicy: 'Revoke' } }),
        { kind: 'revokeAll', because: 'Deletion' },
      ],
      [
        'then lets go',
        viewOf({
          ...gone,
          spec: { deletionPolicy: 'Revoke' },
          entry: entryWith([record(1, 'Revoked', 'a')]),
        }),
        { kind: 'removeFinalizer' },
      ],
      [
        'Delete removes the entry',
        viewOf({ ...gone, spec: { deletionPolicy: 'Delete' } }),
        { kind: 'removeEntry' },
      ],
      [
        'Delete does not remove that of a former namespace',
        viewOf({
          ...gone,
          spec: { deletionPolicy: 'Delete' },
          entry: entryWith([record(1, 'Current', 'a')], { namespaceUid: 'former' }),
        }),
        { kind: 'removeFinalizer' },
      ],
      [
        'Delete waits while the entry is at fault',
        viewOf({ ...gone, spec: { deletionPolicy: 'Delete' }, vault: fault }),
        nothing,
      ],
      [
        'Retain does not wait for it',
        viewOf({ ...gone, vault: fault }),
        { kind: 'removeFinalizer' },
      ],
      [
        'a namespace on its way out never waits',
        viewOf({
          ...deleted,
          target: { kind: 'unread' },
          spec: { deletionPolicy: 'Delete' },
          vault: fault,
          namespace: ending,
        }),
        { kind: 'removeFinalizer' },
      ],
      [
        'a namespace that is not guarded any more leaves the Secret to its owner reference',
        viewOf({ ...deleted, target: { kind: 'unread' }, namespace: unguarded }),
        { kind: 'removeFinalizer' },
      ],
      [
        'without our finalizer is none of our business',
        viewOf({ ...deleted, isHeld: false }),
        nothing,
      ],
    ]);
  });

  describe('old versions', () => {
    it('go by the rule of spec.history', () => {
      const entry = entryWith([
        record(1, 'Retired', 'z', { changedAt: '2026-01-01T00:00:00Z' }),
        record(2, 'Previous', 'y'),
        record(3, 'Current', 'a'),
      ]);
      const view = viewOf({ entry, target: ours(3), spec: { history: { keepVersions: 2 } } });
      expect(decide(view)).toEqual({ kind: 'dropVersions', versions: [1] });
    });
  });
});
