/** What objects of every kind have. */
import { z } from 'zod';
import type { Condition } from '#api/exchange-credential-types.ts';
import type { ObjectMeta } from '#api/object-meta.ts';
import { freeText, time } from '#api/schema/building-blocks.ts';

/** The metadata, as far as a file of an object is checked. */
export const objectMetadata: z.ZodType<ObjectMeta> = z.looseObject({
  name: z.string(),
  namespace: z.string().exactOptional(),
  labels: z.record(z.string(), z.string()).exactOptional(),
  annotations: z.record(z.string(), z.string()).exactOptional(),
});

/** A condition of a status. */
export const condition: z.ZodType<Condition> = z
  .strictObject({
    type: freeText(316, 'What the condition is about.'),
    status: z.enum(['True', 'False', 'Unknown']).meta({ description: 'Whether it holds.' }),
    reason: freeText(1024, 'Why, as one word for machines.'),
    message: freeText(32_768, 'Why, for people; never a value of a secret.'),
    observedGeneration: z
      .int()
      .min(0)
      .meta({ description: 'The generation of the object that the condition was found for.' })
      .exactOptional(),
    lastTransitionTime: time('When `status` last changed.'),
  })
  .meta({ title: 'Condition' });
