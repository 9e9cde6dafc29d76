import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import { policyOf } from '#access/testing/builders.ts';
import { arbitraryIdentity, arbitraryPolicies } from '#access/testing/arbitraries.ts';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { ANNOTATIONS, FINALIZER } from '#api/names.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Pod } from '#kube/objects.ts';
import type { UserInfo } from '../request.ts';
import type { Verdict } from '../verdict.ts';
import { OPERATOR, controller, credentialOf } from '../testing/core-objects.ts';
import {
  activeEmergency,
  annotated,
  contextOf,
  giving,
  mutated,
  requestOf,
  review,
  userOf,
} from '../testing/own-objects.ts';
import type { Change } from '../testing/own-objects.ts';
import { checkStamps } from '../identity-stamp.ts';

const NOBODY = userOf('nobody');
const READER = userOf('reader');
const WRITER = userOf('writer');
const ADMIN = userOf('admin');
const EVERYBODY = [NOBODY, READER, WRITER, ADMIN];
const CONTEXT = contextOf({
  policies: [
    giving('reader', 'AccessSecrets', 'Read'),
    giving('writer', 'AccessSecrets', 'Write'),
    giving('admin', 'AccessSecrets', 'Admin'),
  ],
});

const MAKER = credentialOf('maker');
type Meta = Readonly<Record<string, unknown>>;
const withMeta = (object: ExchangeCredential, metadata: Meta) => ({
  ...object,
  metadata: { ...object.metadata, ...metadata },
});
const OWNERS = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'x', uid: 'x' }];
const update = (
  after: object,
  before: object = MAKER,
): { readonly before: object; readonly after: object } => ({ before, after });

function isWellTold({ message = '', reason, code }: Verdict, { username }: UserInfo): boolean {
  return (
    reason === 'NotGranted' &&
    code === 403 &&
    message.includes('ExchangeCredential trading/maker') &&
    message.includes(username) &&
    /AccessSecrets at (Write|Admin|Emergency)/.test(message)
  );
}

