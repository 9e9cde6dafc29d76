import { specSchema } from '#api/exchange-credential-schema.ts';
import { statusSchema } from '#api/exchange-credential-status.ts';
import { EXCHANGE_CREDENTIALS } from '#api/exchange-credential.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { column } from '#api/schema/kind.ts';

export const exchangeCredentialKind: KindDefinition = {
  group: EXCHANGE_CREDENTIALS.group,
  version: EXCHANGE_CREDENTIALS.version,
  kind: EXCHANGE_CREDENTIALS.kind,
  plural: EXCHANGE_CREDENTIALS.plural,
  singular: 'exchangecredential',
  shortNames: ['xc'],
  categories: ['strongroom'],
  scope: 'Namespaced',
  description:
    'One credential of an exchange or of a backing system: where its value comes from and how it gets to those who use it.',
  spec: specSchema,
  status: statusSchema,
  printerColumns: [
    column('Type', 'string', '.spec.type', 'Kind of credential.'),
    column('Exchange', 'string', '.spec.exchange', 'The exchange; empty for a backing system.'),
    column('Environment', 'string', '.spec.environment', 'The environment it belongs to.'),
    column('Version', 'integer', '.status.currentVersion', 'The version that is current.'),
    column('State', 'string', '.spec.state', 'Empty means Active.'),
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
    column(
      'Minimum Level',
      'string',
      '.spec.minimumAccessLevel',
      'The least level that may retrieve or mount it; empty means Read.',
      1,
    ),
    column('Owner', 'string', '.spec.owner', 'Who answers for it.', 1),
    column('Secret', 'string', '.spec.delivery.secret.name', 'The delivered Secret.', 1),
    column('Age', 'date', '.metadata.creationTimestamp', 'Time since the object was created.'),
  ],
  selectableFields: ['.spec.type', '.spec.exchange', '.spec.environment'],
};
