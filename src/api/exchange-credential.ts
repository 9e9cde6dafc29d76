import type { ExchangeCredential } from '#api/exchange-credential-types.ts';

export type * from '#api/exchange-credential-types.ts';

/** Where ExchangeCredentials live in the API. Plain data: it satisfies the client's descriptor. */
export const EXCHANGE_CREDENTIALS: {
  readonly group: 'strongroom.dev';
  readonly version: 'v1alpha1';
  readonly kind: 'ExchangeCredential';
  readonly plural: 'exchangecredentials';
  readonly namespaced: true;
  readonly _type?: ExchangeCredential;
} = {
  group: 'strongroom.dev',
  version: 'v1alpha1',
  kind: 'ExchangeCredential',
  plural: 'exchangecredentials',
  namespaced: true,
};