describe('what an ExchangeCredential needs', () => {
  test.each<[string, Omit<Change, 'by'>, readonly UserInfo[]]>([
    ['create', { after: MAKER }, [WRITER, ADMIN]],
    [
      'create, suspended',
      { after: credentialOf('maker', { state: 'Suspended' }) },
      [WRITER, ADMIN],
    ],
    ['create, revoked', { after: credentialOf('maker', { state: 'Revoked' }) }, [ADMIN]],
    [
      'create, with a rotation',
      { after: annotated(MAKER, { [ANNOTATIONS.rotate]: '1' }) },
      [ADMIN],
    ],
    [
      'create, with a revocation',
      { after: annotated(MAKER, { [ANNOTATIONS.revoke]: '1' }) },
      [ADMIN],
    ],
    ['create, taking over', { after: annotated(MAKER, { [ANNOTATIONS.adopt]: 'uid' }) }, [ADMIN]],
    ['create, owned', { after: withMeta(MAKER, { ownerReferences: OWNERS }) }, [ADMIN]],
    ['nothing changed', update(MAKER), EVERYBODY],
    [
      'only what the server writes',
      update(withMeta(MAKER, { resourceVersion: '2', generation: 3, managedFields: [{}] })),
      EVERYBODY,
    ],
    ['account', update(credentialOf('maker', { account: '0x1' })), [WRITER, ADMIN]],
    [
      'source',
      update(credentialOf('maker', { source: { sealed: { privateKey: 'eyJ' } } })),
      [WRITER, ADMIN],
    ],
    [
      'deletion policy',
      update(credentialOf('maker', { deletionPolicy: 'Delete' })),
      [WRITER, ADMIN],
    ],
    ['labels', update(withMeta(MAKER, { labels: { desk: 'arb' } })), [WRITER, ADMIN]],
    [
      'an annotation of others',
      update(annotated(MAKER, { 'example.com/x': '1' })),
      [WRITER, ADMIN],
    ],
    [
      'reason alone',
      update(annotated(MAKER, { [ANNOTATIONS.reason]: 'because' })),
      [WRITER, ADMIN],
    ],
    ['rotate', update(annotated(MAKER, { [ANNOTATIONS.rotate]: '1' })), [ADMIN]],
    [
      'rotate, with a reason',
      update(annotated(MAKER, { [ANNOTATIONS.rotate]: '1', [ANNOTATIONS.reason]: 'leak' })),
      [ADMIN],
    ],
    ['rotate, taken back', update(MAKER, annotated(MAKER, { [ANNOTATIONS.rotate]: '1' })), [ADMIN]],
    ['roll back', update(annotated(MAKER, { [ANNOTATIONS.rollbackTo]: '1' })), [ADMIN]],
    ['revoke', update(annotated(MAKER, { [ANNOTATIONS.revoke]: '1' })), [ADMIN]],
    ['adopt', update(annotated(MAKER, { [ANNOTATIONS.adopt]: 'uid' })), [ADMIN]],
    [
      'the mark of a rotation that is due',
      update(MAKER, annotated(MAKER, { [ANNOTATIONS.rotationDue]: 'night' })),
      [ADMIN],
    ],
    ['suspend', update(credentialOf('maker', { state: 'Suspended' })), [ADMIN]],
    ['resume', update(MAKER, credentialOf('maker', { state: 'Suspended' })), [ADMIN]],
    ['revoke all', update(credentialOf('maker', { state: 'Revoked' })), [ADMIN]],
    ['state written out', update(credentialOf('maker', { state: 'Active' })), EVERYBODY],
    ['owners', update(withMeta(MAKER, { ownerReferences: OWNERS })), [ADMIN]],
    [
      'a finalizer of others',
      update(withMeta(MAKER, { finalizers: ['example.com/x'] })),
      [WRITER, ADMIN],
    ],
    [
      'level raised',
      update(credentialOf('maker', { minimumAccessLevel: 'Admin' })),
      [WRITER, ADMIN],
    ],
    [
      'level lowered from Write',
      update(MAKER, credentialOf('maker', { minimumAccessLevel: 'Write' })),
      [WRITER, ADMIN],
    ],
    [
      'level lowered from Admin',
      update(MAKER, credentialOf('maker', { minimumAccessLevel: 'Admin' })),
      [ADMIN],
    ],
    [
      'level lowered from Emergency',
      update(MAKER, credentialOf('maker', { minimumAccessLevel: 'Emergency' })),
      [],
    ],
    ['delete', { before: MAKER }, [ADMIN]],
    ['an old object that says no environment', update(MAKER, { ...MAKER, spec: {} }), [ADMIN]],
  ])('%s', (_, change, allowed) => {
    for (const by of EVERYBODY) {
      const verdict = review({ by, ...change }, CONTEXT);
      expect([by.username, verdict.allowed]).toEqual([by.username, allowed.includes(by)]);
      expect(verdict.allowed || isWellTold(verdict, by)).toBe(true);
      const dryRun = review({ by, ...change, dryRun: true }, CONTEXT);
      expect(dryRun).toEqual(verdict);
    }
  });

  test('the policies that decided are told', () => {
    expect(review({ by: WRITER, after: MAKER }, CONTEXT).policies).toEqual([
      'writer-accesssecrets-write',
    ]);
  });

  test.each<[string, Partial<AccessPolicySpec>, boolean]>([
    ['another environment', { environments: ['Staging'] }, false],
    ['another namespace', { credentials: { namespaces: ['research'] } }, false],
    ['its namespace', { credentials: { namespaces: ['trading'] } }, true],
    ['another exchange', { credentials: { exchanges: ['Binance'] } }, false],
    ['its name', { credentials: { names: ['maker'] } }, true],
  ])('a policy about %s', (_, spec, isAllowed) => {
    const context = contextOf({ policies: [giving('eve', 'AccessSecrets', 'Admin', spec)] });
    const eve = userOf('eve');
    expect(review({ by: eve, after: MAKER }, context).allowed).toBe(isAllowed);
    expect(review({ by: eve, before: MAKER }, context).allowed).toBe(isAllowed);
  });

  test('a Deny is told as what it is', () => {
    const deny = giving('admin', 'AccessSecrets', 'Write', { effect: 'Deny' });
    const context = contextOf({
      policies: [giving('admin', 'AccessSecrets', 'Admin'), { ...deny, metadata: { name: 'no' } }],
    });
    expect(review({ by: ADMIN, before: MAKER }, context)).toMatchObject({
      reason: 'Denied',
      policies: ['no'],
    });
  });

  test('nobody moves one into or out of their reach by its labels', () => {
    const spec = { credentials: { selector: { matchLabels: { desk: 'arb' } } } };
    const context = contextOf({ policies: [giving('eve', 'AccessSecrets', 'Admin', spec)] });
    const eve = userOf('eve');
    const arb = withMeta(MAKER, { labels: { desk: 'arb' } });
    expect(review({ by: eve, before: MAKER, after: arb }, context).allowed).toBe(false);
    expect(review({ by: eve, before: arb, after: MAKER }, context).allowed).toBe(false);
    const changed = { ...arb, spec: { ...arb.spec, account: '0x1' } };
    expect(review({ by: eve, before: arb, after: changed }, context).allowed).toBe(true);
    const both = { ...changed, metadata: MAKER.metadata };
    expect(
      review({ by: eve, before: MAKER, after: { ...both, metadata: arb.metadata } }, context)
        .allowed,
    ).toBe(false);
  });

  test('of many that are deleted at once each is judged by what it is', () => {
    const request = { ...requestOf({ by: WRITER, before: MAKER }), name: '' };
    const verdict = review(request, CONTEXT);
    expect(verdict.allowed).toBe(false);
    expect(verdict.message).toContain('trading/maker');
  });
});

