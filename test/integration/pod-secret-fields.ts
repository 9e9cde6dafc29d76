/** Finds, in the API server's OpenAPI v3 document, the fields of a PodSpec that can name a Secret. */

export interface OpenApiDocument {
  readonly components: { readonly schemas: Readonly<Record<string, OpenApiSchema>> };
}

interface OpenApiSchema {
  readonly $ref?: string;
  readonly allOf?: readonly OpenApiSchema[];
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly items?: OpenApiSchema;
  readonly additionalProperties?: OpenApiSchema;
}

const POD_SPEC = 'io.k8s.api.core.v1.PodSpec';

/** What says by its type alone that it is about a Secret: SecretKeySelector, SecretProjection, … */
const SECRET_TYPE = /^io\.k8s\.api\.core\.v1\.Secret(?!List$)\w*$/;
const REFERENCE_TYPE = /(?:Local|Typed)?\w*ObjectReference$/;
const NAME_FIELDS: readonly string[] = ['name', 'secretName'];

export interface SecretFields {
  /** Paths to names of Secrets, steps joined by `.`, `[]` for list items. Sorted. */
  readonly names: readonly string[];
  /**
   * Paths of fields whose description speaks of a Secret, without those at or above `names`, and
   * beside one.
   */
  readonly mentions: readonly string[];
}

export function secretFieldsOf(document: OpenApiDocument): SecretFields {
  const names = new Set<string>();
  const mentions = new Set<string>();
  visit({ $ref: `#/components/schemas/${POD_SPEC}` }, [], false, new Set());
  const known = [...names];
  const isCovered = (path: string): boolean =>
    known.some((name) => `${name}.`.startsWith(`${path}.`) || path.startsWith(parentOf(name)));
  return {
    names: known.sort(),
    mentions: [...mentions].filter((path) => !isCovered(path)).sort(),
  };

  /** @param isSecret whether the field that leads here, or its type, says Secret */
  function visit(
    schema: OpenApiSchema,
    path: readonly string[],
    isSecret: boolean,
    above: ReadonlySet<string>,
  ): void {
    if (schema.description !== undefined && /secret/i.test(schema.description)) {
      if (path.length > 0) mentions.add(path.join('.'));
    }
    const reference = referenceOf(schema);
    if (reference !== undefined) {
      if (above.has(reference)) return;
      const target = document.components.schemas[reference];
      if (target === undefined) throw new Error(`${path.join('.')}: no schema ${reference}`);
      const says = SECRET_TYPE.test(reference) || (isSecret && REFERENCE_TYPE.test(reference));
      visit({ ...target, description: '' }, path, says, new Set([...above, reference]));
      return;
    }
    if (schema.items !== undefined) visit(schema.items, [...path, '[]'], isSecret, above);
    if (schema.additionalProperties !== undefined) {
      visit(schema.additionalProperties, [...path, '*'], false, above);
    }
    for (const [field, child] of Object.entries(schema.properties ?? {})) {
      const there = [...path, field];
      const isNamed = /secret/i.test(field);
      if (child.type === 'string') {
        const isName = isSecret
          ? NAME_FIELDS.includes(field)
          : isNamed && !/namespace/i.test(field);
        if (isName) names.add(there.join('.'));
      }
      visit(child, there, isNamed, above);
    }
  }
}

/** Of a name in an object of its own, such as a `secretRef`: the object, with a dot. */
function parentOf(name: string): string {
  const parent = name.split('.').slice(0, -1);
  const isOwn = /secret/i.test(parent.at(-1) ?? '');
  return isOwn ? `${parent.join('.')}.` : `${name}.`;
}

function referenceOf({ $ref, allOf }: OpenApiSchema): string | undefined {
  const found = $ref ?? allOf?.find((part) => part.$ref !== undefined)?.$ref;
  return found?.replace('#/components/schemas/', '');
}
