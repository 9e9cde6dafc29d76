import type { NamespaceAccess } from '#api/namespace-access-types.ts';

export type * from '#api/namespace-access-types.ts';

/** Where NamespaceAccesses live in the API. Plain data: it satisfies the client's descriptor. */
export const NAMESPACE_ACCESSES: {
  readonly group: 'strongroom.dev';
  readonly version: 'v1alpha1';
  readonly kind: 'NamespaceAccess';
  readonly plural: 'namespaceaccesses';
  readonly namespaced: true;
  readonly _type?: NamespaceAccess;
} = {
  group: 'strongroom.dev',
  version: 'v1alpha1',
  kind: 'NamespaceAccess',
  plural: 'namespaceaccesses',
  namespaced: true,
};
