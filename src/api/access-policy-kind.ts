import { accessSpecSchema } from '#api/access-policy-schema.ts';
import { accessStatusSchema } from '#api/access-policy-status.ts';
import { ACCESS_POLICIES } from '#api/access-policy.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { column } from '#api/schema/kind.ts';

export const accessPolicyKind: KindDefinition = {
  group: ACCESS_POLICIES.group,
  version: ACCESS_POLICIES.version,
  kind: ACCESS_POLICIES.kind,
  plural: ACCESS_POLICIES.plural,
  singular: 'accesspolicy',
  shortNames: ['xap'],
  categories: ['strongroom'],
  scope: 'Cluster',
  description:
    'Who may do what to which credentials, in which environments, from where and when. Without any AccessPolicy nobody may do anything.',
  spec: accessSpecSchema,
  status: accessStatusSchema,
  printerColumns: [
    column('Effect', 'string', '.spec.effect', 'Empty means Allow.'),
    column('Level', 'string', '.spec.accessLevel', 'Empty means Read.', 1),
    column('Subjects', 'integer', '.status.subjects', 'How many subjects it names.'),
    column('Credentials', 'integer', '.status.credentials', 'How many credentials it selects.'),
    column('Namespaces', 'integer', '.status.namespaces', 'In how many namespaces these are.'),
    column(
      'Granted',
      'string',
      '.status.conditions[?(@.type=="AccessGranted")].reason',
      'What became of it in the RBAC of the cluster.',
    ),
    column('Findings', 'integer', '.status.findingCount', 'How many findings there are.'),
    column(
      'Undermined',
      'string',
      '.status.conditions[?(@.type=="Undermined")].status',
      'Whether RBAC of others lets somebody round it.',
      1,
    ),
    column(
      'Ready',
      'string',
      '.status.conditions[?(@.type=="Ready")].status',
      'Whether all that was asked for holds.',
    ),
    column(
      'Reason',
      'string',
      '.status.conditions[?(@.type=="Ready")].reason',
      'Why it is ready or not.',
      1,
    ),
    column('Age', 'date', '.metadata.creationTimestamp', 'Time since the object was created.'),
  ],
  selectableFields: ['.spec.effect'],
};
