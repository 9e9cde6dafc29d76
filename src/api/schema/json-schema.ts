import type { KindDefinition } from '#api/schema/kind.ts';
import { rootSchema } from '#api/schema/kind.ts';
import type { StructuralSchema } from '#api/schema/structural.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/**
 * A JSON Schema (draft 7, which editors know best) for files that hold objects of a kind. Stricter
 * than the CRD where a rule can be said in it: unknown fields, patterns, unions. Rules over several
 * fields are left to `strongroom validate` and the API server.
 */
export function emitJsonSchema(kind: KindDefinition): string {
  const { description, properties = {} } = rootSchema(kind);
  const schema = {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: kind.kind,
    description,
    type: 'object',
    required: ['apiVersion', 'kind', 'metadata', 'spec'],
    additionalProperties: false,
    properties: {
      apiVersion: { const: `${kind.group}/${kind.version}` },
      kind: { const: kind.kind },
      metadata: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } },
      spec: convert(properties['spec']),
      // Nobody writes it by hand; it is in files that were dumped from a cluster.
      status: { type: 'object' },
    },
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}

function convert(schema: StructuralSchema | undefined): JsonSchema {
  if (schema === undefined) return {};
  const { items, properties, additionalProperties, title: _title, ...rest } = schema;
  const keywords = Object.fromEntries(
    Object.entries(rest).filter(([keyword]) => !keyword.startsWith('x-')),
  );
  const pattern = schema['x-strongroom-pattern'];
  const message = schema['x-kubernetes-validations']?.[0]?.message;
  return {
    ...keywords,
    ...(pattern !== undefined && { pattern, patternErrorMessage: message }),
    ...(schema['x-strongroom-union'] === true && { minProperties: 1, maxProperties: 1 }),
    ...(items && { items: convert(items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, child]) => [name, convert(child)]),
      ),
    }),
    ...(schema.type === 'object' && {
      additionalProperties: additionalProperties ? convert(additionalProperties) : false,
    }),
  };
}
