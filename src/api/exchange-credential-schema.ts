/**
 * The schema of ExchangeCredential: the one place from which the TypeScript types, the CRD, the
 * JSON Schema for editors and the reference page are generated (see generate.ts).
 *
 * No field has a default: a server that fills in fields shows up as drift in GitOps tools. What an
 * absent field means stands in its description.
 */
import { z } from 'zod';
import { SPEC_RULES } from '#api/exchange-credential-rules.ts';
import { statusSchema } from '#api/exchange-credential-status.ts';
import type { ExchangeCredential, ExchangeCredentialSpec } from '#api/exchange-credential-types.ts';
import { DURATION_PATTERN } from '#api/duration.ts';
import { EXCHANGES } from '#api/exchanges.ts';
import { CREDENTIAL_TYPES, MAX_SEALED_LENGTH } from '#api/fields.ts';
import { ACCESS_LEVELS, ENVIRONMENTS } from '#api/roles.ts';
import {
  freeText,
  labelKeys,
  labelValue,
  map,
  objectName,
  secretKey,
  text,
} from '#api/schema/building-blocks.ts';
import { objectMetadata } from '#api/schema/every-kind.ts';
import { withRules } from '#api/schema/rule.ts';

/** No type has more fields than this. */
const MAX_FIELDS = 5;

const sealedValue = text({
  maxLength: MAX_SEALED_LENGTH,
  pattern:
    '^eyJ[A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+[.][A-Za-z0-9_-]+$',
  message:
    'spec.source.sealed holds a value that is not sealed; make it with "strongroom seal". If it is a plain secret that was committed or applied, replace it at its exchange',
});

const secretRef = z
  .strictObject({
    name: objectName(
      'spec.source.secretRef.name',
      'Name of a Secret in the namespace of this object.',
    ),
    keys: map(secretKey('spec.source.secretRef.keys'), MAX_FIELDS)
      .meta({
        description:
          'Field of the credential to key of that Secret. A field that is absent is read from the key of its own name.',
      })
      .exactOptional(),
    afterImport: z
      .enum(['Keep', 'Delete'])
      .meta({
        description:
          'What becomes of that Secret once its value is stored and was read back. Absent: Keep.',
      })
      .exactOptional(),
  })
  .meta({ title: 'SecretRefSource', description: 'The values are in a Secret of this namespace.' });

const source = withRules(
  z.strictObject({
    sealed: map(sealedValue, MAX_FIELDS)
      .meta({
        description:
          'Field of the credential to its value as "strongroom seal" encrypted it (a JWE). Safe in git: only the operator can open it, and only for this object.',
      })
      .exactOptional(),
    secretRef: secretRef.exactOptional(),
    generate: z
      .strictObject({})
      .meta({
        title: 'GenerateSource',
        description:
          'The operator makes the value, once. Only for the types PrivateKey, Password and EncryptionKey.',
      })
      .exactOptional(),
  }),
  [
    {
      cel: '[has(self.sealed), has(self.secretRef), has(self.generate)].exists_one(given, given)',
      message: 'spec.source needs exactly one of sealed, secretRef and generate',
      holds: (given) => countGiven([given.sealed, given.secretRef, given.generate]) === 1,
    },
  ],
).meta({
  title: 'Source',
  'x-strongroom-union': true,
  description: 'Where the value comes from. Exactly one of its fields is given.',
});

const RESERVED_LABEL = '^([^/]*[.])?(strongroom[.]dev|kubernetes[.]io|k8s[.]io)/';

const labels = withRules(map(labelValue('spec.delivery.secret.labels'), 32), [
  labelKeys('spec.delivery.secret.labels'),
  {
    cel: `!self.exists(key, key.matches('${RESERVED_LABEL}') && !key.startsWith('app.kubernetes.io/'))`,
    message:
      'spec.delivery.secret.labels must not have keys under strongroom.dev/, kubernetes.io/ or k8s.io/, which are reserved (app.kubernetes.io/ is free); remove them',
    reason: 'FieldValueForbidden',
    holds: (given) =>
      !Object.keys(given).some(
        (key) => new RegExp(RESERVED_LABEL).test(key) && !key.startsWith('app.kubernetes.io/'),
      ),
  },
]);

const secret = z
  .strictObject({
    name: objectName(
      'spec.delivery.secret.name',
      'Name of the Secret that the operator creates in the namespace of this object. A Secret of this name that belongs to someone else is left alone.',
    ),
    keys: map(secretKey('spec.delivery.secret.keys'), MAX_FIELDS)
      .meta({
        description:
          'Field of the credential to key of the Secret. A field that is absent is delivered under its own name.',
      })
      .exactOptional(),
    labels: labels.meta({ description: 'Labels that the Secret gets too.' }).exactOptional(),
    type: z
      .enum(['Opaque', 'kubernetes.io/tls', 'kubernetes.io/basic-auth'])
      .meta({ description: 'Type of the Secret. Absent: Opaque.' })
      .exactOptional(),
  })
  .meta({ title: 'SecretDelivery', description: 'A Secret that pods mount or read.' });

