import type { IPBlock } from '#api/ip-block-types.ts';

export type * from '#api/ip-block-types.ts';

/** Where IPBlocks live in the API. Plain data: it satisfies the client's descriptor. */
export const IP_BLOCKS: {
  readonly group: 'strongroom.dev';
  readonly version: 'v1alpha1';
  readonly kind: 'IPBlock';
  readonly plural: 'ipblocks';
  readonly namespaced: false;
  readonly _type?: IPBlock;
} = {
  group: 'strongroom.dev',
  version: 'v1alpha1',
  kind: 'IPBlock',
  plural: 'ipblocks',
  namespaced: false,
};
