import type { ExchangeCredential } from '#api/exchange-credential-types.ts';

/**
 * Names of the Secrets that hold a credential's value, or are to hold it: what it is delivered to now
 * or soon, and its source. Each once.
 */
export function guardedSecretsOf({
  spec,
  status,
}: Pick<ExchangeCredential, 'spec' | 'status'>): readonly string[] {
  const names = [
    spec.delivery.secret?.name,
    status?.delivery?.secretName,
    spec.source.secretRef?.name,
  ];
  return [...new Set(names.filter((name) => name !== undefined))];
}
