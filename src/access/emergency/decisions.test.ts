import { describe, expect, it } from 'vitest';
import { ANNOTATIONS } from '#api/names.ts';
import { authenticDecisions, createdBy, isSecondReason } from './decisions.ts';
import {
  STAMP_KEY,
  decision,
  decisionsAnnotation,
  emergencyAccess,
  stamped,
} from './testing/builders.ts';

function read(entries: unknown) {
  const text = typeof entries === 'string' ? entries : JSON.stringify(entries);
  return authenticDecisions(
    emergencyAccess({}, undefined, { [ANNOTATIONS.decisions]: text }),
    STAMP_KEY,
  );
}

describe('authenticDecisions', () => {
  const approve = decision('approve', 'bob');

  it('reads what admission stamped, in order', () => {
    const deny = decision('deny', 'dave');
    const access = emergencyAccess({}, undefined, decisionsAnnotation([approve, deny]));
    expect(authenticDecisions(access, STAMP_KEY)).toEqual([approve, deny]);
  });

  it('reads a decision of somebody without uid and groups', () => {
    const { uid: _uid, groups: _groups, ...bare } = approve;
    expect(read([stamped(bare)])).toEqual([bare]);
  });

  it.each([
    ['another key', [stamped(approve, undefined, new Uint8Array(32).fill(8))]],
    ['another object of the same name', [stamped(approve, 'another-uid')]],
    ['another person', [{ ...stamped(approve), username: 'mallory' }]],
    ['another act', [{ ...stamped(decision('deny', 'bob')), act: 'approve' }]],
    ['another reason', [{ ...stamped(approve), reason: 'none' }]],
    ['another time', [{ ...stamped(approve), at: '2026-11-26T10:00:59Z' }]],
    ['other groups', [{ ...stamped(approve), groups: ['system:masters'] }]],
    ['no stamp', [approve]],
    ['an empty stamp', [{ ...approve, mac: '' }]],
    ['an unknown act', [{ ...stamped(approve), act: 'bless' }]],
    ['no time', [{ ...stamped({ ...approve, at: 'soon' }) }]],
    ['nobody', [stamped({ ...approve, username: '' })]],
    ['no JSON', '[{'],
    ['no list', { '0': stamped(approve) }],
    ['entries that are none', [null, 1, 'approve', []]],
  ])('leaves out one with %s', (_, entries) => {
    expect(read(entries)).toEqual([]);
  });

  it('counts a decision once that is written twice', () => {
    expect(read([stamped(approve), stamped(approve)])).toEqual([approve]);
  });

  it('keeps the authentic ones beside forged ones', () => {
    expect(read([{ ...stamped(approve), username: 'mallory' }, stamped(approve)])).toEqual([
      approve,
    ]);
  });
});

describe('createdBy', () => {
  it.each([
    ['{"username":"carol","uid":"u","groups":["a"]}', { username: 'carol', uid: 'u' }],
    ['{"username":"carol"}', { username: 'carol' }],
    ['{"username":""}', undefined],
    ['{"name":"carol"}', undefined],
    ['carol', undefined],
    ['null', undefined],
  ])('reads %s', (text, expected) => {
    const access = emergencyAccess({}, undefined, { [ANNOTATIONS.createdBy]: text });
    expect(createdBy(access)).toEqual(expected);
  });
});

describe('isSecondReason', () => {
  const access = emergencyAccess();
  it.each([
    ['nobody else is awake, and the position grows', true],
    ['short', false],
    [access.spec.reason, false],
    [` ${access.spec.reason} `, false],
    ['                          ', false],
  ])('%s', (reason, expected) => {
    expect(isSecondReason(reason, access)).toBe(expected);
  });
});
