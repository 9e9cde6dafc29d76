/** The status of an EmergencyAccess: what came of it. The operator alone writes it. */
import { z } from 'zod';
import type { EmergencyAccessStatus } from '#api/emergency-access-types.ts';
import { count, freeText, keyedList, time } from '#api/schema/building-blocks.ts';
import { condition } from '#api/schema/every-kind.ts';

const requester = z
  .strictObject({
    username: freeText(512, 'The name, as the API server verified it.'),
    uid: freeText(512, 'The UID, where the API server knows one.').exactOptional(),
  })
  .meta({ title: 'EmergencyRequester' });

const approval = z
  .strictObject({
    username: freeText(512, 'Who, as the API server verified it.'),
    uid: freeText(512, 'The UID, where the API server knows one.').exactOptional(),
    at: time('When.'),
    reason: freeText(1024, 'Why.'),
    self: z.boolean().meta({ description: 'Whether the subject approved it alone.' }),
  })
  .meta({ title: 'EmergencyApproval' });

const credential = z
  .strictObject({
    name: freeText(253, 'Name of the ExchangeCredential.'),
    version: z
      .int()
      .min(0)
      .meta({ description: 'The newest version that was current while the access was active.' })
      .exactOptional(),
    rotated: z.boolean().meta({
      description:
        'Whether a newer version has taken its place since, so that what was read is old.',
    }),
  })
  .meta({ title: 'EmergencyCredential' });

const use = z
  .strictObject({
    replica: freeText(253, 'The replica of the operator that counted.'),
    count: z.int().min(0).meta({ description: 'How often it admitted something by this access.' }),
    lastUsedAt: time('When it last did.'),
  })
  .meta({ title: 'EmergencyUse' });

const review = z
  .strictObject({
    by: freeText(512, 'Who closed it, as the API server verified it.'),
    at: time('When.'),
    finding: freeText(1024, 'What was found.'),
  })
  .meta({ title: 'EmergencyReview', description: 'The review after its end; absent until then.' });

export const emergencyAccessStatusSchema: z.ZodType<EmergencyAccessStatus> = z
  .strictObject({
    observedGeneration: count('The generation of the spec that this status is about.'),
    conditions: keyedList(condition, 'type', 16)
      .meta({ description: 'Ready, Reconciling, Stalled, Active and Reviewed.' })
      .exactOptional(),
    state: z
      .enum(['Pending', 'Approved', 'Active', 'Expired', 'Revoked', 'Denied'])
      .meta({ title: 'EmergencyState', description: 'Where it stands, in one word.' })
      .exactOptional(),
    requestedBy: requester.meta({ description: 'Who created it.' }).exactOptional(),
    approvalsNeeded: count('How many people must approve it.'),
    approvals: z
      .array(approval)
      .max(32)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'Who approved it, in the order of time.',
      })
      .exactOptional(),
    activatedAt: time('When the access began.').exactOptional(),
    expiresAt: time('When it ends at the latest, by the clock of the cluster.').exactOptional(),
    endedAt: time('When it ended.').exactOptional(),
    endedBy: freeText(
      512,
      'Who ended it early or turned it down, as the API server verified it.',
    ).exactOptional(),
    serviceAccount: freeText(
      253,
      'ServiceAccount of this namespace whose tokens read the delivered Secrets, while it is active.',
    ).exactOptional(),
    credentials: keyedList(credential, 'name', 1000)
      .meta({ description: 'The credentials that were reachable by it.' })
      .exactOptional(),
    uses: keyedList(use, 'replica', 32)
      .meta({ description: 'How it was used, by replica of the operator.' })
      .exactOptional(),
    useCount: count('How often something was admitted by it.'),
    review: review.exactOptional(),
  })
  .meta({
    title: 'EmergencyAccessStatus',
    description: 'What came of it. The operator alone writes this.',
  });
