import type { CompiledPolicy } from './compile.ts';
import type { CredentialFacts } from './request.ts';

/** The credentials that a policy selects, in the order given. */
export function reachOf(
  policy: CompiledPolicy,
  credentials: readonly CredentialFacts[],
): readonly CredentialFacts[] {
  return credentials.filter((credential) => policy.matches(credential));
}