describe('the environment of the namespace', () => {
  test.each([
    ['Production', 'Production', true],
    ['Staging', 'Production', false],
    [undefined, 'Production', true],
  ] as const)('namespace of %s, credential of %s', (environment, own, isAllowed) => {
    const namespace = { name: 'trading', isGuarded: true, ...(environment && { environment }) };
    const context = contextOf({
      policies: [giving('writer', 'AccessSecrets', 'Write')],
      namespaces: [environment === undefined ? { name: 'other' } : namespace],
    });
    const after = credentialOf('maker', { environment: own });
    const verdict = review({ by: WRITER, after }, context);
    expect(verdict.allowed).toBe(isAllowed);
    expect(verdict).toMatchObject(isAllowed ? {} : { reason: 'Invalid', code: 422 });
    const told = 'spec.environment is Production, but namespace trading is of Staging';
    expect(verdict.message ?? told).toContain(told);
  });

  test('one that does not fit already can still be suspended', () => {
    const context = contextOf({
      policies: [giving('admin', 'AccessSecrets', 'Admin')],
      namespaces: [{ name: 'trading', environment: 'Staging' }],
    });
    const after = credentialOf('maker', { state: 'Suspended' });
    expect(review({ by: ADMIN, before: MAKER, after }, context).allowed).toBe(true);
  });
});

describe('Secrets of other credentials', () => {
  const TAKER = credentialOf('taker', { source: { secretRef: { name: 'taker-import' } } });
  const policies = [
    giving('eve', 'AccessSecrets', 'Admin', { credentials: { names: ['copy'] } }),
    giving('admin', 'AccessSecrets', 'Admin'),
  ];
  const context = contextOf({ policies, credentials: [MAKER, TAKER] });
  const copy = (spec: Parameters<typeof credentialOf>[1]) => credentialOf('copy', spec);

  test.each<[string, object, string]>([
    [
      'imports a delivered Secret',
      copy({ source: { secretRef: { name: 'maker' } } }),
      'spec.source.secretRef.name',
    ],
    [
      'imports another one’s source',
      copy({ source: { secretRef: { name: 'taker-import' } } }),
      'spec.source.secretRef.name',
    ],
    [
      'delivers to the same Secret',
      copy({ delivery: { secret: { name: 'maker' } } }),
      'spec.delivery.secret.name',
    ],
  ])('%s', (_, after, field) => {
    const eve = review({ by: userOf('eve'), after }, context);
    expect(eve).toMatchObject({ allowed: false, reason: 'NotGranted' });
    expect(eve.message).toContain(field);
    expect(review({ by: ADMIN, after }, context).allowed).toBe(true);
    const before = copy({});
    expect(review({ by: userOf('eve'), before, after }, context).allowed).toBe(false);
    // What it named before is not asked about again.
    const changed = { ...after, spec: { ...(after as ExchangeCredential).spec, account: '1' } };
    expect(review({ by: userOf('eve'), before: after, after: changed }, context).allowed).toBe(
      true,
    );
  });

  test('its own Secrets are no others', () => {
    const after = { ...MAKER, spec: { ...MAKER.spec, account: '1' } };
    expect(review({ by: ADMIN, before: MAKER, after }, context).allowed).toBe(true);
  });
});

