import type { KindDefinition } from '#api/schema/kind.ts';
import { rootSchema } from '#api/schema/kind.ts';
import type { ValidationRule } from '#api/schema/rule.ts';
import type { StructuralSchema } from '#api/schema/structural.ts';

/** One table of the fields of each object in a schema, the outer ones first. */
export function emitFieldTables(kind: KindDefinition, part: 'spec' | 'status'): string {
  const schema = rootSchema(kind).properties?.[part];
  if (schema === undefined) return '';
  return tablesOf(part, schema)
    .map(({ path, table }) => `### ${path}\n\n${table}`)
    .join('\n\n');
}

/** The messages of all rules, in the order of the fields. */
export function emitRules(kind: KindDefinition): string {
  return [...rulesOf(rootSchema(kind))].map(({ message }) => `- ${escape(message)}.`).join('\n');
}

/** A Markdown table; its cells must be escaped already. */
export function markdownTable(
  head: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** A table of names and what each of them means. */
export function meanings(head: string, rows: readonly (readonly [string, string])[]): string {
  return markdownTable(
    [head, 'Meaning'],
    rows.map(([name, meaning]) => [`\`${name}\``, escape(meaning)]),
  );
}

/** Text that stands in Markdown as it is: no HTML, no end of a table cell. */
export function escape(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}

interface FieldTable {
  readonly path: string;
  readonly table: string;
}

function tablesOf(path: string, schema: StructuralSchema): readonly FieldTable[] {
  const properties = Object.entries(schema.properties ?? {});
  if (properties.length === 0) return [];
  const rows = properties.map(([name, child]) => [
    `\`${name}\``,
    typeName(child),
    (schema.required ?? []).includes(name) ? 'yes' : '',
    escape([child.description ?? '', limits(child)].filter((part) => part !== '').join(' ')),
  ]);
  const table = markdownTable(['Field', 'Type', 'Required', 'Meaning'], rows);
  return [
    { path: `\`${path}\``, table },
    ...properties.flatMap(([name, child]) => [
      ...tablesOf(`${path}.${name}`, child),
      ...(child.items ? tablesOf(`${path}.${name}[]`, child.items) : []),
    ]),
  ];
}

function typeName(schema: StructuralSchema): string {
  if (schema.enum !== undefined) return schema.enum.map((value) => `\`${value}\``).join(', ');
  if (schema.items !== undefined) return `list of ${typeName(schema.items)}`;
  if (schema.additionalProperties !== undefined) {
    return `map of ${typeName(schema.additionalProperties)}`;
  }
  return schema.format === 'date-time' ? 'time' : schema.type;
}

function limits(schema: StructuralSchema): string {
  const { maxLength, minimum, maximum, maxItems, maxProperties } = schema;
  const parts = [
    maxLength !== undefined && `At most ${maxLength} characters.`,
    minimum !== undefined && maximum !== undefined && `${minimum} to ${maximum}.`,
    maxItems !== undefined && `At most ${maxItems} entries.`,
    maxProperties !== undefined && `At most ${maxProperties} entries.`,
  ];
  return parts.filter((part) => part !== false).join(' ');
}

function* rulesOf(schema: StructuralSchema): Generator<ValidationRule> {
  yield* schema['x-kubernetes-validations'] ?? [];
  for (const child of Object.values(schema.properties ?? {})) yield* rulesOf(child);
  if (schema.items !== undefined) yield* rulesOf(schema.items);
  if (schema.additionalProperties !== undefined) yield* rulesOf(schema.additionalProperties);
}
