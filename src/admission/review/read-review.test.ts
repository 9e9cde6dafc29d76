import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { bytesOf, reviewOf } from '../testing/reviews.ts';
import type { Json } from '../testing/reviews.ts';
import { MAX_NESTING, readReview } from './read-review.ts';

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';
const POD = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'maker', namespace: 'trading', labels: { app: 'maker' } },
  spec: { containers: [{ name: 'maker', image: 'maker:1' }] },
};

function readParts(parts: Json) {
  return readReview(bytesOf(reviewOf(parts)));
}

function pod(metadata: Json): Json {
  return { ...POD, metadata: { ...POD.metadata, ...metadata } };
}

describe('what is read', () => {
  test('a create', () => {
    expect(readReview(bytesOf(reviewOf()))).toEqual({
      ok: true,
      request: {
        uid: UID,
        kind: { group: '', version: 'v1', kind: 'Pod' },
        resource: { group: '', version: 'v1', resource: 'pods' },
        name: 'maker',
        namespace: 'trading',
        operation: 'CREATE',
        userInfo: {
          username: 'alice',
          uid: 'a11ce',
          groups: ['desk', 'system:authenticated'],
          extra: { 'example.com/session': ['7'] },
        },
        object: POD,
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
        dryRun: false,
      },
    });
  });

  test.each<[string, Json, Json]>([
    [
      'without groups, none',
      { userInfo: { username: 'alice' } },
      { userInfo: { username: 'alice', groups: [] } },
    ],
    [
      'groups null',
      { userInfo: { username: 'a', groups: null, extra: null, uid: '' } },
      { userInfo: { username: 'a', groups: [] } },
    ],
    [
      'extra without values',
      { userInfo: { username: 'a', extra: { k: null } } },
      { userInfo: { username: 'a', groups: [], extra: { k: [] } } },
    ],
    ['without dryRun, no dry run', { dryRun: null }, { dryRun: false }],
    ['a dry run', { dryRun: true }, { dryRun: true }],
    [
      'an update',
      { operation: 'UPDATE', oldObject: POD },
      { operation: 'UPDATE', object: POD, oldObject: POD },
    ],
    [
      'of a delete only the old object',
      { operation: 'DELETE', oldObject: POD },
      { object: undefined, oldObject: POD },
    ],
    [
      'a delete of a collection',
      { operation: 'DELETE', name: undefined },
      { name: '', object: undefined, oldObject: undefined },
    ],
    ['of a create only the new object', { oldObject: POD }, { oldObject: undefined }],
    [
      'an object of the cluster',
      { namespace: undefined, object: pod({ namespace: undefined }) },
      { namespace: undefined },
    ],
    [
      'a name to be made up',
      { name: '', object: pod({ name: undefined, generateName: 'maker-' }) },
      { name: '', object: pod({ name: '', generateName: 'maker-' }) },
    ],
    [
      'nulls of metadata as absent',
      { object: pod({ creationTimestamp: null, labels: null, ownerReferences: null }) },
      { object: { ...POD, metadata: { name: 'maker', namespace: 'trading' } } },
    ],
    [
      'a subresource under another name',
      { subResource: 'token', object: pod({ name: 'other', namespace: 'elsewhere' }) },
      { subResource: 'token' },
    ],
    [
      'a kind of a group',
      {
        kind: { group: 'strongroom.dev', version: 'v1alpha1', kind: 'IPBlock' },
        object: {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'IPBlock',
          metadata: { name: 'maker' },
        },
      },
      {
        object: {
          apiVersion: 'strongroom.dev/v1alpha1',
          kind: 'IPBlock',
          metadata: { name: 'maker' },
        },
      },
    ],
    [
      'a CONNECT with options that have no metadata',
      {
        operation: 'CONNECT',
        subResource: 'exec',
        kind: { group: '', version: 'v1', kind: 'PodExecOptions' },
        object: { apiVersion: 'v1', kind: 'PodExecOptions', command: ['sh'] },
      },
      {
        object: {
          apiVersion: 'v1',
          kind: 'PodExecOptions',
          command: ['sh'],
          metadata: { name: '' },
        },
      },
    ],
  ])('%s', (_, parts, expected) => {
    const outcome = readParts(parts);
    expect(outcome).toMatchObject({ ok: true });
    if (!outcome.ok) return;
    const read = outcome.request as unknown as Json;
    for (const [name, value] of Object.entries(expected)) expect(read[name]).toEqual(value);
  });
});