const sealedWith = (sealed: Readonly<Record<string, string>>, name = 'maker') =>
  credentialOf('maker', { source: { sealed }, delivery: { secret: { name } } });
const fedBy = (name: string, more = {}) =>
  credentialOf('maker', { source: { secretRef: { name, ...more } } });

/** Each field of the spec that an EmergencyAccess does not cover. */
const OUTLASTING: readonly (readonly [string, ExchangeCredential, ExchangeCredential])[] = [
  ['the account', MAKER, credentialOf('maker', { account: '1' })],
  ['the description', MAKER, credentialOf('maker', { description: 'x' })],
  ['the owner', MAKER, credentialOf('maker', { owner: 'bob' })],
  ['the exchange', MAKER, credentialOf('maker', { exchange: 'Phemex' })],
  ['the environment', MAKER, credentialOf('maker', { environment: 'Staging' })],
  ['the type', MAKER, credentialOf('maker', { type: 'ApiKey' })],
  ['the deletion policy', MAKER, credentialOf('maker', { deletionPolicy: 'Delete' })],
  ['the history', MAKER, credentialOf('maker', { history: { keepVersions: 1 } })],
  [
    'where it is delivered',
    MAKER,
    credentialOf('maker', { delivery: { secret: { name: 'maker-bob' } } }),
  ],
  [
    'the labels of its Secret',
    MAKER,
    credentialOf('maker', { delivery: { secret: { name: 'maker', labels: { a: 'b' } } } }),
  ],
  [
    'the keys of its Secret',
    MAKER,
    credentialOf('maker', { delivery: { secret: { name: 'maker', keys: { a: 'b' } } } }),
  ],
  ['no delivery', MAKER, credentialOf('maker', { delivery: {} })],
  ['another Secret as its source', fedBy('one'), fedBy('other')],
  ['what becomes of its source', fedBy('one'), fedBy('one', { afterImport: 'Delete' })],
  ['a Secret in place of sealed values', sealedWith({ key: 'a' }), fedBy('one')],
  ['sealed values in place of a Secret', fedBy('one'), sealedWith({ key: 'a' })],
  ['sealed values in place of one made', MAKER, sealedWith({ key: 'a' })],
  [
    'a Secret beside sealed values',
    sealedWith({ key: 'a' }),
    credentialOf('maker', { source: { sealed: { key: 'b' }, secretRef: { name: 'one' } } }),
  ],
];

const PLAIN = { noNullPrototype: true } as const;

