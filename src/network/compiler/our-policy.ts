import { createHash } from 'node:crypto';
import { LABELS } from '#api/names.ts';
import type { NetworkPolicy } from '#kube/objects.ts';

export const OUR_POLICY_PREFIX = 'strongroom-';

export const OUR_POLICY_LABELS: Readonly<Record<string, string>> = {
  [LABELS.managedBy]: 'strongroom',
  [LABELS.component]: 'network',
};

/** By its labels: who may write NetworkPolicies in a guarded namespace may take the name too. */
export function isOurPolicy({ metadata }: NetworkPolicy): boolean {
  return Object.entries(OUR_POLICY_LABELS).every(
    ([key, value]) => metadata.labels?.[key] === value,
  );
}

/** Names of NetworkPolicies have 253 characters; the longest name of a part, and what is around. */
const LONGEST_SET = 180;

/** A set of policies that select the same pods; kinds and names never make the same one twice. */
export function accountSetName(account: string): string {
  const name = `account-${account}`;
  if (name.length <= LONGEST_SET) return name;
  return `longaccount-${createHash('sha256').update(account).digest('hex').slice(0, 40)}`;
}

const PART = `${OUR_POLICY_PREFIX}part-`;
const OF = '-of-';

/** @param part empty for the base of the set */
export function policyName(set: string, part: string): string {
  return part === '' ? `${OUR_POLICY_PREFIX}${set}` : `${PART}${part}${OF}${set}`;
}

/** Whether it is a policy, or a part of one, of the set of that name. */
export function isOfSet({ metadata: { name } }: NetworkPolicy, set: string): boolean {
  // No part has `of` in its name, so the first one is where the set's begins; an account's may have it.
  const part = name.startsWith(PART) ? name.slice(PART.length).split(OF, 1)[0] : '';
  return name === policyName(set, part ?? '');
}