describe('what is refused', () => {
  test.each<[string, unknown]>([
    ['another version', { ...reviewOf(), apiVersion: 'admission.k8s.io/v1beta1' }],
    ['another kind', { ...reviewOf(), kind: 'ConversionReview' }],
    ['no version', { ...reviewOf(), apiVersion: undefined }],
    ['no request', { ...reviewOf(), request: null }],
    ['a list', [reviewOf()]],
    ['a string', 'x'],
    ['null', null],
  ])('a review with %s', (_, review) => {
    expect(readReview(bytesOf(review))).toMatchObject({ ok: false, status: 400 });
  });

  test.each<[string, Json, string]>([
    ['an unknown operation', { operation: 'PATCH' }, 'request.operation'],
    ['an operation that every object has', { operation: 'constructor' }, 'request.operation'],
    ['no operation', { operation: undefined }, 'request.operation'],
    ['a kind that is text', { kind: 'Pod' }, 'request.kind'],
    ['a kind without a version', { kind: { group: '', kind: 'Pod' } }, 'request.kind.version'],
    [
      'a resource without a name',
      { resource: { group: '', version: 'v1' } },
      'request.resource.resource',
    ],
    ['a subresource that is no text', { subResource: 7 }, 'request.subResource'],
    ['a name that is no text', { name: ['x'] }, 'request.name'],
    ['a long name', { name: 'x'.repeat(1025) }, 'request.name'],
    ['a namespace that is no text', { namespace: {} }, 'request.namespace'],
    ['a long namespace', { namespace: 'x'.repeat(254) }, 'request.namespace'],
    ['no user', { userInfo: undefined }, 'request.userInfo'],
    ['a user without a name', { userInfo: { groups: [] } }, 'request.userInfo.username'],
    ['a user with an empty name', { userInfo: { username: '' } }, 'request.userInfo.username'],
    [
      'groups that are text',
      { userInfo: { username: 'a', groups: 'system:masters' } },
      'request.userInfo.groups',
    ],
    [
      'groups that are an object',
      { userInfo: { username: 'a', groups: { 0: 'g', length: 1 } } },
      'request.userInfo.groups',
    ],
    [
      'a group that is no text',
      { userInfo: { username: 'a', groups: [['system:masters']] } },
      'request.userInfo.groups',
    ],
    [
      'a long group',
      { userInfo: { username: 'a', groups: ['g'.repeat(4097)] } },
      'request.userInfo.groups',
    ],
    [
      'too many groups',
      { userInfo: { username: 'a', groups: Array.from({ length: 10_001 }, String) } },
      'request.userInfo.groups',
    ],
    ['extra that is text', { userInfo: { username: 'a', extra: 'x' } }, 'request.userInfo.extra'],
    [
      'extra with a number',
      { userInfo: { username: 'a', extra: { k: [1] } } },
      'request.userInfo.extra',
    ],
    ['dryRun as text', { dryRun: 'false' }, 'request.dryRun'],
    ['dryRun as a number', { dryRun: 0 }, 'request.dryRun'],
    ['options as text', { options: 'x' }, 'request.options'],
    ['a create without an object', { object: null }, 'request.object'],
    ['an update without an old object', { operation: 'UPDATE' }, 'request.oldObject'],
    ['a CONNECT without options', { operation: 'CONNECT', object: null }, 'request.object'],
    ['an object that is a list', { object: [POD] }, 'request.object'],
    ['an object of another kind', { object: { ...POD, kind: 'Secret' } }, 'request.object'],
    ['an object of another version', { object: { ...POD, apiVersion: 'v2' } }, 'request.object'],
    ['an object without a kind', { object: { metadata: {} } }, 'request.object'],
    ['an object of another name', { object: pod({ name: 'other' }) }, 'request.object'],
    ['an object of another namespace', { object: pod({ namespace: 'other' }) }, 'request.object'],
    [
      'an object of a namespace where the review has none',
      { namespace: undefined },
      'request.object',
    ],
    [
      'an old object of another name',
      { operation: 'UPDATE', oldObject: pod({ name: 'other' }) },
      'request.oldObject',
    ],
    ['metadata that is text', { object: { ...POD, metadata: 'x' } }, 'request.object.metadata'],
    [
      'a name in metadata that is no text',
      { object: pod({ name: 7 }) },
      'request.object.metadata.name',
    ],
    [
      'labels that are a list',
      { object: pod({ labels: ['a'] }) },
      'request.object.metadata.labels',
    ],
    [
      'a label that is no text',
      { object: pod({ labels: { a: 1 } }) },
      'request.object.metadata.labels',
    ],
    [
      'a label that is null',
      { object: pod({ labels: { a: null } }) },
      'request.object.metadata.labels',
    ],
    [
      'an annotation that is an object',
      { object: pod({ annotations: { a: {} } }) },
      'request.object.metadata.annotations',
    ],
    [
      'finalizers that are text',
      { object: pod({ finalizers: 'x' }) },
      'request.object.metadata.finalizers',
    ],
    [
      'owners that are no objects',
      { object: pod({ ownerReferences: ['x'] }) },
      'request.object.metadata.ownerReferences',
    ],
    [
      'an owner without a uid',
      { object: pod({ ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'x' }] }) },
      'request.object.metadata.ownerReferences',
    ],
    [
      'an owner that controls by text',
      {
        object: pod({
          ownerReferences: [
            { apiVersion: 'v1', kind: 'Pod', name: 'x', uid: 'u', controller: 'true' },
          ],
        }),
      },
      'request.object.metadata.ownerReferences',
    ],
    [
      'a generation that is text',
      { object: pod({ generation: '1' }) },
      'request.object.metadata.generation',
    ],
  ])('a request with %s', (_, parts, place) => {
    const outcome = readParts(parts);
    expect(outcome).toMatchObject({ ok: false, uid: UID, status: 400 });
    expect(outcome).toHaveProperty('message', expect.stringContaining(place));
  });

  test.each([
    ['no uid', { uid: undefined }],
    ['an empty uid', { uid: '' }],
    ['a uid that is no text', { uid: 7 }],
    ['a long uid', { uid: 'x'.repeat(257) }],
  ])('a request with %s, and nothing is repeated', (_, parts) => {
    const outcome = readParts(parts);
    expect(outcome).toMatchObject({ ok: false, status: 400 });
    expect(outcome).not.toHaveProperty('uid');
  });

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['no JSON', Buffer.from('{"apiVersion":')],
    ['two values', Buffer.from('{}{}')],
    ['no UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), bytesOf(reviewOf())])],
    ['UTF-16', Buffer.from(JSON.stringify(reviewOf()), 'utf16le')],
    ['zeros', Buffer.alloc(4096)],
  ])('%s', (_, body) => {
    expect(readReview(body)).toMatchObject({ ok: false, status: 400 });
  });

  test('what is nested too deep, wherever it is', () => {
    const nested = (depth: number): string =>
      JSON.stringify(reviewOf({ options: { deep: 'HERE' } })).replace(
        '"HERE"',
        '['.repeat(depth) + ']'.repeat(depth),
      );
    // The review, the request and the options are three levels themselves.
    expect(readReview(Buffer.from(nested(MAX_NESTING - 3)))).toMatchObject({ ok: true });
    expect(readReview(Buffer.from(nested(MAX_NESTING - 2)))).toMatchObject({ ok: false });
    expect(readReview(Buffer.from(nested(2_000_000)))).toMatchObject({ ok: false });
    expect(readReview(Buffer.from('['.repeat(2_000_000)))).toMatchObject({ ok: false });
  });

  test('brackets in strings are no nesting', () => {
    const text = '[{"\\'.repeat(10_000);
    expect(readParts({ object: pod({ annotations: { text } }) })).toMatchObject({ ok: true });
  });

  test('a message never quotes what was found', () => {
    const secret = 's3cret-value';
    for (const parts of [
      { operation: secret },
      { object: { ...POD, kind: secret } },
      { object: pod({ name: secret }) },
      { object: pod({ labels: { [secret]: 1 } }) },
      { userInfo: { username: 'a', extra: { [secret]: [1] } } },
      { dryRun: secret },
    ]) {
      const outcome = readParts(parts);
      expect(outcome).toMatchObject({ ok: false });
      expect(JSON.stringify(outcome)).not.toContain(secret);
    }
  });
});

