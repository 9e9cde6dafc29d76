import { describe, expect, it } from 'vitest';
import type { EmergencyAccessSpec, EmergencyAccessStatus } from '#api/emergency-access.ts';
import { decideEmergency } from './decide.ts';
import type { EmergencyFacts, EmergencyOutcome } from './decide.ts';
import type { Decision } from './decisions.ts';
import {
  CREATED_MS,
  MINUTE_MS,
  SETTINGS,
  WORLD,
  decision,
  emergencyAccess,
  toTime,
} from './testing/builders.ts';

interface Case {
  readonly spec?: Partial<EmergencyAccessSpec>;
  readonly status?: EmergencyAccessStatus;
  readonly decisions?: readonly Decision[] | 'unknown';
  readonly settings?: Partial<EmergencyFacts['settings']>;
  readonly world?: Partial<EmergencyFacts['world']>;
  /** Minutes after the request. */
  readonly at?: number;
  readonly annotations?: Readonly<Record<string, string>>;
}

function decide(given: Case): EmergencyOutcome {
  const { decisions = [], at = 1 } = given;
  return decideEmergency({
    access: emergencyAccess(given.spec, given.status, given.annotations),
    decisions: decisions === 'unknown' ? undefined : decisions,
    settings: { ...SETTINGS, ...given.settings },
    nowMs: CREATED_MS + at * MINUTE_MS,
    world: { ...WORLD, ...given.world },
  });
}

const conditionOf = ({ status }: EmergencyOutcome, of: string) => {
  const { status: is, reason } = status.conditions?.find(({ type }) => type === of) ?? {};
  return is === undefined ? undefined : `${is} ${reason}`;
};

const bob = decision('approve', 'bob');
const dave = decision('approve', 'dave');
const two = { approvals: { Development: 0, Staging: 1, Production: 2 } };
const active = (at = 2): EmergencyAccessStatus => ({
  state: 'Active',
  requestedBy: { username: 'carol', uid: 'u-carol' },
  activatedAt: toTime(CREATED_MS + at * MINUTE_MS),
  expiresAt: toTime(CREATED_MS + (at + 30) * MINUTE_MS),
  serviceAccount: 'strongroom-emergency-night',
  credentials: [{ name: 'maker', version: 3, rotated: false }],
});

