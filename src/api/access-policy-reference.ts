import {
  ACCESS_FINDINGS,
  ACCESS_POLICY_CONDITION_TYPES,
  ACCESS_POLICY_REASONS,
  LABELS,
  NETWORK_GAPS,
} from '#api/names.ts';
import type { AccessPolicyConditionType } from '#api/names.ts';
import { ACCESS_LEVELS, PERMISSIONS, ROLES, ROLE_PERMISSIONS } from '#api/roles.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import {
  emitFieldTables,
  emitHead,
  emitRules,
  markdownTable,
  meanings,
} from '#api/schema/reference.ts';

const CONDITIONS: Readonly<Record<AccessPolicyConditionType, string>> = {
  Ready: 'The RBAC of the cluster says what the policy says, as far as RBAC can. Always present.',
  Reconciling: 'True while the operator is at work on a change. Always present.',
  Stalled: 'True while the operator cannot go on until somebody acts. Always present.',
  AccessGranted: 'Roles and RoleBindings stand for all that the policy gives; else why not.',
  Undermined: 'True while RBAC of others lets somebody round the policy.',
  NetworkApplied: 'NetworkPolicies stand for all of `spec.network`. Only where there is one.',
};

const LEVELS: Readonly<Record<AccessLevel, string>> = {
  Read: 'see credentials; read or mount their values, with AccessSecrets',
  Write: 'create and change them',
  Admin: 'rotate, roll back, revoke, suspend and delete them; write policies, with ManageUsers',
  Emergency: 'approve emergency access, with EmergencyOverride',
};

const PERMITS: Readonly<Record<Permission, string>> = {
  ReadMarketData: 'read prices and books',
  PlaceOrders: 'place and cancel orders',
  ManagePositions: 'change and close positions',
  ViewRiskMetrics: 'read risk figures',
  ModifyRiskParameters: 'change limits and leverage',
  AccessSecrets: 'read, mount, make, change and end credentials, by level',
  ManageUsers: 'write AccessPolicies, at the level Admin',
  ViewAuditLogs: 'read audit records',
  EmergencyOverride: 'approve emergency access, at the level Emergency',
  ManageNetworkBlocks: 'write IPBlocks',
  TransferFunds: 'withdraw and transfer',
};

/** The reference page of AccessPolicy, as Markdown. */
export function emitAccessReference(kind: KindDefinition): string {
  return `${emitHead(kind)}

The server fills in no field: what an absent one means stands with it.

## How it is decided

- A request needs a permission at a level, in an environment, on a credential. One Allow must give all of it, to one of the subjects that the request comes from, and its constraints must be met. Several policies never add up to one.
- A Deny that applies wins over every Allow.
- What is not known denies: without an address, an Allow with source ranges does not apply, a Deny with them does.
- Members of \`system:masters\` are above all policies: nothing inside of a cluster can hold them back.
- A User that is named \`system:serviceaccount:<namespace>:<name>\` is that ServiceAccount. Names are compared letter for letter.

## Roles and permissions

${markdownTable(
  ['Permission', 'Allows to', ...ROLES],
  PERMISSIONS.map((permission) => [
    `\`${permission}\``,
    PERMITS[permission],
    ...ROLES.map((role) => (ROLE_PERMISSIONS[role].includes(permission) ? 'yes' : '')),
  ]),
)}

No role holds a permission that has no *yes* in its row; a policy gives it by naming it in \`permissions\`. A role gives its permissions at the level of the policy, and in its environments only.

## Levels

From the least to the greatest. An Allow gives its level and all below it; a Deny takes its level and all above it.

${meanings(
  'Level',
  ACCESS_LEVELS.map((level) => [level, LEVELS[level]]),
)}

A credential can ask for more to be read or mounted: see \`spec.minimumAccessLevel\` of [ExchangeCredential](exchangecredential.md).

## spec

${emitFieldTables(kind, 'spec')}

A schedule is minute, hour, day of the month, month and day of the week: numbers, \`*\`, lists, ranges and steps, \`JAN\` to \`DEC\` and \`SUN\` to \`SAT\` (0 and 7 are Sunday). Where both days are given, one of them is enough, as in every cron.

## Rules

Each of these is checked by the API server, and without one by \`strongroom validate\`. An entry that stands twice in a list is refused too.

${emitRules(kind)}

## status

${emitFieldTables(kind, 'status')}

## Conditions

${meanings(
  'Condition',
  ACCESS_POLICY_CONDITION_TYPES.map((type) => [type, CONDITIONS[type]]),
)}

${meanings('Reason', Object.entries(ACCESS_POLICY_REASONS))}

## Findings

${meanings('Finding', Object.entries(ACCESS_FINDINGS))}

## Gaps of the network

${meanings('Gap', Object.entries(NETWORK_GAPS))}

## Labels and annotations

${markdownTable(
  ['Name', 'Meaning'],
  [[LABELS.policyUid, 'Label of a Role or RoleBinding: the UID of the policy it stands for.']].map(
    ([name = '', meaning = '']) => [`\`${name}\``, meaning],
  ),
)}
`;
}
