/** Refusals for want of what an account may do: who, what, which credential, and what would be needed. */
import { ACTIONS } from '#access/actions.ts';
import { decide } from '#access/decide.ts';
import { factsOf } from '#access/facts.ts';
import type { Identity } from '#access/identity.ts';
import { possibleIndex } from '#access/possible-access.ts';
import type { Decision } from '#access/request.ts';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { explainHint } from '../explain-command.ts';
import { refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { describeRight } from '../what-account-may.ts';
import type { AccountRight } from '../what-account-may.ts';
import type { MountAnswer } from '../who-may-mount.ts';
import type { AdmissionWorld } from '../world.ts';

/** `trading/maker` */
export function nameOf({ metadata }: ExchangeCredential): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}

/** `AccessSecrets at Read for trading/maker` */
function needsText({ needs }: Decision, credential: ExchangeCredential): string {
  return `${needs.anyOf.join(' or ')} at ${needs.level} for ${nameOf(credential)}`;
}

/**
 * @param what who wants what, as a sentence that says why the credential matters
 * @param who has to have it: `alice`, or `ServiceAccount trading/maker`
 */
export function mountRefusal(
  what: string,
  who: string,
  identity: Identity,
  { decision, credential, policies }: MountAnswer & { readonly isAllowed: false },
  world: Pick<AdmissionWorld, 'policyIndex' | 'policies'>,
): Verdict {
  const isDenied = decision.reason === 'Denied';
  const needed = needsText(decision, credential);
  return refuse(
    isDenied ? 'Denied' : 'NotGranted',
    `${what}; ${who} needs ${needed}, ${whyNot(isDenied, identity, credential, world)}`,
    { policies },
  );
}

/** @param what who wants what, such that it goes on with ", which AccessPolicy … gives". */
export function accountRefusal(what: string, who: string, right: AccountRight): Verdict {
  return refuse(
    'BeyondOwnRights',
    `${what}, which AccessPolicy ${right.policy} gives ${describeRight(right)}; who acts as an account needs all that it may do, and ${who} does not hold that (now): let somebody do it who does, or ask whoever writes AccessPolicies`,
  );
}

function whyNot(
  isDenied: boolean,
  identity: Identity,
  credential: ExchangeCredential,
  world: Pick<AdmissionWorld, 'policyIndex' | 'policies'>,
): string {
  const { namespace = '', name } = credential.metadata;
  const ask = `ask whoever writes AccessPolicies; ${explainHint({ namespace, name }, identity)}`;
  if (isDenied) return `and an AccessPolicy denies it: ${ask}`;
  const possible = possibleIndex(world.policyIndex(), world.policies());
  const isEver = decide(possible, {
    identity,
    action: ACTIONS.mount,
    target: { kind: 'Credential', credential: factsOf(credential) },
    atMs: 0,
  }).allowed;
  return isEver
    ? `and has it only at other times, or from addresses, which admission does not know: ${ask}`
    : `and no AccessPolicy gives it: ${ask}`;
}