const delivery = withRules(z.strictObject({ secret: secret.exactOptional() }), [
  {
    cel: 'has(self.secret)',
    message: 'spec.delivery needs exactly one way of delivery: give secret',
    holds: (given) => given.secret !== undefined,
  },
]).meta({
  title: 'Delivery',
  'x-strongroom-union': true,
  description: 'How the value gets to those who use it. Exactly one of its fields is given.',
});

const history = z
  .strictObject({
    keepVersions: z
      .int()
      .min(1)
      .max(50)
      .meta({ description: 'So many of the newest versions are kept in any case. Absent: 10.' })
      .exactOptional(),
    keepFor: text({
      maxLength: 24,
      pattern: DURATION_PATTERN,
      message:
        'spec.history.keepFor must be a duration in whole hours, minutes and seconds, such as 720h or 1h30m',
      description: 'Versions younger than this are kept in any case. Absent: 720h.',
    }).exactOptional(),
  })
  .meta({
    title: 'History',
    description:
      'When an old version ends: once it is neither current nor the one before, not among the newest `keepVersions`, and older than `keepFor`.',
  });

const NO_CONTROL_CHARACTERS = '^[^\\x00-\\x1f\\x7f]+$';

export const specSchema: z.ZodType<ExchangeCredentialSpec> = withRules(
  z.strictObject({
    exchange: z
      .enum(EXCHANGES)
      .meta({
        title: 'Exchange',
        description:
          'The exchange. Absent for a backing system such as a database. Cannot be changed.',
      })
      .exactOptional(),
    exchangeName: text({
      maxLength: 63,
      pattern: '^[A-Za-z0-9]([-A-Za-z0-9_. ]*[A-Za-z0-9])?$',
      message:
        'spec.exchangeName must be letters, digits, "-", "_", "." and spaces, beginning and ending with a letter or digit',
      description: 'Name of the exchange if `exchange` is Other. Cannot be changed.',
    }).exactOptional(),
    account: text({
      maxLength: 256,
      pattern: NO_CONTROL_CHARACTERS,
      message: 'spec.account must be one line of text; remove it if there is none',
      description: 'The account at the exchange, such as an address. Public.',
    }).exactOptional(),
    description: freeText(1024, 'What the credential is for.').exactOptional(),
    type: z.enum(CREDENTIAL_TYPES).meta({
      title: 'CredentialType',
      description: 'What kind of credential it is; says which fields it has. Cannot be changed.',
    }),
    environment: z.enum(ENVIRONMENTS).meta({
      title: 'Environment',
      description:
        'The environment it belongs to; equal to the label `strongroom.dev/environment` of the namespace where that is set. Cannot be changed.',
    }),
    owner: text({
      maxLength: 128,
      pattern: NO_CONTROL_CHARACTERS,
      message: 'spec.owner must name the team or person who answers for it, in one line',
      description: 'The team or person who answers for it.',
    }),
    minimumAccessLevel: z
      .enum(ACCESS_LEVELS)
      .meta({
        title: 'AccessLevel',
        description: 'The least level that may retrieve or mount it. Absent: Read.',
      })
      .exactOptional(),
    source,
    delivery,
    state: z
      .enum(['Active', 'Suspended', 'Revoked'])
      .meta({
        title: 'CredentialState',
        description:
          'Active: delivered. Suspended: the Secret is withdrawn, the versions are kept. Revoked: every version is ended, which cannot be undone. Absent: Active.',
      })
      .exactOptional(),
    deletionPolicy: z
      .enum(['Retain', 'Revoke', 'Delete'])
      .meta({
        title: 'DeletionPolicy',
        description:
          'What happens when this object is deleted. Retain: the Secret is withdrawn, the vault keeps the versions. Revoke: every version is ended too. Delete: the versions are removed from the vault too. Absent: Retain.',
      })
      .exactOptional(),
    history: history.exactOptional(),
  }),
  SPEC_RULES,
).meta({
  title: 'ExchangeCredentialSpec',
  description: 'What should hold. No field is filled in by the server.',
});

/** A whole object, as a file or the API server holds it. */
export const exchangeCredentialSchema: z.ZodType<ExchangeCredential> = z.strictObject({
  apiVersion: z.literal('strongroom.dev/v1alpha1'),
  kind: z.literal('ExchangeCredential'),
  metadata: objectMetadata,
  spec: specSchema,
  status: statusSchema.exactOptional(),
}) as z.ZodType<ExchangeCredential>;

function countGiven(members: readonly unknown[]): number {
  return members.filter((member) => member !== undefined).length;
}