describe('until it is active', () => {
  it.each<readonly [string, Case, string, string]>([
    ['waits without any approval', {}, 'Pending', 'False AwaitingApproval'],
    ['begins with the approval', { decisions: [bob] }, 'Active', 'True Active'],
    [
      'does not count the creator',
      { decisions: [decision('approve', 'carol')] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count the creator under another name',
      { decisions: [{ ...bob, uid: 'u-carol' }] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count the subject',
      { decisions: [decision('approve', 'alice')] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count a ServiceAccount that is the subject',
      {
        spec: { subject: { kind: 'ServiceAccount', name: 'robot' } },
        decisions: [decision('approve', 'system:serviceaccount:trading:robot')],
      },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count a ServiceAccount, whoever asked and for whom',
      {
        settings: two,
        decisions: [bob, decision('approve', 'system:serviceaccount:trading:lead')],
      },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count a ServiceAccount of a namespace that is none',
      { decisions: [decision('approve', 'system:serviceaccount:lead')] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count a ServiceAccount that approves alone, even where that is allowed',
      {
        spec: { subject: { kind: 'ServiceAccount', name: 'robot' } },
        settings: { selfApproval: true },
        decisions: [decision('self-approve', 'system:serviceaccount:trading:robot')],
      },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'is denied by a ServiceAccount too, which takes away alone',
      { decisions: [bob, decision('deny', 'system:serviceaccount:trading:lead')] },
      'Denied',
      'False Denied',
    ],
    [
      'does not count somebody who did not log in',
      { decisions: [decision('approve', 'system:anonymous')] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count the same person twice',
      { settings: two, decisions: [bob, decision('approve', 'bob', CREATED_MS + 2000, 'again')] },
      'Pending',
      'False AwaitingApproval',
    ],
    ['counts two people', { settings: two, decisions: [bob, dave] }, 'Active', 'True Active'],
    [
      'needs as many as the environment asks for',
      { settings: two, world: { environment: 'Staging' }, decisions: [bob] },
      'Active',
      'True Active',
    ],
    [
      'takes no environment for Production',
      {
        settings: { approvals: { ...two.approvals, Production: 2 } },
        world: { ...WORLD, environment: undefined } as never,
        decisions: [bob],
      },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count the subject alone where that is not allowed',
      { decisions: [decision('self-approve', 'alice')] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'counts the subject alone where it is',
      {
        settings: { ...two, selfApproval: true },
        decisions: [decision('self-approve', 'alice')],
      },
      'Active',
      'True Active',
    ],
    [
      'does not count a self-approval by somebody else',
      { settings: { selfApproval: true }, decisions: [decision('self-approve', 'bob')] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'does not count a self-approval that says the same again',
      {
        settings: { selfApproval: true },
        decisions: [decision('self-approve', 'alice', CREATED_MS, emergencyAccess().spec.reason)],
      },
      'Pending',
      'False AwaitingApproval',
    ],
    ['is denied', { decisions: [decision('deny', 'dave')] }, 'Denied', 'False Denied'],
    [
      'is denied also after enough approvals',
      { decisions: [bob, decision('deny', 'dave')] },
      'Denied',
      'False Denied',
    ],
    ['is withdrawn', { decisions: [decision('end', 'carol')] }, 'Revoked', 'False Revoked'],
    ['asks for too long', { spec: { duration: '61m' } }, 'Denied', 'False TooLong'],
    [
      'may ask for the most',
      { spec: { duration: '60m' }, decisions: [bob] },
      'Active',
      'True Active',
    ],
    ['is in time a moment before the deadline', { at: 59.99 }, 'Pending', 'False AwaitingApproval'],
    ['expires at the deadline', { at: 60 }, 'Expired', 'False Expired'],
    [
      'expires at the deadline though it was approved, when nobody was there to begin it',
      { at: 60, decisions: [bob] },
      'Expired',
      'False Expired',
    ],
    [
      'waits longer when the clock is set back',
      { at: -600, decisions: [] },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'waits for admission before it waits for approvals, which nobody records meanwhile',
      { decisions: [], world: { admissionGuards: false } },
      'Pending',
      'False AdmissionAbsent',
    ],
    [
      'waits for approvals while it is not known whether admission guards',
      { decisions: [], world: { admissionGuards: undefined } },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'is approved and waits for admission',
      { decisions: [bob], world: { admissionGuards: false } },
      'Approved',
      'False AdmissionAbsent',
    ],
    [
      'is approved and waits until it is known whether admission guards',
      { decisions: [bob], world: { admissionGuards: undefined } },
      'Approved',
      'False AdmissionAbsent',
    ],
    [
      'is approved and waits for its namespace',
      { decisions: [bob], world: { isGuarded: false } },
      'Approved',
      'False NamespaceNotGuarded',
    ],
    [
      'begins once what was missing is there',
      { status: { state: 'Approved' }, decisions: [bob] },
      'Active',
      'True Active',
    ],
    [
      'does not fall back from Approved to Pending',
      { status: { state: 'Approved' }, decisions: [] },
      'Revoked',
      'False Revoked',
    ],
    [
      'stays where it is while decisions cannot be checked',
      { status: { state: 'Approved' }, decisions: 'unknown' },
      'Approved',
      'False Approved',
    ],
    [
      'does not begin while decisions cannot be checked',
      { decisions: 'unknown', status: { approvals: [{ ...bob, self: false }] } },
      'Pending',
      'False AwaitingApproval',
    ],
    [
      'is not approved by anybody where nobody knows who created it',
      { decisions: [bob], annotations: { 'strongroom.dev/created-by': '{}' } },
      'Pending',
      'False AdmissionAbsent',
    ],
  ])('%s', (_, given, state, condition) => {
    const outcome = decide(given);
    expect([outcome.state, conditionOf(outcome, 'Active')]).toEqual([state, condition]);
    expect(outcome.status.state).toBe(outcome.state);
    expect(outcome.grant === undefined).toBe(state !== 'Active');
  });

  it('lasts as long as asked for, from the approval', () => {
    const { status, nextAtMs } = decide({ decisions: [bob], at: 7 });
    expect(status).toMatchObject({
      activatedAt: '2026-11-26T10:07:00Z',
      expiresAt: '2026-11-26T10:37:00Z',
      serviceAccount: 'strongroom-emergency-night',
      approvals: [{ username: 'bob', uid: 'u-bob', self: false }],
      approvalsNeeded: 1,
      requestedBy: { username: 'carol', uid: 'u-carol' },
    });
    expect(nextAtMs).toBe(CREATED_MS + 37 * MINUTE_MS);
  });

  it('lasts as long as is allowed where nothing is asked for', () => {
    const { duration: _duration, ...spec } = emergencyAccess().spec;
    const access = { ...emergencyAccess(), spec };
    const facts = { access, decisions: [bob], settings: SETTINGS, world: WORLD };
    const { status } = decideEmergency({ ...facts, nowMs: CREATED_MS });
    expect(status.expiresAt).toBe(toTime(CREATED_MS + SETTINGS.maxDurationMs));
  });

  it('tells when it is over without an approval', () => {
    expect(decide({}).nextAtMs).toBe(CREATED_MS + SETTINGS.approvalTimeoutMs);
  });

  it('has nothing to review when it was never active', () => {
    const outcome = decide({ decisions: [decision('deny', 'dave')] });
    expect(conditionOf(outcome, 'Reviewed')).toBe('True NotUsed');
    expect(outcome.status).toMatchObject({
      endedBy: 'dave',
      endedAt: toTime(CREATED_MS + MINUTE_MS),
    });
  });
});

describe('while it is active', () => {
  it.each<readonly [string, Case, string, string]>([
    ['goes on', { decisions: [bob] }, 'Active', 'True Active'],
    ['goes on a moment before its end', { decisions: [bob], at: 31.99 }, 'Active', 'True Active'],
    ['expires', { decisions: [bob], at: 32 }, 'Expired', 'False Expired'],
    [
      'expires, however late that is seen',
      { decisions: [bob], at: 9e6 },
      'Expired',
      'False Expired',
    ],
    [
      'expires while decisions cannot be checked',
      { decisions: 'unknown', at: 32 },
      'Expired',
      'False Expired',
    ],
    [
      'goes on while decisions cannot be checked',
      { decisions: 'unknown', at: 31 },
      'Active',
      'True Active',
    ],
    ['bears a small difference of clocks', { decisions: [bob], at: -2 }, 'Active', 'True Active'],
    ['ends when the clock is set back', { decisions: [bob], at: -4 }, 'Expired', 'False Expired'],
    ['is ended early', { decisions: [bob, decision('end', 'alice')] }, 'Revoked', 'False Revoked'],
    [
      'ends on a late denial',
      { decisions: [bob, decision('deny', 'dave')] },
      'Revoked',
      'False Revoked',
    ],
    [
      'ends with its namespace',
      { decisions: [bob], world: { isGuarded: false } },
      'Revoked',
      'False NamespaceNotGuarded',
    ],
    [
      'ends when nobody approved it: its status is forged',
      { decisions: [] },
      'Revoked',
      'False Revoked',
    ],
    [
      'ends when more people are asked for than before',
      { decisions: [bob], settings: two },
      'Revoked',
      'False Revoked',
    ],
    [
      'goes on though admission cannot be seen',
      { decisions: [bob], world: { admissionGuards: undefined } },
      'Active',
      'True Active',
    ],
    [
      'ends at once without a time of its end',
      { decisions: [bob], status: { state: 'Active', activatedAt: toTime(CREATED_MS) } },
      'Expired',
      'False Expired',
    ],
    [
      'ends at once without any time',
      { decisions: [bob], status: { state: 'Active' } },
      'Expired',
      'False Expired',
    ],
  ])('%s', (_, given, state, condition) => {
    const outcome = decide({ status: active(), ...given });
    expect([outcome.state, conditionOf(outcome, 'Active')]).toEqual([state, condition]);
  });

  it('never lasts longer than was asked for, whoever wrote the status', () => {
    const status = { ...active(), expiresAt: '2030-01-01T00:00:00Z' };
    const outcome = decide({ decisions: [bob], status, at: 10 });
    expect(outcome.status.expiresAt).toBe(toTime(CREATED_MS + 32 * MINUTE_MS));
    expect(decide({ decisions: [bob], status, at: 32 }).state).toBe('Expired');
  });

  it('never lasts longer than is allowed now', () => {
    const settings = { maxDurationMs: 15 * MINUTE_MS };
    expect(decide({ decisions: [bob], status: active(), settings, at: 17 }).state).toBe('Expired');
  });

  it('is told to have ended when it did, however late that is seen', () => {
    const { status } = decide({ decisions: [bob], status: active(), at: 600 });
    expect(status.endedAt).toBe(active().expiresAt);
  });

  it('records what was reachable at any time, in its newest version', () => {
    const pods = ['*'];
    const spec = { target: { credentials: ['maker'], pods } };
    const credentials = WORLD.credentials.map((one) =>
      one.name === 'maker' ? { ...one, version: 4 } : one,
    );
    const status = { ...active(), credentials: [{ name: 'gone', version: 1, rotated: false }] };
    const outcome = decide({ decisions: [bob], status, spec, world: { credentials } });
    expect(outcome.status.credentials).toEqual([
      { name: 'gone', version: 1, rotated: false },
      { name: 'hedge', version: 2, rotated: false },
      { name: 'maker', version: 4, rotated: false },
    ]);
  });

  it.each([
    ['a newer version', 3, 4, 4],
    ['an older version, rolled back to', 4, 3, 4],
  ])('remembers of %s the newest one', (_, recorded, version, expected) => {
    const status = {
      ...active(),
      credentials: [{ name: 'maker', version: recorded, rotated: false }],
    };
    const credentials = [{ name: 'maker', secrets: ['maker-keys'], version }];
    const outcome = decide({ decisions: [bob], status, world: { credentials } });
    expect(outcome.status.credentials).toEqual([
      { name: 'maker', version: expected, rotated: false },
    ]);
  });

  it('records what was reachable also when its end is seen late', () => {
    const { credentials: _none, ...status } = active();
    const outcome = decide({ decisions: [bob], status, at: 600 });
    expect(outcome.status.credentials).toEqual([{ name: 'maker', version: 3, rotated: false }]);
  });

  it('adds up its uses and leaves them to the replicas', () => {
    const uses = [
      { replica: 'a', count: 2, lastUsedAt: toTime(CREATED_MS) },
      { replica: 'b', count: 3, lastUsedAt: toTime(CREATED_MS) },
    ];
    const { status } = decide({ decisions: [bob], status: { ...active(), uses } });
    expect(status.useCount).toBe(5);
    expect(status).not.toHaveProperty('uses');
  });

  it.each<readonly [string, Parameters<typeof decide>[0]]>([
    ['to who approves', { decisions: [] }],
    ['while it is active', { decisions: [bob], status: active() }],
  ])('tells a target that does not exist: %s', (_, facts) => {
    const spec = { target: { credentials: ['maker', 'nine'], pods: ['nope'] } };
    const outcome = decide({ ...facts, spec });
    expect(conditionOf(outcome, 'Stalled')).toBe('True TargetMissing');
    const stalled = outcome.status.conditions?.find(({ type }) => type === 'Stalled');
    expect(stalled?.message).toBe('There is no ExchangeCredential nine, no Pod nope');
  });
});

describe('after its end', () => {
  const ended: EmergencyAccessStatus = {
    ...active(),
    state: 'Expired',
    endedAt: toTime(CREATED_MS + 32 * MINUTE_MS),
    approvals: [{ username: 'bob', at: bob.at, reason: 'r', self: false }],
  };
  const review = decision('review', 'bob', CREATED_MS + 40 * MINUTE_MS, 'two orders cancelled');

  it.each(['Expired', 'Revoked', 'Denied'] as const)('stays %s whatever comes', (state) => {
    const status = { ...ended, state };
    const decisions = [bob, dave, decision('end', 'carol'), decision('deny', 'dave')];
    for (const at of [-600, 1, 3, 31, 600]) {
      const outcome = decide({ status, decisions, at });
      expect(outcome.state).toBe(state);
      expect(outcome.grant).toBeUndefined();
      expect(outcome.nextAtMs).toBeUndefined();
      expect(outcome.status).toMatchObject({
        endedAt: ended.endedAt,
        approvals: ended.approvals,
      });
    }
  });

  it('waits for its review', () => {
    expect(conditionOf(decide({ status: ended }), 'Reviewed')).toBe('False ReviewDue');
  });

  it('is reviewed by somebody else than the subject', () => {
    const outcome = decide({ status: ended, decisions: [bob, review] });
    expect(conditionOf(outcome, 'Reviewed')).toBe('True Reviewed');
    expect(outcome.status.review).toEqual({
      by: 'bob',
      at: review.at,
      finding: 'two orders cancelled',
    });
  });

  it('is not reviewed by its subject', () => {
    const outcome = decide({ status: ended, decisions: [{ ...review, username: 'alice' }] });
    expect(conditionOf(outcome, 'Reviewed')).toBe('False ReviewDue');
  });

  it('is reviewed by a person, and not by a ServiceAccount', () => {
    const lead = { ...review, username: 'system:serviceaccount:trading:lead' };
    expect(decide({ status: ended, decisions: [lead] }).status.review).toBeUndefined();
    const outcome = decide({ status: ended, decisions: [lead, review] });
    expect(outcome.status.review?.by).toBe('bob');
  });

  it('is not reviewed before its end', () => {
    const outcome = decide({ status: active(), decisions: [bob, review] });
    expect(outcome.status.review).toBeUndefined();
  });

  it('keeps the first review', () => {
    const first = decide({ status: ended, decisions: [review] }).status;
    const { status } = decide({
      status: first,
      decisions: [decision('review', 'dave', CREATED_MS, 'other'), review],
    });
    expect(status.review?.by).toBe('bob');
  });

  it.each([
    ['the same version', 3, false],
    ['an older one', 2, false],
    ['a newer one', 4, true],
  ])('sees whether %s is current', (_, version, rotated) => {
    const credentials = [{ name: 'maker', secrets: [], version }];
    const outcome = decide({ status: ended, world: { credentials } });
    expect(outcome.status.credentials).toEqual([{ name: 'maker', version: 3, rotated }]);
  });

  it('does not take a credential for rotated that is gone or has no version', () => {
    for (const credentials of [[], [{ name: 'maker', secrets: [] }]]) {
      const outcome = decide({ status: ended, world: { credentials } });
      expect(outcome.status.credentials).toEqual([{ name: 'maker', version: 3, rotated: false }]);
    }
  });

  it('has nothing to rotate where there was no version', () => {
    const status = { ...ended, credentials: [{ name: 'maker', rotated: false }] };
    expect(decide({ status }).status.credentials).toEqual([{ name: 'maker', rotated: true }]);
  });
});
