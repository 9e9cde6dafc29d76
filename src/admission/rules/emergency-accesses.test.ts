import { describe, expect, test } from 'vitest';
import { NOW } from '#access/testing/builders.ts';
import type { EmergencyAccess, EmergencyState } from '#api/emergency-access.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { authenticDecisions } from '#access/emergency/decisions.ts';
import { MASTER, OPERATOR, SETTINGS, controller, credentialOf } from '../testing/core-objects.ts';
import {
  STAMP_KEY,
  activeEmergency,
  annotated,
  contextOf,
  emergencyOf,
  giving,
  mutated,
  requestOf,
  review,
  userOf,
} from '../testing/own-objects.ts';
import type { UserInfo } from '../request.ts';
import type { RuleContext } from '../rule.ts';
import { decideAdmission } from '../decide-admission.ts';

/** Alice is the subject, carol asked for it, dave and erin can approve. */
const POLICIES = [
  giving('alice', 'PlaceOrders', 'Read'),
  giving('carol', 'EmergencyOverride', 'Emergency'),
  giving('dave', 'EmergencyOverride', 'Emergency'),
  giving('erin', 'EmergencyOverride', 'Emergency'),
  giving('low', 'EmergencyOverride', 'Admin'),
  giving('away', 'EmergencyOverride', 'Emergency', { credentials: { namespaces: ['research'] } }),
  giving('dev', 'EmergencyOverride', 'Emergency', { environments: ['Development'] }),
  giving('auditor', 'ViewAuditLogs', 'Read'),
  giving('chief', 'PlaceOrders', 'Read', { permissions: [], roles: ['SecurityAdmin'] }),
  giving('responder', 'PlaceOrders', 'Read', { permissions: [], roles: ['EmergencyResponder'] }),
];
const MAKER = credentialOf('maker');
const CONTEXT = contextOf({ policies: POLICIES, credentials: [MAKER] });
const state = (at: EmergencyState, more: EmergencyAccess['status'] = {}) =>
  emergencyOf({ status: { state: at, ...more } });
const ENDED = activeEmergency({
  status: { state: 'Expired', endedAt: new Date(NOW).toISOString() },
});
const PEOPLE = [
  'alice',
  'carol',
  'dave',
  'erin',
  'low',
  'away',
  'dev',
  'auditor',
  'chief',
  'responder',
  'nobody',
];

