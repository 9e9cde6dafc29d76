/**
 * The schema of NamespaceAccess: what AccessPolicies say of one namespace, compiled so that CEL can
 * read it. The operator alone writes it. There are no rules in it: they would cost on every write
 * of a large object, and what the operator writes is tested where it is compiled.
 */
import { z } from 'zod';
import type { NamespaceAccessSpec } from '#api/namespace-access-types.ts';
import { freeText, map } from '#api/schema/building-blocks.ts';

/** Far more than fits into an object: what is too large is written as incomplete. */
const MAX_ENTRIES = 20_000;
const MAX_RULES_OF_ONE = 1_000;
/** Characters of a description. */
const MAX_RIGHT = 1_024;
/** Of names that are on their way out. */
const MAX_FORMER = 1_000;

const subjects = map(
  z.enum(['Allow', 'Deny', 'MayAllow', 'MayDeny']).meta({ title: 'AccessEffect' }),
  MAX_ENTRIES,
).meta({
  description:
    'What holds for whom: `User:<name>`, `Group:<name>` or `Anyone`; a ServiceAccount is the User that it authenticates as. With May-, constraints decide, which only the webhook knows. A Deny wins, then a MayDeny, then an Allow, then a MayAllow; nothing of all this is no.',
});

const rule = z.strictObject({ subjects }).meta({ title: 'AccessRule' });

const accountRule = z
  .strictObject({
    right: freeText(MAX_RIGHT, 'One of the rights that it is about, for messages.'),
    subjects,
  })
  .meta({ title: 'AccountRule' });

export const namespaceAccessSpecSchema: z.ZodType<NamespaceAccessSpec> = z
  .strictObject({
    secrets: map(
      z.array(z.int().min(0)).max(MAX_RULES_OF_ONE).meta({ 'x-kubernetes-list-type': 'atomic' }),
      MAX_ENTRIES,
    )
      .meta({
        description:
          'The guarded Secrets of the namespace, each with the places of its rules in `rules`. All of these must allow.',
      })
      .exactOptional(),
    rules: z
      .array(rule)
      .max(MAX_ENTRIES)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'Who may mount; Secrets with the same answers share a rule.',
      })
      .exactOptional(),
    accounts: map(
      z.array(z.int().min(0)).max(MAX_RULES_OF_ONE).meta({ 'x-kubernetes-list-type': 'atomic' }),
      MAX_ENTRIES,
    )
      .meta({
        description:
          'ServiceAccounts of the namespace that policies let do anything, each with the places of its rules in `accountRules`, all of which must allow whoever runs pods as it; `*` for those that are not named.',
      })
      .exactOptional(),
    accountRules: z
      .array(accountRule)
      .max(MAX_ENTRIES)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description:
          'Who holds a right of a ServiceAccount: the same permission at its level, over all that it is about.',
      })
      .exactOptional(),
    formerSecrets: z
      .array(freeText(253, 'Name of a Secret.'))
      .max(MAX_FORMER)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description:
          'Secrets that were guarded and are not any more, while pods still use them: the pods have what was in them, and only emergency access leads into those.',
      })
      .exactOptional(),
    incomplete: z
      .boolean()
      .meta({
        description:
          'Whether it did not fit in, so that only the webhook can decide here; secrets, accounts and their rules are absent then. Absent: false.',
      })
      .exactOptional(),
  })
  .meta({
    title: 'NamespaceAccessSpec',
    // One owner, who writes all of it: else the bookkeeping of fields is larger than the object.
    'x-kubernetes-map-type': 'atomic',
    description:
      'Who may mount which guarded Secret of the namespace, and who may act as which ServiceAccount.',
  });
