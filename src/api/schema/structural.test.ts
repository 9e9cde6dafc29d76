import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { toStructural } from '#api/schema/structural.ts';

describe('toStructural', () => {
  test('converts what a CRD can say', () => {
    const schema = z
      .strictObject({
        name: z.string().max(10).meta({ description: 'A name.' }),
        mode: z.enum(['A', 'B']).exactOptional(),
        kind: z.literal('K'),
        count: z.int().min(1),
        on: z.boolean().exactOptional(),
        map: z.record(z.string(), z.string().max(5)).meta({ maxProperties: 3 }),
        list: z
          .array(z.strictObject({ key: z.string().max(5) }))
          .max(2)
          .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['key'] }),
        empty: z.strictObject({}),
      })
      .meta({ title: 'Thing' });
    expect(toStructural(schema)).toEqual({
      title: 'Thing',
      type: 'object',
      required: ['name', 'kind', 'count', 'map', 'list', 'empty'],
      properties: {
        name: { type: 'string', maxLength: 10, description: 'A name.' },
        mode: { type: 'string', enum: ['A', 'B'] },
        kind: { type: 'string', enum: ['K'] },
        count: { type: 'integer', minimum: 1 },
        on: { type: 'boolean' },
        map: {
          type: 'object',
          maxProperties: 3,
          additionalProperties: { type: 'string', maxLength: 5 },
        },
        list: {
          type: 'array',
          maxItems: 2,
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-list-map-keys': ['key'],
          items: {
            type: 'object',
            required: ['key'],
            properties: { key: { type: 'string', maxLength: 5 } },
          },
        },
        empty: { type: 'object' },
      },
    });
  });

  test.each([
    ['a union', z.union([z.string(), z.int()]), 'anyOf'],
    [
      'a discriminated union',
      z.discriminatedUnion('t', [z.object({ t: z.literal('a') }), z.object({ t: z.literal('b') })]),
      'oneOf',
    ],
    ['a default, which GitOps tools would see as drift', z.string().default('x'), 'default'],
    ['a pattern, whose failure repeats the value', z.string().regex(/^a$/), 'pattern'],
    ['null', z.string().nullable(), 'nullable'],
  ])('refuses %s', (_what, schema, keyword) => {
    expect(() => toStructural(z.strictObject({ field: schema }))).toThrow(
      new RegExp(`^\\$\\.field: .*${keyword}`),
    );
  });
});