describe('emergency access', () => {
  const alice = userOf('alice');
  const context = contextOf({ emergencyAccesses: [activeEmergency()] });
  const may = (change: Omit<Change, 'by'>, by = alice) => review({ by, ...change }, context);

  test.each<[string, Omit<Change, 'by'>, boolean]>([
    ['a new sealed value', update(sealedWith({ key: 'new' }), sealedWith({ key: 'old' })), true],
    [
      'sealed values of other fields',
      update(sealedWith({ key: 'a', secret: 'b' }), sealedWith({ key: 'a' })),
      true,
    ],
    ...OUTLASTING.map(([what, before, after]): [string, Omit<Change, 'by'>, boolean] => [
      `${what}, which outlasts it`,
      { before, after },
      false,
    ]),
    [
      'a new value together with where it goes',
      update(sealedWith({ key: 'new' }, 'maker-bob'), sealedWith({ key: 'old' })),
      false,
    ],
    [
      'rotate',
      update(annotated(MAKER, { [ANNOTATIONS.rotate]: '1', [ANNOTATIONS.reason]: 'why' })),
      true,
    ],
    ['a reason of nothing', update(annotated(MAKER, { [ANNOTATIONS.reason]: 'why' })), false],
    ['an annotation of others', update(annotated(MAKER, { other: 'x' })), false],
    ['roll back', update(annotated(MAKER, { [ANNOTATIONS.rollbackTo]: '1' })), true],
    ['revoke', update(annotated(MAKER, { [ANNOTATIONS.revoke]: '1' })), true],
    ['suspend', update(credentialOf('maker', { state: 'Suspended' })), true],
    ['delete', { before: MAKER }, false],
    ['create', { after: MAKER }, false],
    ['labels, which outlast it', update(withMeta(MAKER, { labels: {} })), false],
    [
      'the level, which outlasts it',
      update(MAKER, credentialOf('maker', { minimumAccessLevel: 'Admin' })),
      false,
    ],
    ['owners', update(withMeta(MAKER, { ownerReferences: OWNERS })), false],
    ['adopt', update(annotated(MAKER, { [ANNOTATIONS.adopt]: 'uid' })), false],
    [
      'the mark of a rotation',
      update(MAKER, annotated(MAKER, { [ANNOTATIONS.rotationDue]: 'night' })),
      false,
    ],
    [
      'another credential',
      update(credentialOf('taker', { state: 'Suspended' }), credentialOf('taker')),
      false,
    ],
  ])('%s', (_, change, isAllowed) => {
    const verdict = may(change);
    expect(verdict.allowed).toBe(isAllowed);
    expect(verdict.emergencyAccess).toBe(isAllowed ? 'night' : undefined);
    expect(may(change, userOf('bob')).allowed).toBe(false);
  });

  test('says that it does not cover what outlasts it', () => {
    const moved = credentialOf('maker', { delivery: { secret: { name: 'maker-bob' } } });
    expect(may(update(moved))).toMatchObject({ reason: 'NotGranted' });
    expect(may(update(moved)).message).toContain(
      'EmergencyAccess trading/night does not cover this, as it would outlast it: it covers new values in spec.source.sealed, spec.state, and the annotations strongroom.dev/rotate',
    );
    expect(may(update(moved), userOf('bob')).message).not.toContain('EmergencyAccess');
  });

  test('covers what kubectl writes beside a change, where it says what there is', () => {
    const applied = (spec: object) => ({
      'kubectl.kubernetes.io/last-applied-configuration': JSON.stringify({ spec }),
    });
    const sealed = (value: string): ExchangeCredential =>
      credentialOf('maker', { source: { sealed: { key: value } } });
    const before = annotated(sealed('old'), applied(sealed('old').spec));
    const after = (said: object): ExchangeCredential => annotated(sealed('new'), applied(said));
    expect(may({ before, after: after(sealed('new').spec) }).allowed).toBe(true);
    expect(may({ before, after: sealed('new') }).allowed).toBe(true);
    // What is not there would be taken away from the object by whoever applies next.
    for (const said of [sealed('other').spec, { minimumAccessLevel: 'Admin' }]) {
      expect(may({ before, after: after(said) }).allowed).toBe(false);
    }
    const text = annotated(sealed('new'), {
      'kubectl.kubernetes.io/last-applied-configuration': '{',
    });
    expect(may({ before, after: text }).allowed).toBe(false);
  });

  test('covers the reason that stands beside a change of the state', () => {
    const change = (state: 'Active' | 'Suspended') => ({
      before: MAKER,
      after: annotated(credentialOf('maker', { state }), { [ANNOTATIONS.reason]: 'key leaked' }),
    });
    expect(may(change('Suspended')).allowed).toBe(true);
    expect(may(change('Active')).allowed).toBe(false);
  });

  test('a new value is covered whatever else stays, and nothing else in the spec is', () => {
    const part = fc.record(
      {
        account: fc.constantFrom('1', '2'),
        owner: fc.constantFrom('a', 'b'),
        state: fc.constantFrom('Active' as const, 'Suspended' as const),
        source: fc.oneof(
          fc.record({ sealed: fc.record({ key: fc.constantFrom('x', 'y') }, PLAIN) }, PLAIN),
          fc.constantFrom({ generate: {} }, { secretRef: { name: 'one' } }),
        ),
        delivery: fc.record(
          { secret: fc.record({ name: fc.constantFrom('maker', 'maker-bob') }, PLAIN) },
          PLAIN,
        ),
      },
      { requiredKeys: ['source', 'delivery', 'owner'], ...PLAIN },
    );
    /** What may differ left out. */
    const rest = ({ spec: { state: _state, source, ...others } }: ExchangeCredential) =>
      JSON.stringify([others, 'sealed' in source ? 'sealed' : source]);
    fc.assert(
      fc.property(part, part, (one, other) => {
        const [before, after] = [credentialOf('maker', one), credentialOf('maker', other)];
        expect(may({ before, after }).allowed).toBe(rest(before) === rest(after));
      }),
    );
  });

  test.each<[string, Parameters<typeof activeEmergency>[0]]>([
    ['expired by the clock', { status: { expiresAt: new Date(0).toISOString() } }],
    ['ended', { status: { state: 'Revoked' } }],
    ['only approved', { status: { state: 'Approved' } }],
    ['about pods alone', { spec: { permissions: ['EmergencyOverride'] } }],
    ['of somebody else', { spec: { subject: { kind: 'User', name: 'bob' } } }],
  ])('does not count when %s', (_, parts) => {
    const other = contextOf({ emergencyAccesses: [activeEmergency(parts)] });
    const change = {
      by: alice,
      before: MAKER,
      after: credentialOf('maker', { state: 'Suspended' }),
    };
    expect(review(change, other).allowed).toBe(false);
  });

  test('tells whom it lets in what it does not cover', () => {
    const labels = update(withMeta(MAKER, { labels: {} }));
    expect(may(labels).message).toMatch(
      /to change metadata\.labels needs .* EmergencyAccess trading\/night does not cover this/,
    );
    expect(may(labels, userOf('bob')).message).not.toContain('EmergencyAccess');
  });

  test('is not told where a policy is enough', () => {
    const both = contextOf({
      policies: [giving('alice', 'AccessSecrets', 'Admin')],
      emergencyAccesses: [activeEmergency()],
    });
    const change = {
      by: alice,
      before: MAKER,
      after: credentialOf('maker', { state: 'Suspended' }),
    };
    expect(review(change, both).emergencyAccess).toBeUndefined();
  });
});