describe('names that objects of the language have', () => {
  test('__proto__ and constructor change nothing and stand for nothing', () => {
    const text = JSON.stringify(reviewOf()).replace(
      '"labels":{',
      '"__proto__":{"labels":{"polluted":"yes"}},"constructor":{"prototype":{"polluted":"yes"}},"labels":{"__proto__":"x",',
    );
    const outcome = readReview(Buffer.from(text));
    expect(outcome).toMatchObject({ ok: true });
    expect(({} as Json)['polluted']).toBeUndefined();
    if (!outcome.ok) return;
    const { metadata } = outcome.request.object ?? {};
    expect(metadata?.labels?.['polluted']).toBeUndefined();
    expect(metadata?.labels?.['app']).toBe('maker');
    expect(Object.getPrototypeOf(metadata)).toBe(Object.prototype);
  });

  test.each(['request', 'uid', 'operation', 'userInfo', 'username', 'object'])(
    'a %s that is only inherited is none',
    (name) => {
      const text = JSON.stringify(reviewOf());
      const at = text.indexOf(`"${name}":`);
      const hidden = `${text.slice(0, at)}"__proto__":{"${name}":"x"},"x${text.slice(at + 1)}`;
      expect(readReview(Buffer.from(hidden))).toMatchObject({ ok: false });
    },
  );

  test('of a member that stands twice the last one counts, as to the API server', () => {
    const text = JSON.stringify(reviewOf()).replace(
      '"username":"alice"',
      '"username":"root","username":"alice"',
    );
    expect(readReview(Buffer.from(text))).toMatchObject({
      ok: true,
      request: { userInfo: { username: 'alice' } },
    });
  });
});

