/**
 * What policies may give at some time or from somewhere: whoever acts for somebody else must be
 * allowed whatever that one may ever be. The other side of what always stands.
 */
import type { AccessPolicy } from '#api/access-policy.ts';
import { compilePolicy } from './compile.ts';
import { createPolicyIndex } from './policy-index.ts';
import type { PolicyIndex } from './policy-index.ts';

const known = new WeakMap<PolicyIndex, PolicyIndex>();

/**
 * The constraints of an Allow count as met, and a Deny under a constraint as one that does not
 * apply. Made once for an index; `policies` are those that it was made of.
 */
export function possibleIndex(index: PolicyIndex, policies: readonly AccessPolicy[]): PolicyIndex {
  const present = known.get(index);
  if (present !== undefined) return present;
  const made = createPolicyIndex(policies.flatMap(possiblePolicy));
  known.set(index, made);
  return made;
}

function possiblePolicy(policy: AccessPolicy): readonly AccessPolicy[] {
  const { constrained, effect } = compilePolicy(policy);
  if (!constrained) return [policy];
  if (effect === 'Deny') return [];
  const { constraints: _constraints, ...spec } = policy.spec;
  return [{ ...policy, spec }];
}
