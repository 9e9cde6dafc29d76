import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { policyOf } from '#access/testing/builders.ts';
import { ANNOTATIONS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { decideAdmission } from './decide-admission.ts';
import { checkStamps, createdByOf } from './identity-stamp.ts';
import { faultOfDecisions } from './emergency-decisions.ts';
import { droppedStamps, escapePointer, mutateAdmission } from './mutate-admission.ts';
import type { AdmissionRequest, UserInfo } from './request.ts';
import { ALICE, MASTER, OPERATOR, credentialOf, requestFor } from './testing/core-objects.ts';
import {
  STAMP_KEY,
  annotated,
  blockOf,
  contextOf,
  emergencyOf,
  mutated,
  requestOf,
  userOf,
} from './testing/own-objects.ts';

const CONTEXT = contextOf();
const patchOf = (request: AdmissionRequest) => mutateAdmission(request, CONTEXT, STAMP_KEY);
const annotationsOf = (request: AdmissionRequest) =>
  mutated(request, CONTEXT).object?.metadata.annotations ?? {};
const bare = (object: KubeObject | ReturnType<typeof credentialOf>) => ({
  ...object,
  metadata: { name: 'x', namespace: 'trading' },
});

describe('who created an object', () => {
  const by: UserInfo = {
    username: 'alice@example.com',
    uid: 'a1',
    groups: ['desk/mm', 'a~b', 'system:authenticated'],
    extra: {
      'example.com/scopes': ['x', 'y'],
      'authentication.kubernetes.io/credential-id': ['z'],
    },
  };

  test.each(
    [credentialOf('x'), policyOf(), blockOf(), emergencyOf()].map((one) => [one.kind, one]),
  )('stands on every %s, whatever the client wrote', (_, object) => {
    const own = {
      username: 'alice@example.com',
      uid: 'a1',
      groups: ['desk/mm', 'a~b', 'system:authenticated'],
      extra: {
        'authentication.kubernetes.io/credential-id': ['z'],
        'example.com/scopes': ['x', 'y'],
      },
    };
    for (const sent of [
      bare(object),
      annotated(bare(object), { a: 'b' }),
      annotated(bare(object), { [ANNOTATIONS.createdBy]: '{"username":"bob"}' }),
    ]) {
      const annotations = annotationsOf(requestOf({ by, after: sent }));
      expect(JSON.parse(annotations[ANNOTATIONS.createdBy] ?? '')).toEqual(own);
    }
    expect(
      annotationsOf(requestOf({ by, after: annotated(bare(object), { a: 'b' }) })),
    ).toMatchObject({ a: 'b' });
  });

  test('stays on an update, also where it was missing', () => {
    const before = annotated(credentialOf('x'), { [ANNOTATIONS.createdBy]: createdByOf(by) });
    for (const value of [undefined, '{"username":"bob"}', '']) {
      const after = annotated(before, { [ANNOTATIONS.createdBy]: value });
      const request = requestOf({ by: userOf('bob'), before, after });
      expect(annotationsOf(request)[ANNOTATIONS.createdBy]).toBe(createdByOf(by));
    }
    const after = annotated(credentialOf('x'), { [ANNOTATIONS.createdBy]: 'forged' });
    const request = requestOf({ by, before: credentialOf('x'), after });
    expect(annotationsOf(request)[ANNOTATIONS.createdBy]).toBeUndefined();
  });

  test('is bounded: what is too much is left away, and said to be', () => {
    const groups = Array.from({ length: 300 }, (_, place) => `group-${place}`);
    const extra = { 'example.com/x': ['y'.repeat(9000)] };
    const some = JSON.parse(createdByOf({ username: 'a', groups: ['g'], extra })) as object;
    expect(some).toEqual({ username: 'a', groups: ['g'], truncated: true });
    const many = createdByOf({ username: 'a', uid: 'u', groups: [...groups, 'z'.repeat(9000)] });
    expect(JSON.parse(many)).toEqual({ username: 'a', uid: 'u', truncated: true });
    expect(createdByOf({ username: 'a', uid: '', groups, extra: {} }).length).toBeLessThan(8192);
  });
});

describe('who asked for what', () => {
  const read = (request: AdmissionRequest): Record<string, { username: string }> =>
    JSON.parse(annotationsOf(request)[ANNOTATIONS.requestedBy] ?? '{}') as never;
  const MAKER = credentialOf('maker');

  test('stands by annotation, each with who set it', () => {
    const first =
      mutated(
        requestOf({
          by: userOf('ann'),
          before: MAKER,
          after: annotated(MAKER, { [ANNOTATIONS.rotate]: '1', [ANNOTATIONS.reason]: 'leak' }),
        }),
        CONTEXT,
      ).object ?? MAKER;
    const request = requestOf({
      by: userOf('bob'),
      before: first,
      after: annotated(first, { [ANNOTATIONS.revoke]: '2' }),
    });
    expect(Object.entries(read(request)).map(([name, { username }]) => [name, username])).toEqual([
      [ANNOTATIONS.rotate, 'ann'],
      [ANNOTATIONS.revoke, 'bob'],
      [ANNOTATIONS.reason, 'ann'],
    ]);
    const second = mutated(request, CONTEXT).object ?? MAKER;
    const again = requestOf({
      by: userOf('cid'),
      before: second,
      after: annotated(second, { [ANNOTATIONS.rotate]: '3', [ANNOTATIONS.revoke]: undefined }),
    });
    expect(Object.entries(read(again)).map(([name, { username }]) => [name, username])).toEqual([
      [ANNOTATIONS.rotate, 'cid'],
      [ANNOTATIONS.reason, 'ann'],
    ]);
  });

  test('also of spec.state, and of an object that is created with it', () => {
    const after = credentialOf('maker', { state: 'Suspended' });
    expect(
      read(requestOf({ by: userOf('ann'), before: MAKER, after }))['spec.state']?.username,
    ).toBe('ann');
    expect(read(requestOf({ by: userOf('ann'), after }))['spec.state']?.username).toBe('ann');
    expect(read(requestOf({ by: userOf('ann'), after: MAKER }))).toEqual({});
    const created = annotated(MAKER, { [ANNOTATIONS.rotate]: '1' });
    expect(
      read(requestOf({ by: userOf('ann'), after: created }))[ANNOTATIONS.rotate]?.username,
    ).toBe('ann');
  });

  test('is put back where somebody writes it', () => {
    const before =
      mutated(
        requestOf({ by: userOf('ann'), after: annotated(MAKER, { [ANNOTATIONS.rotate]: '1' }) }),
        CONTEXT,
      ).object ?? MAKER;
    const forged = JSON.stringify({ [ANNOTATIONS.rotate]: { username: 'bob' } });
    for (const value of [undefined, forged, 'no JSON', '[]']) {
      const after = annotated(before, { [ANNOTATIONS.requestedBy]: value });
      expect(
        read(requestOf({ by: userOf('eve'), before, after }))[ANNOTATIONS.rotate]?.username,
      ).toBe('ann');
    }
    const after = annotated(MAKER, { [ANNOTATIONS.requestedBy]: forged });
    expect(
      annotationsOf(requestOf({ by: userOf('eve'), before: MAKER, after }))[
        ANNOTATIONS.requestedBy
      ],
    ).toBeUndefined();
    const other = annotated(blockOf(), { [ANNOTATIONS.requestedBy]: forged });
    expect(
      annotationsOf(requestOf({ by: userOf('eve'), after: other }))[ANNOTATIONS.requestedBy],
    ).toBeUndefined();
  });
});

describe('what is left alone', () => {
  const MAKER = credentialOf('maker');
  test.each<[string, AdmissionRequest]>([
    ['deletions', requestOf({ by: ALICE, before: MAKER })],
    ['status', requestOf({ by: ALICE, before: MAKER, after: MAKER, subResource: 'status' })],
    [
      'what the operator updates',
      requestOf({
        by: OPERATOR,
        before: MAKER,
        after: annotated(MAKER, { [ANNOTATIONS.rotationDue]: 'x' }),
      }),
    ],
    ['Secrets', requestFor('secrets', { object: {} })],
    ['an update that changes nothing', requestOf({ by: ALICE, before: MAKER, after: MAKER })],
    [
      'a pod that is changed',
      requestFor('pods', { operation: 'UPDATE', object: { spec: {} }, oldObject: {} }),
    ],
    [
      'subresources of pods',
      requestFor('pods', {
        operation: 'UPDATE',
        subResource: 'ephemeralcontainers',
        object: { spec: {} },
        oldObject: {},
      }),
    ],
    [
      'kinds of others in our group',
      {
        ...requestOf({ by: ALICE, after: MAKER }),
        kind: { group: 'strongroom.dev', version: 'v1alpha1', kind: 'Other' },
      },
    ],
  ])('%s', (_, request) => {
    expect(patchOf(request)).toEqual([]);
  });
});

describe('the label of a pod', () => {
  const labelsOf = (object: Readonly<Record<string, unknown>>) =>
    mutated(requestFor('pods', { object }), CONTEXT).object?.metadata.labels;

  test.each<[string, Readonly<Record<string, unknown>>, object | undefined]>([
    [
      'its ServiceAccount',
      { spec: { serviceAccountName: 'maker' } },
      { 'strongroom.dev/service-account': 'maker' },
    ],
    ['default where it names none', { spec: {} }, { 'strongroom.dev/service-account': 'default' }],
    [
      'beside its own labels',
      { metadata: { labels: { app: 'x' } }, spec: { serviceAccountName: 'maker' } },
      { app: 'x', 'strongroom.dev/service-account': 'maker' },
    ],
    [
      'instead of a lie',
      {
        metadata: { labels: { 'strongroom.dev/service-account': 'other' } },
        spec: { serviceAccountName: 'maker' },
      },
      { 'strongroom.dev/service-account': 'maker' },
    ],
    ['none that does not fit', { spec: { serviceAccountName: 'a'.repeat(64) } }, undefined],
    ['without a spec', {}, { 'strongroom.dev/service-account': 'default' }],
  ])('is %s', (_, object, labels) => {
    expect(labelsOf(object)).toEqual(labels);
  });
});

test.each(
  [credentialOf('x'), policyOf(), blockOf(), emergencyOf()].map((one) => [one.kind, one] as const),
)('what is not written by it is refused on any %s, whoever asks', (_, object) => {
  const forged = '{"username":"bob"}';
  for (const by of [ALICE, MASTER]) {
    const created = requestOf({
      by,
      after: annotated(object, { [ANNOTATIONS.createdBy]: forged }),
    });
    expect(decideAdmission(created, CONTEXT).reason).toBe('Immutable');
    const missing = requestOf({
      by,
      after: annotated(object, { [ANNOTATIONS.createdBy]: undefined }),
    });
    expect(decideAdmission(missing, CONTEXT).reason).toBe('Invalid');
    const before = annotated(object, { [ANNOTATIONS.createdBy]: createdByOf(ALICE) });
    for (const annotations of [
      { [ANNOTATIONS.createdBy]: forged },
      { [ANNOTATIONS.createdBy]: undefined },
      { [ANNOTATIONS.requestedBy]: forged },
    ]) {
      const changed = requestOf({ by, before, after: annotated(before, annotations) });
      expect(decideAdmission(changed, CONTEXT).reason).toBe('Immutable');
    }
  }
});

test('names are escaped as JSON pointers', () => {
  expect(escapePointer('strongroom.dev/created-by')).toBe('strongroom.dev~1created-by');
  expect(escapePointer('a~/b')).toBe('a~0~1b');
  expect(escapePointer('~1')).toBe('~01');
});

describe('for whatever the client writes', () => {
  const names = fc.constantFrom(
    ANNOTATIONS.createdBy,
    ANNOTATIONS.requestedBy,
    ANNOTATIONS.decisions,
    ANNOTATIONS.rotate,
    ANNOTATIONS.approve,
    ANNOTATIONS.end,
    'example.com/a~b',
  );
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('[]', '{}', '[{}]', 'null', '{"strongroom.dev/rotate":{"username":"eve"}}'),
  );
  const annotations = fc.option(fc.dictionary(names, value, { noNullPrototype: true }), {
    nil: undefined,
  });
  const objects = fc
    .tuple(
      fc.constantFrom(credentialOf('x'), policyOf(), blockOf(), emergencyOf()),
      annotations,
      annotations,
      fc.boolean(),
    )
    .map(([object, before, after, isUpdate]) => {
      const of = (own: Record<string, string> | undefined) => ({
        ...object,
        metadata: { ...bare(object).metadata, uid: 'uid', ...(own && { annotations: own }) },
      });
      return { after: of(after), before: isUpdate ? of(before) : undefined };
    });
  const users = fc.constantFrom(ALICE, MASTER, userOf('x', 'y'));

  test('what is written is what is asked for, and a second call writes nothing', () => {
    fc.assert(
      fc.property(objects, users, fc.boolean(), (change, by, dryRun) => {
        const once = mutated(requestOf({ by, ...change, dryRun }), CONTEXT);
        expect(checkStamps(once)).toBeUndefined();
        // A creation that decides is refused by its rule, and other kinds have no decisions.
        const hasDecisions = once.operation === 'UPDATE' && once.kind.kind === 'EmergencyAccess';
        expect(hasDecisions ? faultOfDecisions(once) : undefined).toBeUndefined();
        const later = { ...CONTEXT, nowMs: CONTEXT.nowMs + 60_000 };
        expect(mutateAdmission(once, later, STAMP_KEY)).toEqual([]);
        const untouched = ({ metadata, ...rest }: KubeObject) => ({ ...rest, name: metadata.name });
        expect(untouched(once.object ?? change.after)).toEqual(untouched(change.after));
      }),
      { numRuns: 2000 },
    );
  });
});