describe('anything at all', () => {
  const body = JSON.stringify(reviewOf({ operation: 'UPDATE', oldObject: POD }));

  test('never throws on bytes, and says yes only to whole reviews', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(readReview(bytes).ok).toBe(false);
      }),
      { numRuns: 2000 },
    );
  });

  test('never throws on JSON in place of any member', () => {
    const paths = pathsOf(JSON.parse(body) as Json);
    fc.assert(
      fc.property(fc.constantFrom(...paths), fc.jsonValue({ maxDepth: 3 }), (path, value) => {
        const review = JSON.parse(body) as Json;
        put(review, path, value);
        const outcome = readReview(bytesOf(review));
        expect(isWhole(outcome)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });

  test('never throws on a review with bytes changed, cut or repeated', () => {
    const original = Buffer.from(body);
    const at = fc.nat({ max: original.length });
    fc.assert(
      fc.property(at, at, fc.uint8Array({ maxLength: 8 }), (from, to, bytes) => {
        const changed = Buffer.concat([original.subarray(0, from), bytes, original.subarray(to)]);
        const outcome = readReview(changed);
        expect(isWhole(outcome)).toBe(true);
      }),
      { numRuns: 5000 },
    );
  });
});

/** A refusal, or a request all of whose members have their types. */
function isWhole(outcome: ReturnType<typeof readReview>): boolean {
  if (!outcome.ok) return outcome.status === 400;
  const { uid, operation, userInfo, dryRun, namespace, object, oldObject } = outcome.request;
  const texts = [uid, userInfo.username, namespace ?? '', ...userInfo.groups];
  for (const { metadata } of [object, oldObject].filter((one) => one !== undefined)) {
    const { name, labels = {}, annotations = {}, finalizers = [], ownerReferences = [] } = metadata;
    texts.push(name, ...Object.values(labels), ...Object.values(annotations), ...finalizers);
    texts.push(...ownerReferences.map((owner) => owner.uid));
  }
  return (
    texts.every((text) => typeof text === 'string') &&
    ['CREATE', 'UPDATE', 'DELETE', 'CONNECT'].includes(operation) &&
    typeof dryRun === 'boolean'
  );
}

function pathsOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== 'object' || value === null) return [path];
  const below = Object.entries(value).flatMap(([key, inner]) => pathsOf(inner, [...path, key]));
  return path.length === 0 ? below : [path, ...below];
}

function put(target: Json, path: readonly string[], value: unknown): void {
  const [first = '', ...rest] = path;
  if (rest.length === 0) target[first] = value;
  else put(target[first] as Json, rest, value);
}
