/** The status of an ExchangeCredential: what the operator found and did. It alone writes it. */
import { z } from 'zod';
import type { ExchangeCredentialStatus } from '#api/exchange-credential-types.ts';
import { MAX_SEALED_LENGTH } from '#api/fields.ts';
import { freeText, keyedList, map, time } from '#api/schema/building-blocks.ts';
import { condition } from '#api/schema/every-kind.ts';

const MAX_ENTRIES = 100;
const MAX_REQUEST_LENGTH = 512;

const version = z
  .strictObject({
    version: z.int().min(1).meta({ description: 'Number of the version, from 1.' }),
    state: z
      .enum(['Staged', 'Current', 'Previous', 'Retired', 'Revoked', 'Failed'])
      .meta({ description: 'Where the version is in its life.' }),
    createdAt: time('When it was taken from the source.'),
    changedAt: time('When it got its present state.'),
    origin: z
      .enum(['Sealed', 'SecretRef', 'Generate'])
      .meta({ description: 'What kind of source it came from.' }),
    sealKey: freeText(253, 'Id of the seal key it was sealed under.').exactOptional(),
    reason: freeText(1024, 'Why it got its present state.').exactOptional(),
  })
  .meta({ title: 'VersionStatus' });

const delivery = z
  .strictObject({
    secretName: freeText(253, 'Name of the delivered Secret.'),
    secretUid: freeText(64, 'UID of the delivered Secret.'),
    version: z.int().min(1).meta({ description: 'The version it holds.' }),
    deliveredAt: time('When it got that version.'),
  })
  .meta({
    title: 'DeliveryStatus',
    description: 'The delivered Secret; absent while there is none.',
  });

const source = z
  .strictObject({
    sealKeys: z
      .array(z.string().max(253))
      .max(5)
      .meta({
        'x-kubernetes-list-type': 'set',
        description: 'Ids of the seal keys that the sealed values were made with.',
      })
      .exactOptional(),
    imported: z
      .strictObject({
        secretUid: freeText(64, 'UID of the Secret that was read.'),
        resourceVersion: freeText(64, 'Its resourceVersion when it was read.'),
        removed: z
          .boolean()
          .meta({ description: 'Whether it was deleted after the import, as `afterImport` asked.' })
          .exactOptional(),
      })
      .meta({ title: 'ImportedSecret', description: 'The Secret that was imported.' })
      .exactOptional(),
  })
  .meta({ title: 'SourceStatus', description: 'What is known of the source.' });

const handledRequests = z
  .strictObject({
    rotate: freeText(
      MAX_REQUEST_LENGTH,
      'Last value of `strongroom.dev/rotate` that was dealt with.',
    ).exactOptional(),
    rollbackTo: freeText(
      MAX_REQUEST_LENGTH,
      'Last value of `strongroom.dev/rollback-to` that was dealt with.',
    ).exactOptional(),
    revoke: freeText(
      MAX_REQUEST_LENGTH,
      'Last value of `strongroom.dev/revoke` that was dealt with.',
    ).exactOptional(),
  })
  .meta({
    title: 'HandledRequests',
    description: 'The requests by annotation that were dealt with.',
  });

const resealed = z
  .strictObject({
    keyId: freeText(253, 'Id of the active seal key, which these are sealed under.'),
    sealed: map(z.string().max(MAX_SEALED_LENGTH), 5).meta({
      description: 'Field to ciphertext, to be copied into `spec.source.sealed`.',
    }),
  })
  .meta({
    title: 'Resealed',
    description:
      'The sealed values under the active seal key; present while those in spec are under another one.',
  });

const consumer = z
  .strictObject({
    pod: freeText(253, 'Name of the pod.'),
    podUid: freeText(64, 'UID of the pod.'),
    container: freeText(
      253,
      'Name of the container; absent where the pod mounts it as a whole.',
    ).exactOptional(),
    use: z
      .enum(['Volume', 'ProjectedVolume', 'SubPath', 'Environment'])
      .meta({ description: 'How it uses the Secret.' }),
    version: z
      .int()
      .min(1)
      .meta({ description: 'The version that it has, as far as evidence goes.' })
      .exactOptional(),
    evidence: z.enum(['StartedAfterDelivery', 'PropagationAssumed', 'Unknown', 'Stale']).meta({
      description: 'What that is concluded from: what a pod really read cannot be seen.',
    }),
    since: time('When the evidence came about.'),
    withoutRight: z
      .boolean()
      .meta({
        description:
          'Whether the ServiceAccount of the pod may not mount the credential (any more): the pod was made before somebody was asked. Absent: false.',
      })
      .exactOptional(),
  })
  .meta({ title: 'Consumer' });

export const statusSchema: z.ZodType<ExchangeCredentialStatus> = z
  .strictObject({
    observedGeneration: z
      .int()
      .min(0)
      .meta({ description: 'The generation of the spec that this status is about.' })
      .exactOptional(),
    conditions: keyedList(condition, 'type', 16)
      .meta({ description: 'Ready, Reconciling, Stalled, SourceReady and Delivered.' })
      .exactOptional(),
    currentVersion: z
      .int()
      .min(1)
      .meta({ description: 'The version that is current; absent while there is none.' })
      .exactOptional(),
    versions: keyedList(version, 'version', MAX_ENTRIES)
      .meta({ description: 'The versions that the vault keeps.' })
      .exactOptional(),
    vaultRevision: z
      .int()
      .min(0)
      .meta({ description: 'Revision of the vault entry; an entry below it is an old copy.' })
      .exactOptional(),
    delivery: delivery.exactOptional(),
    source: source.exactOptional(),
    handledRequests: handledRequests.exactOptional(),
    resealed: resealed.exactOptional(),
    consumers: z
      .array(consumer)
      .max(MAX_ENTRIES)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'The pods that use the delivered Secret, at most 100 of them.',
      })
      .exactOptional(),
    consumerCount: z
      .int()
      .min(0)
      .meta({ description: 'How many pods use the delivered Secret, all counted.' })
      .exactOptional(),
  })
  .meta({
    title: 'ExchangeCredentialStatus',
    description: 'What the operator found and did. It alone writes this.',
  });
