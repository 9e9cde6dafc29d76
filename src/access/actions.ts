/** What can be done, and what each act needs: the table that every asker shares. */
import { PERMISSIONS } from '#api/roles.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';

export interface Action {
  readonly name: string;
  /** One of these is enough. */
  readonly anyOf: readonly Permission[];
  readonly level: AccessLevel;
  /** The credential's `minimumAccessLevel` counts too. */
  readonly raisedByCredential?: true;
  /** One sentence for people. */
  readonly description: string;
}

const secrets = (name: string, level: AccessLevel, description: string): Action => ({
  name,
  anyOf: ['AccessSecrets'],
  level,
  description,
});

const plain = (name: string, permission: Permission, description: string): Action => ({
  name,
  anyOf: [permission],
  level: 'Read',
  description,
});

export const ACTION_NAMES = [
  'view',
  'retrieve',
  'mount',
  'create',
  'update',
  'rotate',
  'rollback',
  'revoke',
  'suspend',
  'delete',
  'manage-users',
  'override',
  'manage-network-blocks',
  'view-audit-logs',
  'read-market-data',
  'place-orders',
  'manage-positions',
  'view-risk-metrics',
  'modify-risk-parameters',
  'transfer-funds',
] as const;
export type ActionName = (typeof ACTION_NAMES)[number];

export const ACTIONS: Readonly<Record<ActionName, Action>> = {
  view: {
    name: 'view',
    anyOf: PERMISSIONS,
    level: 'Read',
    description: 'see a credential: its spec and status, never a value',
  },
  retrieve: {
    ...secrets('retrieve', 'Read', 'read the delivered Secret'),
    raisedByCredential: true,
  },
  mount: {
    ...secrets('mount', 'Read', 'run a pod that uses the delivered Secret'),
    raisedByCredential: true,
  },
  create: secrets('create', 'Write', 'create a credential'),
  update: secrets('update', 'Write', 'change a credential'),
  rotate: secrets('rotate', 'Admin', 'ask for a new version'),
  rollback: secrets('rollback', 'Admin', 'make an older version current again'),
  revoke: secrets('revoke', 'Admin', 'end a version, or all of them, for good'),
  suspend: secrets('suspend', 'Admin', 'withdraw the delivered Secret, or deliver it again'),
  delete: secrets('delete', 'Admin', 'delete a credential'),
  'manage-users': {
    name: 'manage-users',
    anyOf: ['ManageUsers'],
    level: 'Admin',
    description: 'write AccessPolicies',
  },
  override: {
    name: 'override',
    anyOf: ['EmergencyOverride'],
    level: 'Emergency',
    description: 'approve emergency access',
  },
  'manage-network-blocks': plain('manage-network-blocks', 'ManageNetworkBlocks', 'write IPBlocks'),
  'view-audit-logs': plain('view-audit-logs', 'ViewAuditLogs', 'read audit records'),
  'read-market-data': plain('read-market-data', 'ReadMarketData', 'read prices and books'),
  'place-orders': plain('place-orders', 'PlaceOrders', 'place and cancel orders'),
  'manage-positions': plain('manage-positions', 'ManagePositions', 'change and close positions'),
  'view-risk-metrics': plain('view-risk-metrics', 'ViewRiskMetrics', 'read risk figures'),
  'modify-risk-parameters': plain(
    'modify-risk-parameters',
    'ModifyRiskParameters',
    'change limits and leverage',
  ),
  'transfer-funds': plain('transfer-funds', 'TransferFunds', 'withdraw and transfer'),
};
