import { namespaceAccessSpecSchema } from '#api/namespace-access-schema.ts';
import { NAMESPACE_ACCESSES } from '#api/namespace-access.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { column } from '#api/schema/kind.ts';

export const namespaceAccessKind: KindDefinition = {
  group: NAMESPACE_ACCESSES.group,
  version: NAMESPACE_ACCESSES.version,
  kind: NAMESPACE_ACCESSES.kind,
  plural: NAMESPACE_ACCESSES.plural,
  singular: 'namespaceaccess',
  shortNames: ['xna'],
  // In no category: nobody but the operator and the API server needs it.
  categories: [],
  scope: 'Namespaced',
  description:
    'What the AccessPolicies say of one guarded namespace, compiled for the ValidatingAdmissionPolicies that hold while the webhook is away. The operator alone writes it.',
  spec: namespaceAccessSpecSchema,
  printerColumns: [
    column('Incomplete', 'boolean', '.spec.incomplete', 'Whether something did not fit in.'),
    column('Age', 'date', '.metadata.creationTimestamp', 'Time since the object was created.'),
  ],
  selectableFields: [],
};