describe('who is not asked', () => {
  const HELD = withMeta(MAKER, { finalizers: [FINALIZER] });

  test.each<[string, UserInfo, Omit<Change, 'by'>]>([
    ['the operator takes its finalizer off', OPERATOR, update(MAKER, HELD)],
    [
      'the operator marks a rotation',
      OPERATOR,
      update(annotated(MAKER, { [ANNOTATIONS.rotationDue]: 'x' })),
    ],
    ['the namespace controller deletes', controller('namespace-controller'), { before: MAKER }],
    ['the garbage collector deletes', controller('generic-garbage-collector'), { before: MAKER }],
    [
      'the garbage collector takes owners off',
      controller('generic-garbage-collector'),
      update(MAKER, withMeta(MAKER, { ownerReferences: OWNERS, finalizers: ['orphan'] })),
    ],
    [
      'the migrator writes it again',
      controller('storage-version-migrator-controller'),
      update(withMeta(MAKER, { resourceVersion: '9' })),
    ],
  ])('%s', (_, by, change) => {
    expect(review({ by, ...change }, contextOf()).allowed).toBe(true);
  });

  test.each<[string, UserInfo, Omit<Change, 'by'>]>([
    [
      'the namespace controller changes',
      controller('namespace-controller'),
      update(credentialOf('maker', { account: '1' })),
    ],
    [
      'the garbage collector changes',
      controller('generic-garbage-collector'),
      update(credentialOf('maker', { account: '1' })),
    ],
    [
      'the migrator changes',
      controller('storage-version-migrator-controller'),
      update(credentialOf('maker', { account: '1' })),
    ],
    ['another controller deletes', controller('job-controller'), { before: MAKER }],
    [
      'one of that name elsewhere deletes',
      { ...controller('x'), username: 'system:serviceaccount:trading:namespace-controller' },
      { before: MAKER },
    ],
  ])('but not when %s', (_, by, change) => {
    expect(review({ by, ...change }, contextOf()).allowed).toBe(false);
  });

  test('nobody else takes the finalizer off', () => {
    const verdict = review({ by: ADMIN, before: HELD, after: MAKER }, CONTEXT);
    expect(verdict.allowed).toBe(false);
    expect(verdict.message).toContain(FINALIZER);
  });
});

