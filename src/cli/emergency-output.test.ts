import { describe, expect, it } from 'vitest';
import { CREATED_MS, emergencyAccess } from '#access/emergency/testing/builders.ts';
import type { Condition } from '#api/access-policy.ts';
import { describeEmergency, emergencyJson, emergencyTable } from './emergency-output.ts';

const MESSAGE = 'There is no ExchangeCredential makerx';

function condition(type: string, status: Condition['status'], reason: string, message = 'm') {
  return { type, status, reason, message, lastTransitionTime: '2026-11-26T10:00:00Z' };
}

const withConditions = (...conditions: readonly Condition[]) =>
  emergencyAccess({}, { state: 'Pending', conditions });

const well = withConditions(
  condition('Ready', 'True', 'UpToDate'),
  condition('Reconciling', 'False', 'UpToDate'),
  condition('Stalled', 'False', 'UpToDate'),
  condition('Active', 'False', 'AwaitingApproval', '0 of 1 approvals were given'),
  condition('Reviewed', 'False', 'ReviewDue'),
);
const missing = withConditions(
  condition('Ready', 'False', 'TargetMissing', MESSAGE),
  condition('Reconciling', 'False', 'TargetMissing', MESSAGE),
  condition('Stalled', 'True', 'TargetMissing', MESSAGE),
  condition('Active', 'False', 'AwaitingApproval', '0 of 1 approvals were given'),
);
const failing = withConditions(
  condition('Ready', 'False', 'ReconcileFailed', 'forbidden; it is tried again'),
  condition('Reconciling', 'True', 'ReconcileFailed', 'forbidden; it is tried again'),
  condition('Stalled', 'False', 'ReconcileFailed', 'forbidden; it is tried again'),
);

describe('what is not as it should be with an EmergencyAccess', () => {
  it('is nothing where it merely waits', () => {
    expect(emergencyJson(well, CREATED_MS).problems).toEqual([]);
    expect(emergencyJson(emergencyAccess(), CREATED_MS).problems).toEqual([]);
    expect(describeEmergency(well, CREATED_MS)).not.toContain('Problem');
    expect(emergencyTable([well], CREATED_MS, false)).not.toContain('PROBLEM');
  });

  it('is told with its reason, once', () => {
    expect(emergencyJson(missing, CREATED_MS).problems).toEqual([
      { reason: 'TargetMissing', message: MESSAGE },
    ]);
    expect(describeEmergency(missing, CREATED_MS)).toContain(
      `\nState:      Pending: 0 of 1 approvals were given\nProblem:    TargetMissing: ${MESSAGE}\n`,
    );
    expect(describeEmergency(failing, CREATED_MS)).toContain(
      '\nProblem:    ReconcileFailed: forbidden; it is tried again\n',
    );
  });

  it.each([
    [false, 'night'],
    [true, 'trading/night'],
  ])('stands below the list, with namespaces: %s', (withNamespace, name) => {
    const lines = emergencyTable([well, missing], CREATED_MS, withNamespace).split('\n');
    expect(lines.slice(3)).toEqual([
      '',
      expect.stringMatching(/^NAME +PROBLEM +FOUND$/),
      `${name}  TargetMissing  ${MESSAGE}`,
    ]);
  });
});