describe('to ask for an EmergencyAccess', () => {
  const unstamped = (parts: Parameters<typeof emergencyOf>[0] = {}) =>
    annotated(emergencyOf(parts), { [ANNOTATIONS.createdBy]: undefined });

  test.each(PEOPLE)('%s may where a policy of the namespace names them', (username) => {
    const verdict = review({ by: userOf(username), after: unstamped() }, CONTEXT);
    const isThere = !['nobody', 'away'].includes(username);
    expect(verdict.allowed).toBe(isThere);
    expect(verdict.message ?? '').toContain(isThere ? '' : `names ${username}`);
  });

  test.each<[string, UserInfo, boolean]>([
    ['a group counts', userOf('x', 'desk'), true],
    ['a Deny is no policy that lets', userOf('denied'), false],
    ['nobody known', { username: 'system:anonymous', groups: ['system:unauthenticated'] }, false],
    ['system:masters', MASTER, true],
  ])('%s', (_, by, isAllowed) => {
    const context = contextOf({
      policies: [
        giving('x', 'PlaceOrders', 'Read', { subjects: [{ kind: 'Group', name: 'desk' }] }),
        giving('denied', 'PlaceOrders', 'Read', { effect: 'Deny' }),
      ],
    });
    expect(review({ by, after: unstamped() }, context).allowed).toBe(isAllowed);
  });

  test.each<[string, object, string]>([
    [
      'approved already',
      annotated(emergencyOf(), { [ANNOTATIONS.approve]: 'yes' }),
      'ApprovalRefused',
    ],
    ['longer than allowed', unstamped({ spec: { duration: '2h' } }), 'Invalid'],
    ['of a duration that is none', unstamped({ spec: { duration: 'long' } }), 'Invalid'],
    [
      'for a ServiceAccount elsewhere',
      unstamped({ spec: { subject: { kind: 'User', name: 'system:serviceaccount:x:y' } } }),
      'Invalid',
    ],
    ['without a subject', { ...emergencyOf(), spec: {} }, 'Invalid'],
    [
      'owned',
      {
        ...emergencyOf(),
        metadata: {
          ...emergencyOf().metadata,
          ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'p' }],
        },
      },
      'Immutable',
    ],
  ])('one %s is refused, also from system:masters', (_, after, reason) => {
    for (const by of [userOf('carol'), MASTER]) {
      expect(review({ by, after }, CONTEXT).reason).toBe(reason);
    }
  });

  test('what the client writes as decisions is not believed', () => {
    const forged = annotated(unstamped(), { [ANNOTATIONS.decisions]: '[{"act":"approve"}]' });
    const request = mutated(requestOf({ by: userOf('carol'), after: forged }), CONTEXT);
    expect(request.object?.metadata.annotations?.[ANNOTATIONS.decisions]).toBeUndefined();
    expect(decideAdmission(request, CONTEXT).allowed).toBe(true);
  });

  test('not before the review of the last one is closed, wherever it was', () => {
    const elsewhere = { ...ENDED, metadata: { ...ENDED.metadata, namespace: 'research' } };
    const reviewed = {
      ...ENDED,
      status: { ...ENDED.status, review: { by: 'dave', at: '', finding: 'x' } },
    };
    const refusing = (one: EmergencyAccess) =>
      review(
        { by: userOf('carol'), after: unstamped({ name: 'next' }) },
        contextOf({ policies: POLICIES, emergencyAccesses: [one] }),
      );
    expect(refusing(ENDED)).toMatchObject({ reason: 'ReviewOutstanding' });
    expect(refusing(elsewhere).message).toContain('research/night');
    expect(refusing(reviewed).allowed).toBe(true);
    expect(refusing(state('Denied')).allowed).toBe(true);
    expect(refusing(state('Pending')).allowed).toBe(true);
    const other = unstamped({ name: 'next', spec: { subject: { kind: 'User', name: 'bob' } } });
    expect(
      review(
        { by: userOf('carol'), after: other },
        contextOf({ policies: POLICIES, emergencyAccesses: [ENDED] }),
      ).allowed,
    ).toBe(true);
  });

  test('what will come to nothing is told', () => {
    const context = contextOf({
      policies: POLICIES,
      namespaces: [{ name: 'trading', isGuarded: false }],
    });
    const after = unstamped({ spec: { subject: { kind: 'User', name: 'аlice' } } });
    const warnings = review({ by: userOf('carol'), after }, context).warnings?.join(' ');
    expect(warnings).toContain('not guarded');
    expect(warnings).toContain('maker');
    expect(warnings).toContain('spec.subject.name mixes');
    expect(review({ by: userOf('carol'), after: unstamped() }, CONTEXT).warnings).toBeUndefined();
  });
});

test('who approves is told of a target that does not exist', () => {
  const context = contextOf({ policies: POLICIES });
  expect(act(ANNOTATIONS.approve, 'dave', state('Pending'), { context })).toMatchObject({
    allowed: true,
    warnings: ['spec.target.credentials names what does not exist: maker.'],
  });
});

test('who asks, and who approves, is told of a policy that denies it', () => {
  const deny = {
    ...giving('alice', 'AccessSecrets', 'Write', { effect: 'Deny' }),
    metadata: { name: 'no' },
  };
  const context = contextOf({ policies: [...POLICIES, deny], credentials: [MAKER] });
  const asked = annotated(emergencyOf(), { [ANNOTATIONS.createdBy]: undefined });
  const told = ['AccessPolicy no denies AccessSecrets to alice there; this would go past it.'];
  expect(review({ by: userOf('carol'), after: asked }, context)).toMatchObject({
    allowed: true,
    warnings: told,
  });
  expect(act(ANNOTATIONS.approve, 'dave', state('Pending'), { context })).toMatchObject({
    allowed: true,
    warnings: told,
  });
  expect(act(ANNOTATIONS.deny, 'dave', state('Pending'), { context }).warnings).toBeUndefined();
  expect(act(ANNOTATIONS.approve, 'dave', state('Pending')).warnings ?? []).toEqual([]);
});

