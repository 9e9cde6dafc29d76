import { z } from 'zod';
import type { NetworkGap } from '#api/ip-block-types.ts';
import { count, freeText } from '#api/schema/building-blocks.ts';

const networkGap = z
  .strictObject({
    type: freeText(64, 'What kind of gap it is, as one word for machines.'),
    direction: z
      .enum(['Ingress', 'Egress'])
      .meta({ description: 'The direction concerned; absent: both, or none.' })
      .exactOptional(),
    namespace: freeText(253, 'The namespace concerned; absent: all, or none.').exactOptional(),
    networkPolicy: freeText(
      253,
      'The NetworkPolicy of others that is at fault, by its name in `namespace`.',
    ).exactOptional(),
    pods: z
      .array(z.string().max(253))
      .max(10)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'Pods concerned, by name, at most ten of them.',
      })
      .exactOptional(),
    podCount: count('How many pods are concerned, also those that `pods` does not hold.'),
    message: freeText(4096, 'What is not enforced, why, and what to do about it.'),
  })
  .meta({ title: 'NetworkGap' });

/** The gaps of a status, the worst first. */
export const networkGaps: z.ZodExactOptional<z.ZodType<readonly NetworkGap[]>> = z
  .array(networkGap)
  .max(100)
  .meta({
    'x-kubernetes-list-type': 'atomic',
    description: 'What is not enforced as it is written, the worst first, at most 100 of them.',
  })
  .exactOptional();
