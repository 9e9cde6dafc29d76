/** Who may run pods that use which credentials. */
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import { serviceAccountIdentity } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import { possibleIndex } from '#access/possible-access.ts';
import type { PolicyIndex } from '#access/policy-index.ts';
import type { Decision } from '#access/request.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { AdmissionWorld } from './world.ts';

export type MountAnswer =
  | {
      readonly isAllowed: true;
      /** AccessPolicies that decided, at most 10 of them. */
      readonly policies: readonly string[];
    }
  | {
      readonly isAllowed: false;
      readonly policies: readonly string[];
      /** The first one that may not be mounted. */
      readonly credential: ExchangeCredential;
      readonly decision: Decision;
    };

const MAX_POLICIES = 10;

/**
 * Whether pods of an account of the credential's namespace may mount it at some time: constraints
 * of an Allow count as met, and a Deny takes away only what it denies without one. The credential is
 * taken as it is given, not as it is known.
 */
export function mayEverMount(
  world: Pick<AdmissionWorld, 'policyIndex' | 'policies'>,
  account: string,
  credential: ExchangeCredential,
): boolean {
  const identity = serviceAccountIdentity(credential.metadata.namespace ?? '', account);
  const index = possibleIndex(world.policyIndex(), world.policies());
  return mountDecision(index, identity, credential, 0).allowed;
}

/** Whether the identity may mount each of the credentials, which are all of one namespace. */
export function mayMount(
  world: Pick<AdmissionWorld, 'policyIndex'>,
  identity: Identity,
  credentials: readonly ExchangeCredential[],
  nowMs: number,
): MountAnswer {
  const index = world.policyIndex();
  const policies = new Set<string>();
  for (const credential of credentials) {
    const decision = mountDecision(index, identity, credential, nowMs);
    if (!decision.allowed) {
      return { isAllowed: false, policies: policiesOf(decision), credential, decision };
    }
    for (const { policy } of decision.rules) {
      if (policies.size < MAX_POLICIES) policies.add(policy);
    }
  }
  return { isAllowed: true, policies: [...policies] };
}

function mountDecision(
  index: Pick<PolicyIndex, 'about'>,
  identity: Identity,
  credential: ExchangeCredential,
  atMs: number,
): Decision {
  const target = { kind: 'Credential', credential: factsOf(credential) } as const;
  return decide(index, { identity, action: ACTIONS.mount, target, atMs });
}

function policiesOf({ rules }: Decision): readonly string[] {
  return rules.slice(0, MAX_POLICIES).map(({ policy }) => policy);
}