test('who asks for a ServiceAccount, and who approves that, is told who else gets in', () => {
  const spec = { subject: { kind: 'ServiceAccount' as const, name: 'debugger' } };
  const asked = annotated(emergencyOf({ spec }), { [ANNOTATIONS.createdBy]: undefined });
  const pending = emergencyOf({ spec, status: { state: 'Pending' } });
  const told =
    'whoever may run pods as ServiceAccount debugger, or has a token of it, would get in';
  for (const { allowed, warnings = [] } of [
    review({ by: userOf('carol'), after: asked }, CONTEXT),
    act(ANNOTATIONS.approve, 'dave', pending),
  ]) {
    expect(allowed).toBe(true);
    expect(warnings).toEqual([expect.stringContaining(told)]);
  }
});

/** The verdict for setting one annotation. */
function act(
  annotation: string,
  username: string,
  before: EmergencyAccess,
  {
    reason = 'looked at the ticket',
    context = CONTEXT,
  }: { readonly reason?: string; readonly context?: RuleContext } = {},
) {
  return review(
    { by: userOf(username), before, after: annotated(before, { [annotation]: reason }) },
    context,
  );
}

describe('who decides', () => {
  const SELF: RuleContext = {
    ...CONTEXT,
    settings: { ...SETTINGS, emergency: { ...SETTINGS.emergency, selfApproval: true } },
  };
  const OVERRIDER = {
    ...SELF,
    world: contextOf({ policies: [...POLICIES, giving('alice', 'EmergencyOverride', 'Emergency')] })
      .world,
  };
  const LONG = 'nobody else answers the telephone at night';

  test.each<[string, string, EmergencyAccess, readonly string[]]>([
    ['approve', ANNOTATIONS.approve, state('Pending'), ['dave', 'erin']],
    ['approve, before the operator saw it', ANNOTATIONS.approve, emergencyOf(), ['dave', 'erin']],
    [
      'approve, after one of two',
      ANNOTATIONS.approve,
      state('Pending', { approvals: [{ username: 'dave', at: '', reason: '', self: false }] }),
      ['erin'],
    ],
    ['deny', ANNOTATIONS.deny, state('Pending'), ['dave', 'erin']],
    ['deny what is approved', ANNOTATIONS.deny, state('Approved'), ['dave', 'erin']],
    ['end', ANNOTATIONS.end, activeEmergency(), ['alice', 'carol', 'dave', 'chief']],
    ['end what is pending', ANNOTATIONS.end, state('Pending'), ['alice', 'carol', 'chief']],
    ['review', ANNOTATIONS.review, ENDED, ['carol', 'dave', 'erin', 'auditor', 'chief']],
    ['approve what is active', ANNOTATIONS.approve, activeEmergency(), []],
    ['approve what is denied', ANNOTATIONS.approve, state('Denied'), []],
    ['approve what is over', ANNOTATIONS.approve, ENDED, []],
    ['deny what is active', ANNOTATIONS.deny, activeEmergency(), []],
    ['end what is over', ANNOTATIONS.end, ENDED, []],
    ['review what is active', ANNOTATIONS.review, activeEmergency(), []],
    ['review what never was', ANNOTATIONS.review, state('Expired'), []],
    [
      'review it again',
      ANNOTATIONS.review,
      { ...ENDED, status: { ...ENDED.status, review: { by: 'x', at: '', finding: '' } } },
      [],
    ],
    ['approve alone', ANNOTATIONS.selfApprove, state('Pending'), []],
  ])('%s', (_, annotation, before, allowed) => {
    for (const username of PEOPLE) {
      const verdict = act(annotation, username, before);
      expect([username, verdict.allowed]).toEqual([username, allowed.includes(username)]);
      const told = `EmergencyAccess trading/night: annotation ${annotation}`;
      expect(verdict.allowed ? told : verdict.message).toContain(told);
    }
  });

  test('not to begin one that was asked for before another ended, until the review of that is closed', () => {
    const waiting = {
      ...state('Pending'),
      metadata: { ...state('Pending').metadata, name: 'next' },
    };
    const policies = [...POLICIES, giving('alice', 'EmergencyOverride', 'Emergency')];
    const after = (ended: EmergencyAccess): RuleContext => ({
      ...SELF,
      world: contextOf({ policies, credentials: [MAKER], emergencyAccesses: [ended, waiting] })
        .world,
    });
    const review = { by: 'dave', at: '', finding: 'x' };
    const reviewed = after({ ...ENDED, status: { ...ENDED.status, review } });
    for (const [annotation, by] of [
      [ANNOTATIONS.approve, 'dave'],
      [ANNOTATIONS.selfApprove, 'alice'],
    ] as const) {
      const refused = act(annotation, by, waiting, { context: after(ENDED), reason: LONG });
      expect(refused).toMatchObject({ allowed: false, reason: 'ReviewOutstanding' });
      expect(refused.message).toContain('strongroom emergency review night -n trading');
      expect(act(annotation, by, waiting, { context: reviewed, reason: LONG }).allowed).toBe(true);
    }
    expect(act(ANNOTATIONS.deny, 'dave', waiting, { context: after(ENDED) }).allowed).toBe(true);
    expect(act(ANNOTATIONS.end, 'alice', waiting, { context: after(ENDED) }).allowed).toBe(true);
  });

  test.each<[string, string, EmergencyAccess, boolean]>([
    ['approve', ANNOTATIONS.approve, state('Pending'), false],
    ['approve alone', ANNOTATIONS.selfApprove, state('Pending'), false],
    ['review', ANNOTATIONS.review, ENDED, false],
    ['deny', ANNOTATIONS.deny, state('Pending'), true],
    ['end', ANNOTATIONS.end, activeEmergency(), true],
  ])('a ServiceAccount that may do all of it and %s', (_, annotation, before, isAllowed) => {
    const subjects = [
      { kind: 'ServiceAccount', namespace: 'trading', name: 'lead' },
      { kind: 'ServiceAccount', namespace: 'trading', name: 'robot' },
    ] as const;
    const given = { subjects, permissions: [], roles: ['SecurityAdmin' as const] };
    const context = {
      ...SELF,
      world: contextOf({
        policies: [...POLICIES, giving('lead', 'PlaceOrders', 'Emergency', given)],
      }).world,
    };
    const names = ['system:serviceaccount:trading:lead', 'system:serviceaccount:odd'];
    for (const username of names) {
      const verdict = act(annotation, username, before, { context, reason: LONG });
      expect(verdict.allowed).toBe(isAllowed && username.endsWith(':lead'));
      if (isAllowed) continue;
      expect(verdict.reason).toBe('ApprovalRefused');
      expect(verdict.message).toContain(`${username} is a ServiceAccount`);
      expect(verdict.message).toContain('the act of a person');
    }
    // Also one who is its subject, or above all policies.
    const own = emergencyOf({
      spec: { subject: { kind: 'ServiceAccount', name: 'robot' } },
      status: before.status ?? {},
    });
    const by = userOf('system:serviceaccount:trading:robot', 'system:masters');
    const after = annotated(own, { [annotation]: LONG });
    const verdict = review({ by, before: own, after }, context);
    // A subject ends it, and neither approves, reviews nor turns down its own.
    const mayOwn = annotation === ANNOTATIONS.end;
    expect(verdict.reason).toBe(mayOwn ? undefined : 'ApprovalRefused');
  });

  test('a review by a ServiceAccount, which does not count, is in nobody’s way', () => {
    const entry = { act: 'review', username: 'system:serviceaccount:trading:lead' };
    const before = annotated(ENDED, { [ANNOTATIONS.decisions]: JSON.stringify([entry]) });
    expect(act(ANNOTATIONS.review, 'dave', before).allowed).toBe(true);
  });

  test('neither who asked nor the subject approves, also not as system:masters', () => {
    for (const username of ['alice', 'carol']) {
      const verdict = act(ANNOTATIONS.approve, username, state('Pending'));
      expect(verdict.reason).toBe('ApprovalRefused');
      const by = userOf(username, 'system:masters');
      const before = state('Pending');
      const after = annotated(before, { [ANNOTATIONS.approve]: 'yes' });
      expect(review({ by, before, after }, CONTEXT).reason).toBe('ApprovalRefused');
    }
  });

  test('of one whose creator nobody knows, nobody approves', () => {
    const before = annotated(emergencyOf(), { [ANNOTATIONS.createdBy]: undefined });
    for (const annotation of [ANNOTATIONS.approve, ANNOTATIONS.deny, ANNOTATIONS.selfApprove]) {
      const verdict = act(
        annotation,
        annotation === ANNOTATIONS.selfApprove ? 'alice' : 'dave',
        before,
        {
          reason: LONG,
          context: OVERRIDER,
        },
      );
      expect(verdict.reason).toBe('ApprovalRefused');
      expect(verdict.message).toMatch(
        /nobody knows who asked for it.*strongroom emergency end night -n trading/,
      );
    }
    expect(act(ANNOTATIONS.end, 'alice', before).allowed).toBe(true);
    const told = {
      ...before,
      status: { state: 'Pending' as const, requestedBy: { username: 'carol' } },
    };
    expect(act(ANNOTATIONS.approve, 'dave', told).allowed).toBe(true);
    expect(act(ANNOTATIONS.approve, 'carol', told).allowed).toBe(false);
  });

  test.each<[string, string, RuleContext, string, boolean]>([
    ['the subject, with a second reason', 'alice', OVERRIDER, LONG, true],
    ['the subject, with a short one', 'alice', OVERRIDER, 'now', false],
    ['the subject, with the same one', 'alice', OVERRIDER, emergencyOf().spec.reason, false],
    ['the subject, without EmergencyOverride', 'alice', SELF, LONG, false],
    ['who asked for it', 'carol', OVERRIDER, LONG, false],
    ['another person', 'dave', OVERRIDER, LONG, false],
    ['where it is not allowed', 'alice', { ...OVERRIDER, settings: SETTINGS }, LONG, false],
  ])('approving alone: %s', (_, username, context, reason, isAllowed) => {
    const verdict = act(ANNOTATIONS.selfApprove, username, state('Pending'), { reason, context });
    expect(verdict.allowed).toBe(isAllowed);
  });

  test.each(['', '   ', 'x'.repeat(1025)])('a reason is needed, and not a book', (reason) => {
    expect(act(ANNOTATIONS.approve, 'dave', state('Pending'), { reason }).reason).toBe(
      'ApprovalRefused',
    );
  });

  test('one thing at a time', () => {
    const before = state('Pending');
    const after = annotated(before, { [ANNOTATIONS.approve]: 'yes', [ANNOTATIONS.end]: 'no' });
    expect(review({ by: userOf('dave'), before, after }, CONTEXT).reason).toBe('ApprovalRefused');
  });

  test('nobody says the same twice', () => {
    const before = activeEmergency();
    const by = userOf('carol');
    const request = mutated(
      requestOf({ by, before, after: annotated(before, { [ANNOTATIONS.end]: 'over' }) }),
      CONTEXT,
    );
    const ended = request.object ?? before;
    expect(decideAdmission(request, CONTEXT).allowed).toBe(true);
    const again = annotated(ended, { [ANNOTATIONS.end]: 'still over' });
    expect(review({ by, before: ended, after: again }, CONTEXT).reason).toBe('ApprovalRefused');
    expect(review({ by: userOf('dave'), before: ended, after: again }, CONTEXT).allowed).toBe(true);
  });

  test('a namespace without environment needs the right in every one', () => {
    const context = contextOf({
      policies: [
        ...POLICIES,
        giving('prod', 'EmergencyOverride', 'Emergency', { environments: ['Production'] }),
      ],
      namespaces: [],
    });
    expect(act(ANNOTATIONS.approve, 'prod', state('Pending'), { context }).allowed).toBe(false);
    expect(act(ANNOTATIONS.approve, 'dave', state('Pending'), { context }).allowed).toBe(true);
  });
});

