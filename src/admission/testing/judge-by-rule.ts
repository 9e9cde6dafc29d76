/** What CEL answers by a compiled rule, in TypeScript: the tests compare both. */
import { SYSTEM_MASTERS, isAnonymous } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import type { AccessEffect, AccessRule } from '#api/namespace-access.ts';
import { ANYONE } from '../twin/compile-access.ts';

/** `Undecided`: it hangs on something that the rule does not know. */
export type RuleAnswer = 'Yes' | 'No' | 'Undecided';

/** Whether the identity may use what the rule is about. */
export function mayUse(rule: AccessRule, identity: Identity): RuleAnswer {
  if (identity.groups.includes(SYSTEM_MASTERS)) return 'Yes';
  const effects = effectsOf(rule, identity);
  if (effects.has('Deny')) return 'No';
  if (effects.has('MayDeny')) return 'Undecided';
  if (effects.has('Allow')) return 'Yes';
  return effects.has('MayAllow') ? 'Undecided' : 'No';
}

function effectsOf({ subjects }: AccessRule, identity: Identity): ReadonlySet<AccessEffect> {
  if (isAnonymous(identity)) return new Set();
  const keys = [
    `User:${identity.username}`,
    ANYONE,
    ...identity.groups.map((group) => `Group:${group}`),
  ];
  return new Set(
    keys.flatMap((key) => (Object.hasOwn(subjects, key) ? (subjects[key] ?? []) : [])),
  );
}
