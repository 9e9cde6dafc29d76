import { describe, expect, it } from 'vitest';
import { compilePolicy } from './compile.ts';
import type { AccessPolicySpec } from '#api/access-policy.ts';
import { policyStatus } from './status.ts';
import type { PolicyOutcome } from './status.ts';
import { policyOf } from './testing/builders.ts';

const NOW = Date.parse('2026-11-24T12:00:00Z');

function outcome(
  spec: Partial<AccessPolicySpec> = {},
  rest: Partial<PolicyOutcome> = {},
): PolicyOutcome {
  const policy = policyOf(spec);
  return {
    policy,
    compiled: compilePolicy(policy),
    wanted: { grants: [], withheld: [] },
    credentials: 1,
    namespaces: 1,
    rbacObjects: 0,
    unready: [],
    faults: [],
    weaknesses: [],
    ...rest,
  };
}

const grant = { namespace: 'trading', subjects: [], rules: [], isWhole: true };
const withheld = {
  namespace: 'trading',
  subject: { kind: 'Group', name: 'desk' } as const,
  denies: ['freeze'],
};

function conditions(of: PolicyOutcome): Readonly<Record<string, string>> {
  const { conditions: all = [] } = policyStatus(of, NOW);
  return Object.fromEntries(all.map(({ type, status, reason }) => [type, `${status} ${reason}`]));
}

describe('policyStatus', () => {
  it.each<[string, PolicyOutcome, string]>([
    ['grants', outcome({}, { wanted: { grants: [grant], withheld: [] } }), 'True Granted'],
    ['is a Deny', outcome({ effect: 'Deny' }), 'False DenyOnly'],
    [
      'is constrained',
      outcome({ constraints: { sourceRanges: ['10.0.0.0/8'] } }),
      'False Constrained',
    ],
    [
      'is held back',
      outcome({}, { wanted: { grants: [grant], withheld: [withheld] } }),
      'False Withheld',
    ],
    ['selects nothing', outcome({}, { credentials: 0 }), 'False SelectsNothing'],
    ['says what RBAC cannot', outcome(), 'False NothingGranted'],
  ])('tells what becomes of a policy that %s', (_, of, expected) => {
    expect(conditions(of)).toEqual({
      Ready: 'True UpToDate',
      Reconciling: 'False UpToDate',
      Stalled: 'False UpToDate',
      AccessGranted: expected,
      Undermined: 'False NoWeakness',
    });
  });

  it('is not ready where a step failed, or the operator is not let in yet', () => {
    expect(conditions(outcome({}, { failure: 'refused' }))).toMatchObject({
      Ready: 'False ReconcileFailed',
      Reconciling: 'True ReconcileFailed',
    });
    expect(conditions(outcome({}, { unready: ['trading'] }))).toMatchObject({
      Ready: 'False NamespaceNotReady',
      Reconciling: 'True NamespaceNotReady',
    });
  });

  it('names each subject that is held back, and the Deny', () => {
    const { findings } = policyStatus(
      outcome({}, { wanted: { grants: [], withheld: [withheld] } }),
      NOW,
    );
    expect(findings).toHaveLength(1);
    expect(findings?.[0]).toMatchObject({
      type: 'WithheldByDeny',
      namespace: 'trading',
      subject: 'Group desk',
    });
    expect(findings?.[0]?.message).toContain('freeze');
  });

  it('counts all findings and keeps the worst hundred, each within the limits of the schema', () => {
    const finding = (severity: 'Info' | 'Critical', number: number) => ({
      type: 'SecretRead',
      severity,
      subject: `User ${'x'.repeat(2000)}`,
      via: 'y'.repeat(2000),
      message: `${number} ${'z'.repeat(5000)}`,
    });
    const weaknesses = [
      ...Array.from({ length: 150 }, (_, number) => finding('Info', number)),
      finding('Critical', 0),
    ];
    const status = policyStatus(outcome({}, { weaknesses }), NOW);
    expect(status.findingCount).toBe(151);
    expect(status.findings).toHaveLength(100);
    expect(status.findings?.[0]?.severity).toBe('Critical');
    for (const { subject = '', via = '', message } of status.findings ?? []) {
      expect([subject.length, via.length, message.length]).toEqual([1024, 1024, 4096]);
    }
    expect(conditions(outcome({}, { weaknesses }))['Undermined']).toBe('True WeaknessesFound');
  });

  const network = { egress: {} };
  const applied = { pods: 2, policies: 1, isApplied: true, gaps: [] };
  const gap = { type: 'PodsNotSelectable', message: 'alike' };
  it.each<[string, PolicyOutcome, string | undefined]>([
    ['never had one', outcome(), undefined],
    ['has one that stands', outcome({ network }, { network: applied }), 'True NetworkApplied'],
    ['has one that nobody looked at', outcome({ network }), 'False NetworkPending'],
    [
      'has one that is not written yet',
      outcome({ network }, { network: { ...applied, isApplied: false } }),
      'False NetworkPending',
    ],
    [
      'has a gap',
      outcome({ network }, { network: { ...applied, gaps: [gap] } }),
      'False NetworkPartlyApplied',
    ],
    [
      'has what is worth knowing alone',
      outcome({ network }, { network: { ...applied, gaps: [{ ...gap, isInformation: true }] } }),
      'True NetworkApplied',
    ],
  ])('tells of the network of a policy that %s', (_, of, expected) => {
    expect(conditions(of)['NetworkApplied']).toBe(expected);
  });

  it('counts what stands for the network, and lists its gaps', () => {
    const gaps = Array.from({ length: 120 }, () => ({ ...gap, isInformation: true }));
    const status = policyStatus(outcome({ network }, { network: { ...applied, gaps } }), NOW);
    expect(status).toMatchObject({ network: { pods: 2, policies: 1 }, gapCount: 120 });
    expect(status.gaps).toEqual(Array.from({ length: 100 }, () => gap));
  });

  it('says that a policy is about the network alone', () => {
    const only = { network, permissions: [], roles: [] };
    expect(conditions(outcome(only))['AccessGranted']).toBe('False NetworkOnly');
    expect(conditions(outcome({ network }))['AccessGranted']).toBe('False NothingGranted');
  });

  it('says that a network is gone', () => {
    const before = policyStatus(outcome({ network }, { network: applied }), NOW);
    const status = policyStatus(
      { ...outcome(), policy: { ...policyOf({}), status: before } },
      NOW + 60_000,
    );
    expect(status.conditions).toContainEqual(
      expect.objectContaining({ type: 'NetworkApplied', reason: 'NoNetwork' }),
    );
    expect(status.network).toBeUndefined();
  });

  it('moves the time of a condition only with its status', () => {
    const first = policyStatus(outcome(), NOW);
    const again = policyStatus(
      { ...outcome(), policy: { ...policyOf({}), status: first } },
      NOW + 60_000,
    );
    expect(again).toEqual(first);
  });
});
