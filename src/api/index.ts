export type { AccessPolicy } from '#api/access-policy.ts';
export * from '#api/duration.ts';
export type { EmergencyAccess } from '#api/emergency-access.ts';
export * from '#api/exchange-credential.ts';
export * from '#api/exchanges.ts';
export * from '#api/fields.ts';
export type { IPBlock } from '#api/ip-block.ts';
export * from '#api/names.ts';
export {
  type Fault,
  validateAccessPolicy,
  validateEmergencyAccess,
  validateExchangeCredential,
  validateIPBlock,
} from '#api/validate.ts';