describe('the list of decisions', () => {
  const before = state('Pending');
  const approve = (object: EmergencyAccess, username: string, reason: string) => {
    const after = annotated(object, { [ANNOTATIONS.approve]: reason });
    const request = mutated(
      requestOf({ by: userOf(username, 'ops'), before: object, after }),
      CONTEXT,
    );
    return request.object as EmergencyAccess & typeof request.object;
  };

  test('holds each with its stamp, which the controller believes', () => {
    const twice = approve(approve(before, 'dave', 'yes'), 'erin', 'me too');
    expect(authenticDecisions(twice, STAMP_KEY)).toEqual([
      {
        act: 'approve',
        username: 'dave',
        uid: 'dave-uid',
        groups: ['ops', 'system:authenticated'],
        reason: 'yes',
        at: new Date(NOW).toISOString(),
      },
      {
        act: 'approve',
        username: 'erin',
        uid: 'erin-uid',
        groups: ['ops', 'system:authenticated'],
        reason: 'me too',
        at: new Date(NOW).toISOString(),
      },
    ]);
  });

  test('a second call changes nothing', () => {
    const once = mutated(
      requestOf({
        by: userOf('dave'),
        before,
        after: annotated(before, { [ANNOTATIONS.approve]: 'yes' }),
      }),
      CONTEXT,
    );
    const twice = mutated(once, { ...CONTEXT, nowMs: NOW + 5000 });
    expect(twice.object).toEqual(once.object);
  });

  test('a dry run decides the same and yields no stamp that is worth something', () => {
    const after = annotated(before, { [ANNOTATIONS.approve]: 'yes' });
    const request = mutated(
      requestOf({ by: userOf('dave'), before, after, dryRun: true }),
      CONTEXT,
    );
    expect(decideAdmission(request, CONTEXT).allowed).toBe(true);
    expect(authenticDecisions(request.object as never, STAMP_KEY)).toEqual([]);
    expect(mutated(request, CONTEXT).object).toEqual(request.object);
  });

  const once = approve(before, 'dave', 'yes');
  const entries = JSON.parse(
    once.metadata.annotations?.[ANNOTATIONS.decisions] ?? '[]',
  ) as object[];
  const withDecisions = (list: unknown, reason = 'me too') =>
    annotated(once, {
      [ANNOTATIONS.approve]: reason,
      [ANNOTATIONS.decisions]: JSON.stringify(list),
    });
  const right = JSON.parse(
    approve(once, 'erin', 'me too').metadata.annotations?.[ANNOTATIONS.decisions] ?? '[]',
  ) as object[];

  test.each<[string, unknown, boolean]>([
    ['as admission writes it', right, true],
    ['without the old ones', right.slice(1), false],
    ['without the new one', entries, false],
    ['with one too many', [...right, right[1]], false],
    ['with the new one by another', [...entries, { ...right[1], username: 'frank' }], false],
    ['with another reason', [...entries, { ...right[1], reason: 'x' }], false],
    ['with another act', [...entries, { ...right[1], act: 'deny' }], false],
    ['with other groups', [...entries, { ...right[1], groups: ['system:masters'] }], false],
    ['with another uid', [...entries, { ...right[1], uid: 'x' }], false],
    ['without a time', [...entries, { ...right[1], at: 'soon' }], false],
    ['with the old one changed', [{ ...entries[0], username: 'bob' }, right[1]], false],
    ['in another order', right.toReversed(), false],
    ['with something more in it', [...entries, { ...right[1], x: 1 }], false],
    ['as no list', { decisions: right }, false],
  ])('%s', (_, list, isAllowed) => {
    // As if nobody had mutated it.
    const request = requestOf({
      by: userOf('erin', 'ops'),
      before: once,
      after: withDecisions(list),
    });
    const verdict = decideAdmission(request, CONTEXT);
    expect(verdict.allowed).toBe(isAllowed);
    expect(verdict.reason).toBe(isAllowed ? undefined : 'Immutable');
    const asMaster = { ...request, userInfo: userOf('erin', 'ops', 'system:masters') };
    const groups = { ...asMaster.userInfo, groups: request.userInfo.groups };
    expect(
      decideAdmission(isAllowed ? { ...asMaster, userInfo: groups } : asMaster, CONTEXT).allowed,
    ).toBe(isAllowed);
  });

  test('without an act it stays as it is, and what was written over it is put back', () => {
    const forged = annotated(once, { [ANNOTATIONS.decisions]: '[]' });
    const request = requestOf({ by: userOf('dave'), before: once, after: forged });
    expect(decideAdmission(request, CONTEXT).reason).toBe('Immutable');
    expect(mutated(request, CONTEXT).object).toEqual(once);
  });
});

