/**
 * The exchanges that Strongroom knows by name. `Other` stands for any other one, whose name then is
 * in `spec.exchangeName`; a credential of a backing system (database, certificate) names none.
 */
export const EXCHANGES = [
  'Hyperliquid',
  'Phemex',
  'Binance',
  'Bybit',
  'OKX',
  'Kraken',
  'Coinbase',
  'Deribit',
  'Gate',
  'KuCoin',
  'dYdX',
  'Other',
] as const;
export type Exchange = (typeof EXCHANGES)[number];

/** What a policy selects exchanges by: `*` is every one, and credentials that have none. */
export type ExchangeSelector = Exchange | '*';

/**
 * The name of the exchange that seals and vault entries are bound to: empty for backing systems,
 * `exchangeName` for Other.
 */
export function boundExchange(spec: {
  readonly exchange?: Exchange;
  readonly exchangeName?: string;
}): string {
  if (spec.exchange === 'Other') return spec.exchangeName ?? '';
  return spec.exchange ?? '';
}
