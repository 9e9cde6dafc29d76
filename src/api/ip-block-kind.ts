import { ipBlockSpecSchema } from '#api/ip-block-schema.ts';
import { ipBlockStatusSchema } from '#api/ip-block-status.ts';
import { IP_BLOCKS } from '#api/ip-block.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { column } from '#api/schema/kind.ts';

export const ipBlockKind: KindDefinition = {
  group: IP_BLOCKS.group,
  version: IP_BLOCKS.version,
  kind: IP_BLOCKS.kind,
  plural: IP_BLOCKS.plural,
  singular: 'ipblock',
  shortNames: ['ipb'],
  categories: ['strongroom'],
  scope: 'Cluster',
  description:
    'Addresses that must not talk to the pods of guarded namespaces or to the gateway, why, and for how long.',
  spec: ipBlockSpecSchema,
  status: ipBlockStatusSchema,
  printerColumns: [
    column('Enforcement', 'string', '.status.enforcement', 'How far it is enforced.'),
    column('Addresses', 'string', '.status.addresses', 'How many addresses it cuts off.'),
    column('Direction', 'string', '.spec.direction', 'Empty means Both.'),
    column('Pods', 'integer', '.status.podsInScope', 'How many pods it is about.'),
    column('Cut', 'integer', '.status.podsCut', 'How many of these are cut off from all of it.'),
    column('Gaps', 'integer', '.status.gapCount', 'How many gaps of enforcement there are.'),
    column('Expires', 'string', '.status.expiresAt', 'When it ends; empty: when it is removed.'),
    column('Mode', 'string', '.spec.mode', 'Empty means Enforce.', 1),
    column('Hits', 'integer', '.status.hits', 'What it stopped, where that is counted.', 1),
    column('Owner', 'string', '.spec.owner', 'Who answers for it.', 1),
    column('Why', 'string', '.spec.reason', 'Why the addresses are cut off.', 1),
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
  selectableFields: ['.spec.mode', '.spec.direction', '.status.enforcement'],
};