describe('what else changes', () => {
  const before = activeEmergency();

  test('spec never', () => {
    const after = { ...before, spec: { ...before.spec, duration: '30m' } };
    for (const by of [userOf('carol'), MASTER]) {
      expect(review({ by, before, after }, CONTEXT).reason).toBe('Immutable');
    }
  });

  test.each(PEOPLE)('labels by who is involved, or could approve: %s', (username) => {
    const after = { ...before, metadata: { ...before.metadata, labels: { a: 'b' } } };
    const isAllowed = ['alice', 'carol', 'dave', 'erin'].includes(username);
    expect(review({ by: userOf(username), before, after }, CONTEXT).allowed).toBe(isAllowed);
    expect(review({ by: userOf(username), before, after: before }, CONTEXT).allowed).toBe(true);
  });

  test('an act does not carry a change of labels that is not theirs', () => {
    const decided = annotated(ENDED, { [ANNOTATIONS.review]: 'fine' });
    const after = { ...decided, metadata: { ...decided.metadata, labels: { a: 'b' } } };
    expect(review({ by: userOf('auditor'), before: ENDED, after }, CONTEXT).allowed).toBe(false);
    expect(review({ by: userOf('dave'), before: ENDED, after }, CONTEXT).allowed).toBe(true);
  });

  test('no owners', () => {
    const owned = {
      ...before,
      metadata: {
        ...before.metadata,
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'p' }],
      },
    };
    expect(review({ by: userOf('carol'), before, after: owned }, CONTEXT).allowed).toBe(false);
  });
});

describe('to delete one', () => {
  test.each<[string, EmergencyAccess, readonly string[]]>([
    ['pending', state('Pending'), ['alice', 'carol', 'dave', 'erin']],
    ['denied', state('Denied'), ['alice', 'carol', 'dave', 'erin']],
    ['expired unused', state('Expired'), ['alice', 'carol', 'dave', 'erin']],
    ['approved', state('Approved'), []],
    ['active', activeEmergency(), []],
    ['ended and not reviewed', ENDED, []],
    [
      'reviewed',
      { ...ENDED, status: { ...ENDED.status, review: { by: 'dave', at: '', finding: '' } } },
      ['alice', 'carol', 'dave', 'erin'],
    ],
  ])('that is %s', (_, before, allowed) => {
    for (const username of PEOPLE) {
      const verdict = review({ by: userOf(username), before }, CONTEXT);
      expect([username, verdict.allowed]).toEqual([username, allowed.includes(username)]);
    }
    for (const by of [OPERATOR, MASTER, controller('namespace-controller')]) {
      expect(review({ by, before }, CONTEXT).allowed).toBe(true);
    }
  });
});
