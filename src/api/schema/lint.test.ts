import { describe, expect, test } from 'vitest';
import { accessPolicyKind } from '#api/access-policy-kind.ts';
import { emergencyAccessKind } from '#api/emergency-access-kind.ts';
import { exchangeCredentialKind } from '#api/exchange-credential-kind.ts';
import { ipBlockKind } from '#api/ip-block-kind.ts';
import { namespaceAccessKind } from '#api/namespace-access-kind.ts';
import { lintSchema } from '#api/schema/lint.ts';
import type { StructuralSchema } from '#api/schema/structural.ts';
import { toStructural } from '#api/schema/structural.ts';

const rule = { rule: 'true', message: 'no' };

const FAULTY: readonly (readonly [string, StructuralSchema, string])[] = [
  ['an unbounded string', { type: 'string' }, '$: a string needs maxLength'],
  [
    'an unbounded list',
    { type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'boolean' } },
    '$: a list needs maxItems',
  ],
  [
    'an unbounded map',
    { type: 'object', additionalProperties: { type: 'boolean' } },
    '$: a map needs maxProperties',
  ],
  [
    'an unbounded string in a map',
    { type: 'object', maxProperties: 1, additionalProperties: { type: 'string' } },
    '$.*: a string needs maxLength',
  ],
  [
    'properties beside additionalProperties',
    {
      type: 'object',
      maxProperties: 1,
      properties: { a: { type: 'boolean', description: 'a' } },
      additionalProperties: { type: 'boolean' },
    },
    '$: properties and additionalProperties exclude each other',
  ],
  [
    'a required property that is none',
    { type: 'object', required: ['a'] },
    '$: required a is no property',
  ],
  [
    'a property without description',
    { type: 'object', properties: { a: { type: 'boolean' } } },
    '$.a: description is missing',
  ],
  ['a list without items', { type: 'array', maxItems: 1 }, '$: items is missing'],
  [
    'a list without list type',
    { type: 'array', maxItems: 1, items: { type: 'boolean' } },
    '$: x-kubernetes-list-type is missing',
  ],
  [
    'a keyed list without keys',
    {
      type: 'array',
      maxItems: 1,
      'x-kubernetes-list-type': 'map',
      items: { type: 'object' },
    },
    '$: a list of type map needs x-kubernetes-list-map-keys',
  ],
  [
    'a list key that may be absent',
    {
      type: 'array',
      maxItems: 1,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['a'],
      items: { type: 'object', properties: { a: { type: 'boolean', description: 'a' } } },
    },
    '$: the list key a must be a required property of the items',
  ],
  [
    'an empty rule',
    { type: 'object', 'x-kubernetes-validations': [{ ...rule, rule: ' ' }] },
    '$: a rule is empty or has outer spaces',
  ],
  [
    'a message of two lines',
    { type: 'object', 'x-kubernetes-validations': [{ ...rule, message: 'a\nb' }] },
    '$: a message is one line of at most 2048 characters',
  ],
  [
    'a fieldPath that leads nowhere',
    { type: 'object', 'x-kubernetes-validations': [{ ...rule, fieldPath: '.a.b' }] },
    '$: fieldPath .a.b leads to no field',
  ],
  [
    'a rule on a string whose failure repeats the string',
    { type: 'string', maxLength: 1, 'x-kubernetes-validations': [rule] },
    '$: the API server would repeat the value when this rule fails; set its reason',
  ],
];

describe('lintSchema', () => {
  test.each(FAULTY)('finds %s', (_what, schema, fault) => {
    expect(lintSchema(schema)).toEqual([fault]);
  });

  test.each(
    [
      exchangeCredentialKind,
      accessPolicyKind,
      ipBlockKind,
      emergencyAccessKind,
      namespaceAccessKind,
    ].flatMap((kind) => [
      { kind: kind.kind, part: 'spec', schema: kind.spec },
      ...(kind.status ? [{ kind: kind.kind, part: 'status', schema: kind.status }] : []),
    ]),
  )('finds nothing in the $part of $kind', ({ schema }) => {
    expect(lintSchema(toStructural(schema))).toEqual([]);
  });
});
