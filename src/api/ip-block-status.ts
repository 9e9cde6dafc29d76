/** The status of an IPBlock: what the operator found and did. It alone writes it. */
import { z } from 'zod';
import type { IPBlockStatus } from '#api/ip-block-types.ts';
import { networkGaps } from '#api/network-gap.ts';
import { count, freeText, keyedList, time } from '#api/schema/building-blocks.ts';
import { condition } from '#api/schema/every-kind.ts';

const backend = z
  .strictObject({
    name: z
      .enum(['NetworkPolicy', 'Cilium', 'Calico', 'ClusterNetworkPolicy', 'NodeAgent'])
      .meta({ title: 'BlockBackendName', description: 'What enforces it.' }),
    state: z
      .enum(['Enforced', 'PartiallyEnforced', 'Ineffective', 'Absent', 'Pending'])
      .meta({ title: 'BlockBackendState', description: 'How far it does.' }),
    message: freeText(1024, 'Why, for people.').exactOptional(),
    objects: count('How many objects stand for this block there.'),
    hits: count('How many packets or connections it stopped there, where that is counted.'),
  })
  .meta({ title: 'BlockBackend' });

const nodes = z
  .strictObject({
    ready: z.int().min(0).meta({ description: 'Nodes whose agent has applied this block.' }),
    total: z.int().min(0).meta({ description: 'Nodes that should.' }),
  })
  .meta({ title: 'BlockNodes', description: 'The node agents, where there are any.' });

const wouldCut = z
  .strictObject({
    podsAffected: z.int().min(0).meta({ description: 'Pods that would lose something.' }),
  })
  .meta({
    title: 'WouldCut',
    description: 'With the mode Observe: what the block would do if it were enforced.',
  });

const feed = z
  .strictObject({
    fetchedAt: time('When the copy in force was last fetched or found unchanged.').exactOptional(),
    changedAt: time('When the copy in force last changed.').exactOptional(),
    entries: count('How many entries of it are in force.'),
    skipped: count('How many were left out: private, reserved, or not understood.'),
    error: freeText(1024, 'Why the last attempt failed; absent after a good one.').exactOptional(),
  })
  .meta({ title: 'FeedStatus', description: 'The list that the feed gave last.' });

export const ipBlockStatusSchema: z.ZodType<IPBlockStatus> = z
  .strictObject({
    observedGeneration: count('The generation of the spec that this status is about.'),
    conditions: keyedList(condition, 'type', 16)
      .meta({ description: 'Ready, Reconciling, Stalled, Enforced and FeedReady.' })
      .exactOptional(),
    enforcement: z
      .enum(['Enforced', 'PartiallyEnforced', 'Ineffective', 'Observed', 'Expired', 'Pending'])
      .meta({ title: 'Enforcement', description: 'How far the block is enforced, in one word.' })
      .exactOptional(),
    expiresAt: time('When it ends; absent: when it is removed.').exactOptional(),
    owner: freeText(128, 'Who answers for it, as in `spec`.').exactOptional(),
    reason: freeText(1024, 'Why it is there, as in `spec`.').exactOptional(),
    addresses: freeText(
      40,
      'How many addresses it cuts off, without protected ones. A text, as IPv6 has more than an integer holds.',
    ).exactOptional(),
    ranges: count('In how many ranges these are.'),
    protectedRanges: z
      .array(z.string().max(256))
      .max(50)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description:
          'Ranges that were left out, each with the reason for which it is protected, at most 50 of them.',
      })
      .exactOptional(),
    protectedRangeCount: count(
      'How many ranges were left out, also those that `protectedRanges` does not hold.',
    ),
    backends: keyedList(backend, 'name', 8)
      .meta({ description: 'What enforces it, and how far.' })
      .exactOptional(),
    podsInScope: count('How many pods it is about.'),
    podsCut: count('How many of these are cut off from all of its addresses.'),
    nodes: nodes.exactOptional(),
    gapCount: count('How many gaps there are, also those that `gaps` does not hold.'),
    gaps: networkGaps,
    wouldCut: wouldCut.exactOptional(),
    feed: feed.exactOptional(),
    hits: count('How many packets or connections it stopped, where that is counted.'),
  })
  .meta({
    title: 'IPBlockStatus',
    description: 'What the operator found and did. It alone writes this.',
  });
