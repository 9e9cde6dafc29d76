import { describe, expect, it } from 'vitest';
import { ANNOTATIONS } from '#api/names.ts';
import type { VersionState } from '#vault/entry.ts';
import { readRequests } from './requests.ts';
import { buildStatus } from './status.ts';
import { entryWith, importedValue, NOW, ours, record, viewOf } from './testing/views.ts';
import type { View } from './view.ts';

const status = (view: View) =>
  buildStatus({ view, findings: [], resealed: undefined, consumers: undefined });
const deliveredAt = '2026-11-24T00:00:00Z';
const delivery = {
  secretName: 'maker-secret',
  secretUid: 'maker-secret-uid',
  version: 1,
  deliveredAt,
};

describe('buildStatus', () => {
  it('lists the newest hundred versions, and those in use wherever they are', () => {
    const versions = Array.from({ length: 150 }, (_, i) => {
      const state: VersionState = i === 3 ? 'Current' : i === 5 ? 'Previous' : 'Retired';
      return record(i + 1, state, `v${i}`);
    });
    const listed = status(viewOf({ entry: entryWith(versions) })).versions ?? [];
    expect(listed).toHaveLength(100);
    expect(listed.slice(0, 3).map(({ version }) => version)).toEqual([4, 6, 53]);
    expect(listed.at(-1)?.version).toBe(150);
  });

  it('never carries fingerprints', () => {
    const entry = entryWith([record(1, 'Current', 'fingerprint-canary')]);
    expect(JSON.stringify(status(viewOf({ entry })))).not.toContain('fingerprint-canary');
  });

  it('keeps what an entry that cannot be trusted was known to be', () => {
    const known = { currentVersion: 4, vaultRevision: 9, versions: [] };
    const vault: View['vault'] = { kind: 'fault', reason: 'VaultTampered', message: '' };
    expect(status(viewOf({ vault, status: known }))).toMatchObject(known);
  });

  it.each<readonly [string, View, string | undefined]>([
    ['stays with its version', viewOf({ status: { delivery } }), deliveredAt],
    [
      'is now for a new version',
      viewOf({ status: { delivery }, target: ours(2) }),
      new Date(NOW).toISOString(),
    ],
    [
      'is now for a Secret made anew',
      viewOf({ status: { delivery: { ...delivery, secretUid: 'former' } } }),
      new Date(NOW).toISOString(),
    ],
    [
      'goes with the Secret',
      viewOf({ status: { delivery }, target: { kind: 'absent' } }),
      undefined,
    ],
    [
      'stays while it cannot be seen',
      viewOf({ status: { delivery }, target: { kind: 'unread' } }),
      deliveredAt,
    ],
  ])('the time of delivery %s', (_, view, expected) => {
    expect(status(view).delivery?.deliveredAt).toBe(expected);
  });

  it.each<readonly [string, View, unknown]>([
    [
      'once it is stored',
      viewOf({ source: importedValue('a') }),
      { imported: { secretUid: 'import-me-uid', resourceVersion: '7' } },
    ],
    ['not before', viewOf({ source: importedValue('b') }), undefined],
  ])('names the imported Secret %s', (_, view, expected) => {
    expect(status(view).source).toEqual(expected);
  });
});

describe('readRequests', () => {
  it.each([
    ['3', { id: '3', version: 3 }],
    ['3/again', { id: '3/again', version: 3 }],
    [' 3 ', { id: '3', version: 3 }],
    ['0', { id: '0', version: undefined }],
    ['-1', { id: '-1', version: undefined }],
    ['1e3', { id: '1e3', version: undefined }],
    ['9999999999', { id: '9999999999', version: undefined }],
    ['3/', { id: '3/', version: undefined }],
    ['latest', { id: 'latest', version: undefined }],
    ['', undefined],
    ['   ', undefined],
  ])('reads "%s"', (value, expected) => {
    expect(readRequests({ [ANNOTATIONS.rollbackTo]: value }).rollbackTo).toEqual(expected);
  });

  it.each<[string, string, unknown]>([
    [
      'by what they asked for',
      '{"strongroom.dev/rotate":{"username":"ann","uid":"1","groups":["desk"]},"spec.state":{"username":"bob"}}',
      { rotate: { username: 'ann', uid: '1', groups: ['desk'] }, state: { username: 'bob' } },
    ],
    ['not where it names nobody', '{"strongroom.dev/rotate":{"username":""}}', {}],
    ['not what is no object', '{"strongroom.dev/rotate":"ann"}', {}],
    [
      'without what is no list of groups',
      '{"strongroom.dev/revoke":{"username":"ann","groups":[1]}}',
      { revoke: { username: 'ann' } },
    ],
    ['not what is not known', '{"strongroom.dev/other":{"username":"ann"}}', {}],
    ['nobody from a list', '[]', {}],
    ['nobody from null', 'null', {}],
    ['nobody from no JSON', 'ann', {}],
  ])('reads requesters %s', (_, stamps, expected) => {
    expect(readRequests({ [ANNOTATIONS.requestedBy]: stamps }).requesters).toEqual(expected);
    expect(readRequests({}).requesters).toEqual({});
  });

  it('cuts off what status could not hold', () => {
    const long = 'x'.repeat(100_000);
    const requests = readRequests({ [ANNOTATIONS.rotate]: long, [ANNOTATIONS.reason]: long });
    expect(requests.rotate).toHaveLength(512);
    expect(requests.reason).toHaveLength(512);
  });
});
