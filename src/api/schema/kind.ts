import type { z } from 'zod';
import type { StructuralSchema } from '#api/schema/structural.ts';
import { toStructural } from '#api/schema/structural.ts';

export interface PrinterColumn {
  readonly name: string;
  readonly type: 'string' | 'integer' | 'boolean' | 'date';
  readonly jsonPath: string;
  readonly description: string;
  /** 0: always shown. 1: only with `-o wide`. */
  readonly priority: 0 | 1;
}

/** Everything that is generated of a kind is generated from this. */
export interface KindDefinition {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly plural: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly scope: 'Namespaced' | 'Cluster';
  readonly description: string;
  readonly spec: z.ZodType;
  /** Absent: the kind has no status. */
  readonly status?: z.ZodType;
  readonly printerColumns: readonly PrinterColumn[];
  /** Fields that `kubectl get --field-selector` can select by. */
  readonly selectableFields: readonly string[];
}

export function column(
  name: string,
  type: PrinterColumn['type'],
  jsonPath: string,
  description: string,
  priority: PrinterColumn['priority'] = 0,
): PrinterColumn {
  return { name, type, jsonPath, description, priority };
}

/** The schema of whole objects of a kind. */
export function rootSchema(kind: KindDefinition): StructuralSchema {
  return {
    description: kind.description,
    type: 'object',
    required: ['spec'],
    properties: {
      apiVersion: {
        description: `Version of this schema: ${kind.group}/${kind.version}.`,
        type: 'string',
      },
      kind: { description: `Kind of this object: ${kind.kind}.`, type: 'string' },
      metadata: { type: 'object' },
      spec: toStructural(kind.spec),
      ...(kind.status && { status: toStructural(kind.status) }),
    },
  };
}
