import type { CompiledPolicy } from './compile.ts';
import type { CredentialFacts } from './request.ts';

type ByNamespace = ReadonlyMap<string, readonly number[]>;

/** Lists are kept as long as nothing changes, and asked for each policy. */
const known = new WeakMap<readonly CredentialFacts[], ByNamespace>();

/** The credentials that a policy selects, in the order given. */
export function reachOf(
  policy: CompiledPolicy,
  credentials: readonly CredentialFacts[],
): readonly CredentialFacts[] {
  if (policy.namespaces === '*') return credentials.filter((one) => policy.matches(one));
  const places = byNamespace(credentials);
  return policy.namespaces
    .flatMap((namespace) => places.get(namespace) ?? [])
    .sort((a, b) => a - b)
    .flatMap((place) => {
      const credential = credentials[place];
      return credential !== undefined && policy.matches(credential) ? [credential] : [];
    });
}

function byNamespace(credentials: readonly CredentialFacts[]): ByNamespace {
  const present = known.get(credentials);
  if (present !== undefined) return present;
  const places = new Map<string, number[]>();
  for (const [place, { namespace }] of credentials.entries()) {
    const list = places.get(namespace);
    if (list === undefined) places.set(namespace, [place]);
    else list.push(place);
  }
  known.set(credentials, places);
  return places;
}