describe('what a requester wrote and admission drops', () => {
  const remarksOf = (request: AdmissionRequest) => droppedStamps(request, patchOf(request));
  const before = annotated(emergencyOf(), {
    [ANNOTATIONS.createdBy]: createdByOf(userOf('carol')),
  });

  test.each([ANNOTATIONS.decisions, ANNOTATIONS.createdBy, ANNOTATIONS.requestedBy])(
    '%s is told',
    (name) => {
      const after = annotated(before, { [name]: '[{"act":"approve"}]' });
      const remarks = remarksOf(requestOf({ by: userOf('bob'), before, after }));
      expect(remarks).toEqual([
        expect.stringContaining(`annotation ${name} is written by admission alone`),
      ]);
      expect(remarks[0]?.length).toBeLessThanOrEqual(256);
    },
  );

  test('is nothing where it was left as it was, or another annotation is set', () => {
    const stamped = annotated(before, { [ANNOTATIONS.requestedBy]: 'who asked before' });
    const after = annotated(stamped, { [ANNOTATIONS.approve]: 'seen in the call' });
    for (const one of [
      stamped,
      after,
      annotated(stamped, { [ANNOTATIONS.requestedBy]: undefined }),
    ]) {
      expect(remarksOf(requestOf({ by: userOf('bob'), before: stamped, after: one }))).toEqual([]);
    }
    const fresh = requestOf({ by: userOf('bob'), after: bare(emergencyOf()) });
    expect(remarksOf(fresh)).toEqual([]);
  });
});
