import type { StructuralSchema } from '#api/schema/structural.ts';

/**
 * What is wrong with a schema, as `path: fault`: the rules that the API server enforces only when
 * the CRD is applied, or not at all, and those that Strongroom sets itself.
 */
export function lintSchema(schema: StructuralSchema, path = '$'): readonly string[] {
  const faults = lintNode(schema).map((fault) => `${path}: ${fault}`);
  for (const [name, child] of Object.entries(schema.properties ?? {})) {
    if (child.description === undefined) faults.push(`${path}.${name}: description is missing`);
    faults.push(...lintSchema(child, `${path}.${name}`));
  }
  if (schema.items !== undefined) faults.push(...lintSchema(schema.items, `${path}[]`));
  if (schema.additionalProperties !== undefined) {
    faults.push(...lintSchema(schema.additionalProperties, `${path}.*`));
  }
  return faults;
}

function lintNode(schema: StructuralSchema): string[] {
  return [...lintBounds(schema), ...lintShape(schema), ...lintRules(schema)];
}

/** Without bounds the API server's estimate of what a rule costs has no bound either. */
function lintBounds(schema: StructuralSchema): string[] {
  const isBoundedString =
    schema.enum !== undefined || schema.maxLength !== undefined || schema.format !== undefined;
  if (schema.type === 'string' && !isBoundedString) return ['a string needs maxLength'];
  if (schema.type === 'array' && schema.maxItems === undefined) return ['a list needs maxItems'];
  if (schema.additionalProperties !== undefined && schema.maxProperties === undefined) {
    return ['a map needs maxProperties'];
  }
  return [];
}

function lintShape(schema: StructuralSchema): string[] {
  const faults: string[] = [];
  const { type, properties = {} } = schema;
  if (type === undefined) faults.push('type is missing');
  if (schema.properties !== undefined && schema.additionalProperties !== undefined) {
    faults.push('properties and additionalProperties exclude each other');
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(properties, name)) faults.push(`required ${name} is no property`);
  }
  if (type === 'array') faults.push(...lintList(schema));
  return faults;
}

/** Lists of objects are keyed, so that server-side apply merges them instead of replacing. */
function lintList(schema: StructuralSchema): string[] {
  const { items } = schema;
  if (items === undefined) return ['items is missing'];
  const listType = schema['x-kubernetes-list-type'];
  if (listType === undefined) return ['x-kubernetes-list-type is missing'];
  if (listType !== 'map') return [];
  const keys = schema['x-kubernetes-list-map-keys'] ?? [];
  if (keys.length === 0) return ['a list of type map needs x-kubernetes-list-map-keys'];
  return keys
    .filter((key) => !(items.required ?? []).includes(key))
    .map((key) => `the list key ${key} must be a required property of the items`);
}

function lintRules(schema: StructuralSchema): string[] {
  const faults: string[] = [];
  for (const { rule, message, reason, fieldPath } of schema['x-kubernetes-validations'] ?? []) {
    if (rule.trim() !== rule || rule === '') faults.push('a rule is empty or has outer spaces');
    if (message.includes('\n') || message.length > 2048) {
      faults.push('a message is one line of at most 2048 characters');
    }
    if (
      schema.type !== 'object' &&
      reason !== 'FieldValueForbidden' &&
      reason !== 'FieldValueRequired'
    ) {
      faults.push('the API server would repeat the value when this rule fails; set its reason');
    }
    if (fieldPath !== undefined && !hasField(schema, fieldPath.split('.').slice(1))) {
      faults.push(`fieldPath ${fieldPath} leads to no field`);
    }
  }
  return faults;
}

function hasField(schema: StructuralSchema, [name, ...rest]: readonly string[]): boolean {
  if (name === undefined) return true;
  const child = schema.properties?.[name];
  return child !== undefined && hasField(child, rest);
}
