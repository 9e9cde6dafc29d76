import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { CredentialFacts } from './request.ts';

const known = new WeakMap<ExchangeCredential, CredentialFacts>();

/** What policies select a credential by. Made once for an object: objects of a cache never change. */
export function factsOf(credential: ExchangeCredential): CredentialFacts {
  const present = known.get(credential);
  if (present !== undefined) return present;
  const { metadata, spec } = credential;
  const facts: CredentialFacts = {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    labels: metadata.labels ?? {},
    ...(spec.exchange !== undefined && { exchange: spec.exchange }),
    environment: spec.environment,
    ...(spec.minimumAccessLevel !== undefined && { minimumAccessLevel: spec.minimumAccessLevel }),
  };
  known.set(credential, facts);
  return facts;
}
