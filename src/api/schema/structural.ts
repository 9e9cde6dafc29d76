import { z } from 'zod';
import type { ValidationRule } from '#api/schema/rule.ts';

/**
 * A structural schema (Kubernetes' subset of OpenAPI 3.0), with annotations of our own that the
 * emitters use and leave out: `title`, the name of the TypeScript type, and `x-strongroom-*`.
 */
export interface StructuralSchema {
  readonly title?: string;
  readonly description?: string;
  readonly type: 'object' | 'array' | 'string' | 'integer' | 'boolean';
  readonly format?: string;
  readonly enum?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly items?: StructuralSchema;
  readonly maxProperties?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, StructuralSchema>>;
  readonly additionalProperties?: StructuralSchema;
  readonly 'x-kubernetes-list-type'?: 'map' | 'set' | 'atomic';
  readonly 'x-kubernetes-list-map-keys'?: readonly string[];
  readonly 'x-kubernetes-map-type'?: 'granular' | 'atomic';
  readonly 'x-kubernetes-validations'?: readonly ValidationRule[];
  /** What a rule matches the string against; editors show it while one types. */
  readonly 'x-strongroom-pattern'?: string;
  /** Exactly one of the properties is given; a rule says so to the API server. */
  readonly 'x-strongroom-union'?: true;
}

/** The keywords that may stand in a node; anything else is a mistake in our own schema. */
const KEYWORDS: readonly string[] = [
  'title',
  'description',
  'type',
  'format',
  'enum',
  'minLength',
  'maxLength',
  'minimum',
  'maximum',
  'minItems',
  'maxItems',
  'items',
  'maxProperties',
  'required',
  'properties',
  'additionalProperties',
  'x-kubernetes-list-type',
  'x-kubernetes-list-map-keys',
  'x-kubernetes-map-type',
  'x-kubernetes-validations',
  'x-strongroom-pattern',
  'x-strongroom-union',
];

/**
 * The structural schema of a zod schema.
 *
 * zod's own conversion is nearly legal; this takes out what is not: `additionalProperties: false`
 * beside properties (the API server prunes unknown fields itself) and the bounds ±2^53 of integers.
 * @throws Error for anything that a structural schema cannot say, such as a union or a default.
 */
export function toStructural(schema: z.ZodType): StructuralSchema {
  return convert(z.toJSONSchema(schema, { target: 'openapi-3.0', io: 'input' }), '$');
}

function convert(node: unknown, at: string): StructuralSchema {
  if (!isNode(node)) throw new Error(`${at}: not a schema`);
  const foreign = Object.keys(node).filter((key) => !KEYWORDS.includes(key));
  if (foreign.length > 0) {
    throw new Error(`${at}: ${foreign.join(', ')} has no place in a structural schema`);
  }
  const { properties, additionalProperties, items, minimum, maximum, ...rest } = node;
  const children = isNode(properties) ? Object.entries(properties) : [];
  return {
    ...(rest as Omit<StructuralSchema, 'properties' | 'additionalProperties' | 'items'>),
    ...(isBound(minimum) && { minimum }),
    ...(isBound(maximum) && { maximum }),
    ...(items !== undefined && { items: convert(items, `${at}[]`) }),
    ...(children.length > 0 && {
      properties: Object.fromEntries(
        children.map(([name, child]) => [name, convert(child, `${at}.${name}`)]),
      ),
    }),
    ...(isNode(additionalProperties) && {
      additionalProperties: convert(additionalProperties, `${at}.*`),
    }),
  };
}

function isNode(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** zod writes the limits of exact integers where no limit was asked for. */
function isBound(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) < Number.MAX_SAFE_INTEGER;
}
