import type { AccessPolicy } from '#api/access-policy-types.ts';

export type * from '#api/access-policy-types.ts';

/** Where AccessPolicies live in the API. Plain data: it satisfies the client's descriptor. */
export const ACCESS_POLICIES: {
  readonly group: 'strongroom.dev';
  readonly version: 'v1alpha1';
  readonly kind: 'AccessPolicy';
  readonly plural: 'accesspolicies';
  readonly namespaced: false;
  readonly _type?: AccessPolicy;
} = {
  group: 'strongroom.dev',
  version: 'v1alpha1',
  kind: 'AccessPolicy',
  plural: 'accesspolicies',
  namespaced: false,
};
