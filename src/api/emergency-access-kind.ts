import { emergencyAccessSpecSchema } from '#api/emergency-access-schema.ts';
import { emergencyAccessStatusSchema } from '#api/emergency-access-status.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { column } from '#api/schema/kind.ts';

export const emergencyAccessKind: KindDefinition = {
  group: EMERGENCY_ACCESSES.group,
  version: EMERGENCY_ACCESSES.version,
  kind: EMERGENCY_ACCESSES.kind,
  plural: EMERGENCY_ACCESSES.plural,
  singular: 'emergencyaccess',
  shortNames: ['xea'],
  categories: ['strongroom'],
  scope: 'Namespaced',
  description:
    'Break-glass: who must get to credentials or into pods of this namespace, why, and for how long, approved by others and ending by itself.',
  spec: emergencyAccessSpecSchema,
  status: emergencyAccessStatusSchema,
  printerColumns: [
    column('State', 'string', '.status.state', 'Where it stands.'),
    column('Subject', 'string', '.spec.subject.name', 'Who gets in.'),
    column('Permissions', 'string', '.spec.permissions', 'What for.'),
    column('Expires', 'string', '.status.expiresAt', 'When it ends at the latest.'),
    column('Uses', 'integer', '.status.useCount', 'How often it was used.'),
    column(
      'Reviewed',
      'string',
      '.status.conditions[?(@.type=="Reviewed")].status',
      'Whether its review is closed.',
    ),
    column('Ticket', 'string', '.spec.ticket', 'Where the incident is written down.', 1),
    column('Why', 'string', '.spec.reason', 'Why it is needed.', 1),
    column('Requester', 'string', '.status.requestedBy.username', 'Who created it.', 1),
    column('Reviewer', 'string', '.status.review.by', 'Who closed the review.', 1),
    column('Age', 'date', '.metadata.creationTimestamp', 'Time since the object was created.'),
  ],
  selectableFields: ['.spec.subject.kind', '.spec.subject.name', '.status.state'],
};