describe('pods that use the name without the right', () => {
  const podOf = (name: string, account: string, secret = 'keys', phase = 'Running'): Pod => ({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'trading' },
    spec: {
      serviceAccountName: account,
      containers: [],
      imagePullSecrets: [{ name: secret }],
    },
    status: { phase },
  });
  const MAKER_ACCOUNT = { kind: 'ServiceAccount', namespace: 'trading', name: 'maker' } as const;
  const withPods = (...pods: readonly Pod[]) =>
    contextOf({
      policies: [
        giving('writer', 'AccessSecrets', 'Write'),
        giving('admin', 'AccessSecrets', 'Admin'),
        policyOf(
          {
            subjects: [MAKER_ACCOUNT],
            permissions: ['AccessSecrets'],
            accessLevel: 'Read',
            // Outside of its hours it may still be meant to have it.
            constraints: { times: [{ schedule: '0 3 * * *', duration: '1m' }] },
          },
          'maker',
        ),
      ],
      pods,
    });
  const THIEF = podOf('thief', 'default');
  const keys = (more: Partial<ExchangeCredential['spec']> = {}) =>
    credentialOf('maker', { delivery: { secret: { name: 'keys' } }, ...more });
  const judge = (change: Omit<Change, 'by'>, pods: readonly Pod[] = [THIEF], by = WRITER) =>
    review({ by, ...change }, withPods(...pods));

  test('keep nobody from creating the credential, who is warned', () => {
    const verdict = judge({ after: keys() });
    expect(verdict.allowed).toBe(true);
    expect(verdict.warnings?.join()).toContain('Pod thief (ServiceAccount default) uses it');
    expect(judge({ after: keys() }, [THIEF], NOBODY).warnings).toBeUndefined();
    expect(judge({ after: keys({ state: 'Suspended' }) }).warnings).toBeUndefined();
    const resume = { before: keys({ state: 'Suspended' }), after: keys() };
    const resumed = judge(resume, [THIEF], ADMIN);
    expect(resumed.warnings?.join()).toContain('thief');
  });

  test('keep a credential that works from getting that name', () => {
    const verdict = judge({ before: MAKER, after: keys() });
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotGranted', code: 403 });
    expect(verdict.message).toContain('Pod thief (ServiceAccount default) uses it already');
    expect(judge({ before: MAKER, after: keys() }, [THIEF], NOBODY).message).not.toContain('thief');
    expect(judge({ before: keys(), after: keys({ account: '1' }) })).toMatchObject({
      allowed: true,
    });
  });

  test.each<[string, readonly Pod[]]>([
    ['none', []],
    ['one that uses another name', [podOf('thief', 'default', 'other')]],
    ['one that has ended', [podOf('thief', 'default', 'keys', 'Succeeded')]],
    ['one whose account may, at some time', [podOf('bot', 'maker')]],
    [
      'one of another namespace',
      [{ ...THIEF, metadata: { name: 'thief', namespace: 'research' } }],
    ],
  ])('are none: %s', (_, pods) => {
    expect(judge({ before: MAKER, after: keys() }, pods).allowed).toBe(true);
    expect(judge({ after: keys() }, pods).warnings).toBeUndefined();
  });

  test('are told of for a source, which they know already', () => {
    const after = credentialOf('maker', { source: { secretRef: { name: 'keys' } } });
    for (const change of [{ after }, { before: MAKER, after }]) {
      const verdict = judge(change);
      expect(verdict.allowed).toBe(true);
      expect(verdict.warnings?.join()).toContain('is known to others: Pod thief');
    }
  });
});

