/** The status of an AccessPolicy: what the operator found and did. It alone writes it. */
import { z } from 'zod';
import type { AccessPolicyStatus } from '#api/access-policy-types.ts';
import { networkGaps } from '#api/network-gap.ts';
import { count, freeText, keyedList } from '#api/schema/building-blocks.ts';
import { condition } from '#api/schema/every-kind.ts';

const finding = z
  .strictObject({
    type: freeText(64, 'What kind of finding it is, as one word for machines.'),
    severity: z
      .enum(['Info', 'Warning', 'Critical'])
      .meta({ description: 'Critical: somebody can get at a value without a policy.' }),
    namespace: freeText(253, 'The namespace concerned; absent: all, or none.').exactOptional(),
    subject: freeText(
      1024,
      'Whom it is about, such as `User alice`, `Group desk-mm`, `ServiceAccount trading/maker`.',
    ).exactOptional(),
    via: freeText(
      1024,
      'The objects that give it, such as `RoleBinding trading/debug to ClusterRole edit`.',
    ).exactOptional(),
    message: freeText(4096, 'What it means, for people.'),
  })
  .meta({ title: 'Finding' });

const network = z
  .strictObject({
    pods: z.int().min(0).meta({ description: 'How many pods it is about.' }),
    policies: z.int().min(0).meta({ description: 'How many NetworkPolicies stand for it.' }),
  })
  .meta({ title: 'PolicyNetworkStatus', description: 'What became of `spec.network`.' });

export const accessStatusSchema: z.ZodType<AccessPolicyStatus> = z
  .strictObject({
    observedGeneration: count('The generation of the spec that this status is about.'),
    conditions: keyedList(condition, 'type', 16)
      .meta({
        description: 'Ready, Reconciling, Stalled, AccessGranted, Undermined and NetworkApplied.',
      })
      .exactOptional(),
    subjects: count('How many subjects it names.'),
    credentials: count('How many credentials it selects.'),
    namespaces: count('In how many namespaces these are.'),
    rbacObjects: count('How many Roles and RoleBindings stand for this policy.'),
    findingCount: count('How many findings there are, also those that `findings` does not hold.'),
    findings: z
      .array(finding)
      .max(100)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'What somebody should look at, the worst first, at most 100 of them.',
      })
      .exactOptional(),
    network: network.exactOptional(),
    gapCount: count('How many gaps the network has, also those that `gaps` does not hold.'),
    gaps: networkGaps,
  })
  .meta({
    title: 'AccessPolicyStatus',
    description: 'What the operator found and did. It alone writes this.',
  });
