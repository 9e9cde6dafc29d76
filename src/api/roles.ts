/** The vocabulary of access: permissions, levels, and the roles that are built in. */

export const PERMISSIONS = [
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
] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** From the least to the greatest. Levels are compared by their place here, never as strings. */
export const ACCESS_LEVELS = ['Read', 'Write', 'Admin', 'Emergency'] as const;
export type AccessLevel = (typeof ACCESS_LEVELS)[number];

export const ROLES = [
  'Trader',
  'RiskAnalyst',
  'SystemAdmin',
  'SecurityAdmin',
  'ComplianceOfficer',
  'EmergencyResponder',
] as const;
export type Role = (typeof ROLES)[number];

/** What each role permits. None permits TransferFunds: only a policy that names it does. */
export const ROLE_PERMISSIONS: Readonly<Record<Role, readonly Permission[]>> = {
  Trader: ['ReadMarketData', 'PlaceOrders', 'ManagePositions', 'ViewRiskMetrics'],
  RiskAnalyst: ['ReadMarketData', 'ViewRiskMetrics', 'ModifyRiskParameters', 'ViewAuditLogs'],
  SystemAdmin: ['ReadMarketData', 'AccessSecrets', 'ManageUsers', 'ViewAuditLogs'],
  SecurityAdmin: [
    'AccessSecrets',
    'ManageUsers',
    'ViewAuditLogs',
    'EmergencyOverride',
    'ManageNetworkBlocks',
  ],
  ComplianceOfficer: ['ReadMarketData', 'ViewRiskMetrics', 'ViewAuditLogs'],
  EmergencyResponder: [
    'ReadMarketData',
    'ManagePositions',
    'ViewRiskMetrics',
    'EmergencyOverride',
    'ManageNetworkBlocks',
  ],
};

export const ENVIRONMENTS = ['Development', 'Staging', 'Production'] as const;