describe('warnings', () => {
  const sealed = (length: number) =>
    credentialOf('maker', { source: { sealed: { privateKey: 'e'.repeat(length) } } });

  test('a sealed value near the limit is told once', () => {
    const [warning = ''] = review({ by: WRITER, after: sealed(60_000) }, CONTEXT).warnings ?? [];
    expect(warning).toContain('spec.source.sealed.privateKey has 60000 characters');
    expect(warning.length).toBeLessThanOrEqual(256);
    expect(review({ by: WRITER, after: sealed(100) }, CONTEXT).warnings).toBeUndefined();
    const after = { ...sealed(60_000), spec: { ...sealed(60_000).spec, account: '1' } };
    const again = review({ by: WRITER, before: sealed(60_000), after }, CONTEXT);
    expect(again).toMatchObject({ allowed: true });
    expect(again.warnings).toBeUndefined();
  });
});

describe('for all policies and people', () => {
  const spec = fc.record(
    {
      account: fc.constantFrom('1', '2'),
      exchange: fc.constantFrom('Hyperliquid' as const, 'Phemex' as const),
      environment: fc.constantFrom('Production' as const, 'Staging' as const),
      state: fc.constantFrom('Active' as const, 'Suspended' as const),
      minimumAccessLevel: fc.constantFrom('Read' as const, 'Admin' as const),
    },
    { noNullPrototype: true },
  );
  const labels = fc.record(
    { desk: fc.constantFrom('mm', 'arb') },
    { requiredKeys: [], noNullPrototype: true },
  );
  const credential = fc
    .tuple(spec, labels)
    .map(([parts, own]) => withMeta(credentialOf('maker', parts), { labels: own }));

  test('changing nothing needs nothing, and what changes needs both sides', () => {
    fc.assert(
      fc.property(
        arbitraryPolicies(),
        arbitraryIdentity,
        credential,
        credential,
        (policies, by, before, after) => {
          const context = contextOf({ policies, namespaces: [] });
          const user: UserInfo = { ...by, groups: [...by.groups] };
          expect(review({ by: user, before, after: before }, context).allowed).toBe(true);
          const verdict = review({ by: user, before, after }, context);
          expect(review({ by: user, before, after, dryRun: true }, context)).toEqual(verdict);
          const isChanged =
            JSON.stringify([before.spec, before.metadata.labels]) !==
            JSON.stringify([after.spec, after.metadata.labels]);
          if (!verdict.allowed || !isChanged) return;
          for (const one of [before, after]) {
            const decision = decide(context.world.policyIndex(), {
              identity: by,
              action: ACTIONS.update,
              target: { kind: 'Credential', credential: factsOf(one) },
              atMs: context.nowMs,
            });
            expect(decision.allowed).toBe(true);
          }
          // What an update makes of it, its creation would be let make too.
          expect(review({ by: user, after }, context).allowed).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });
});

test('stamps that others write are refused', () => {
  const request = mutated(requestOf({ by: WRITER, after: MAKER }), CONTEXT);
  expect(checkStamps(request)).toBeUndefined();
  const forged = annotated(request.object ?? MAKER, {
    [ANNOTATIONS.createdBy]: '{"username":"bob"}',
  });
  expect(checkStamps({ ...request, object: forged })).toMatchObject({ reason: 'Immutable' });
  const missing = annotated(request.object ?? MAKER, { [ANNOTATIONS.createdBy]: undefined });
  expect(checkStamps({ ...request, object: missing })).toMatchObject({ reason: 'Invalid' });
});
