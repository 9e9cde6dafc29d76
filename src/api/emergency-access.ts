import type { EmergencyAccess } from '#api/emergency-access-types.ts';

export type * from '#api/emergency-access-types.ts';

/** Where EmergencyAccesses live in the API. Plain data: it satisfies the client's descriptor. */
export const EMERGENCY_ACCESSES: {
  readonly group: 'strongroom.dev';
  readonly version: 'v1alpha1';
  readonly kind: 'EmergencyAccess';
  readonly plural: 'emergencyaccesses';
  readonly namespaced: true;
  readonly _type?: EmergencyAccess;
} = {
  group: 'strongroom.dev',
  version: 'v1alpha1',
  kind: 'EmergencyAccess',
  plural: 'emergencyaccesses',
  namespaced: true,
};
