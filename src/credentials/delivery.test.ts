import { describe, expect, it } from 'vitest';
import { API_VERSION } from '#api/names.ts';
import type { ObjectMeta, Secret } from '#kube/objects.ts';
import type { CredentialFields } from '#vault/secret-bytes.ts';
import { credentialLabel, inspectTarget } from './delivery.ts';
import { credentialOf, record } from './testing/views.ts';

/** A fingerprint that says what it is of, so that tables can be read. */
function fingerprint(fields: CredentialFields) {
  const entries = [...fields].map(([name, value]) => [name, `${name}=${value.utf8()}`] as const);
  return { fingerprint: '', fieldFingerprints: Object.fromEntries(entries) };
}

const owner = {
  apiVersion: API_VERSION,
  kind: 'ExchangeCredential',
  name: 'maker',
  uid: 'maker-uid',
  controller: true,
};
const version = record(1, 'Current', '', {
  fields: ['privateKey'],
  fieldFingerprints: { privateKey: 'privateKey=a' },
});

function secretOf(more: Partial<Secret> = {}, metadata: Partial<ObjectMeta> = {}): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'Opaque',
    metadata: {
      name: 'maker-secret',
      uid: 'secret-uid',
      resourceVersion: '7',
      labels: { 'strongroom.dev/credential': 'maker', desk: 'mm' },
      annotations: { 'strongroom.dev/version': '1' },
      ownerReferences: [owner],
      ...metadata,
    },
    data: { KEY: Buffer.from('a').toString('base64') },
    ...more,
  };
}

const credential = credentialOf({
  spec: {
    delivery: {
      secret: { name: 'maker-secret', keys: { privateKey: 'KEY' }, labels: { desk: 'mm' } },
    },
  },
});
const look = (secret: Secret | undefined, subject = credential) =>
  inspectTarget(subject, version, secret, fingerprint);
const a = Buffer.from('a').toString('base64');
const b = Buffer.from('b').toString('base64');

describe('inspectTarget', () => {
  it('finds nothing wrong with a Secret as it should be', () => {
    expect(look(secretOf())).toEqual({
      kind: 'ours',
      secret: { name: 'maker-secret', uid: 'secret-uid', resourceVersion: '7' },
      version: 1,
      isApplied: false,
      unmendable: false,
      differences: [],
    });
  });

  it.each<readonly [string, Secret, readonly string[]]>([
    ['a changed value', secretOf({ data: { KEY: b } }), ['data key "KEY" was changed']],
    ['a removed key', secretOf({ data: {} }), ['data key "KEY" was removed']],
    ['an added key', secretOf({ data: { KEY: a, X: a } }), ['data key "X" was added']],
    [
      'labels that were changed or removed',
      secretOf({}, { labels: { desk: 'other', theirs: 'x' } }),
      ['label "desk" was changed', 'label "strongroom.dev/credential" was changed'],
    ],
  ])('names %s', (_, secret, differences) => {
    expect(look(secret)).toMatchObject({ kind: 'ours', differences });
  });

  it.each([
    ['another type', secretOf({ type: 'kubernetes.io/tls' })],
    ['immutable', secretOf({ immutable: true })],
  ])('cannot mend %s', (_, secret) => {
    expect(look(secret)).toMatchObject({ kind: 'ours', unmendable: true });
  });

  it.each<readonly [string, Partial<ObjectMeta>, string | undefined]>([
    ['without an owner', { ownerReferences: [] }, undefined],
    [
      'of a tool that says so',
      { ownerReferences: [], labels: { 'app.kubernetes.io/managed-by': 'Helm' } },
      'what Helm manages',
    ],
    [
      'of another controller',
      { ownerReferences: [{ ...owner, kind: 'Certificate', name: 'web', apiVersion: 'x/v1' }] },
      'Certificate web',
    ],
    [
      'of another credential',
      { ownerReferences: [{ ...owner, name: 'taker', uid: 'taker-uid' }] },
      'ExchangeCredential taker',
    ],
    [
      'of a credential of our name that was deleted',
      { ownerReferences: [{ ...owner, uid: 'former-uid' }] },
      'ExchangeCredential maker',
    ],
    [
      'that we own, but do not control',
      { ownerReferences: [{ ...owner, controller: false }] },
      undefined,
    ],
    [
      'of another group with our kind and uid',
      { ownerReferences: [{ ...owner, apiVersion: 'evil.dev/v1alpha1' }] },
      'ExchangeCredential maker',
    ],
  ])('leaves a Secret %s alone', (_, metadata, whose) => {
    expect(look(secretOf({}, metadata))).toEqual({
      kind: 'foreign',
      name: 'maker-secret',
      ...(whose === undefined ? {} : { owner: whose }),
    });
  });

  it('knows its own Secret by uid when somebody took the owner off', () => {
    const delivery = {
      secretName: 'maker-secret',
      secretUid: 'secret-uid',
      version: 1,
      deliveredAt: '2026-11-24T00:00:00Z',
    };
    const subject = { ...credential, status: { delivery } };
    expect(look(secretOf({}, { ownerReferences: [] }), subject)).toMatchObject({
      kind: 'ours',
      differences: ['its owner was removed'],
    });
    // But not one that somebody else owns by now.
    const taken = { ownerReferences: [{ ...owner, kind: 'Certificate', apiVersion: 'x/v1' }] };
    expect(look(secretOf({}, taken), subject)).toMatchObject({ kind: 'foreign' });
  });
});

describe('credentialLabel', () => {
  it('keeps names that a label can hold, and shortens the others without confusing them', () => {
    expect(credentialLabel('a'.repeat(63))).toBe('a'.repeat(63));
    const [x, y] = [credentialLabel(`${'a'.repeat(90)}x`), credentialLabel(`${'a'.repeat(90)}y`)];
    expect(x.length).toBeLessThanOrEqual(63);
    expect(x).not.toBe(y);
  });
});
