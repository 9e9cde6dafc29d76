import { describe, expect, it } from 'vitest';
import type { AccessLevel, Permission, Role } from '#api/roles.ts';
import { decide } from './decide.ts';
import { createPolicyIndex } from './policy-index.ts';
import { actionOf, credentialTarget, policyOf, requestOf } from './testing/builders.ts';

/** Written out again on purpose: a slip in the code's own table must not pass unseen. */
const MATRIX: Readonly<Record<Role, string>> = {
  //                   Market Orders Positions Risk RiskParams Secrets Users Audit Override Blocks Funds
  Trader:
    '              yes    yes    yes      yes   no        no      no    no    no       no     no',
  RiskAnalyst:
    '         yes    no     no       yes   yes       no      no    yes   no       no     no',
  SystemAdmin:
    '         yes    no     no       no    no        yes     yes   yes   no       no     no',
  SecurityAdmin:
    '       no     no     no       no    no        yes     yes   yes   yes      yes    no',
  ComplianceOfficer:
    '   yes    no     no       yes   no        no      no    yes   no       no     no',
  EmergencyResponder:
    '  yes    no     yes      yes   no        no      no    no    yes      yes    no',
};
const COLUMNS: readonly Permission[] = [
  'ReadMarketData',
  'PlaceOrders',
  'ManagePositions',
  'ViewRiskMetrics',
  'ModifyRiskParameters',
  'AccessSecrets',
  'ManageUsers',
  'ViewAuditLogs',
  'EmergencyOverride',
  'ManageNetworkBlocks',
  'TransferFunds',
];
const LEVELS: readonly AccessLevel[] = ['Read', 'Write', 'Admin', 'Emergency'];
const ENVIRONMENTS = ['Development', 'Staging', 'Production'] as const;

/** Each cell of the matrix with each environment and level of a policy and of a request. */
function cells(role: Role) {
  const row = MATRIX[role].trim().split(/\s+/);
  return COLUMNS.flatMap((permission, column) =>
    ENVIRONMENTS.flatMap((granted) =>
      ENVIRONMENTS.flatMap((asked) =>
        LEVELS.flatMap((level, rank) =>
          LEVELS.map((needed, neededRank) => ({
            permission,
            granted,
            asked,
            level,
            needed,
            isHeld: row[column] === 'yes' && granted === asked,
            isEnough: neededRank <= rank,
            isTaken: neededRank >= rank,
          })),
        ),
      ),
    ),
  );
}

describe.each(Object.keys(MATRIX) as Role[])('%s', (role) => {
  it('has a cell for each permission', () => {
    expect(MATRIX[role].trim().split(/\s+/)).toHaveLength(COLUMNS.length);
  });

  it('permits what the matrix says, in its environment, up to its level', () => {
    const wrong = cells(role).filter(
      ({ permission, granted, asked, level, needed, isHeld, isEnough }) => {
        const index = createPolicyIndex([
          policyOf({ permissions: [], roles: [role], environments: [granted], accessLevel: level }),
        ]);
        const decision = decide(
          index,
          requestOf({
            action: actionOf(permission, needed),
            target: credentialTarget({ environment: asked }),
          }),
        );
        return decision.allowed !== (isHeld && isEnough);
      },
    );
    expect(wrong).toEqual([]);
  });

  it('denies what the matrix says, in its environment, from its level on', () => {
    const all = policyOf(
      { permissions: COLUMNS, environments: ENVIRONMENTS, accessLevel: 'Emergency' },
      'all',
    );
    const wrong = cells(role).filter(
      ({ permission, granted, asked, level, needed, isHeld, isTaken }) => {
        const index = createPolicyIndex([
          all,
          policyOf({
            effect: 'Deny',
            permissions: [],
            roles: [role],
            environments: [granted],
            accessLevel: level,
          }),
        ]);
        const decision = decide(
          index,
          requestOf({
            action: actionOf(permission, needed),
            target: credentialTarget({ environment: asked }),
          }),
        );
        return decision.allowed === (isHeld && isTaken);
      },
    );
    expect(wrong).toEqual([]);
  });
});
