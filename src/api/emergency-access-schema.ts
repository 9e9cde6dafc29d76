/**
 * The schema of EmergencyAccess: the one place from which the TypeScript types, the CRD, the JSON
 * Schema for editors and the reference page are generated (see generate.ts).
 */
import { z } from 'zod';
import {
  EMERGENCY_SPEC_RULES,
  EMERGENCY_SUBJECT_RULES,
  SHORTEST_EMERGENCY,
  longEnough,
  notTooShort,
  nothingHidden,
  targetNotEmpty,
} from '#api/emergency-access-rules.ts';
import { emergencyAccessStatusSchema } from '#api/emergency-access-status.ts';
import type { EmergencyAccess, EmergencyAccessSpec } from '#api/emergency-access-types.ts';
import {
  DNS_SUBDOMAIN,
  LINE,
  allAlone,
  duration,
  notEmpty,
  set,
  text,
} from '#api/schema/building-blocks.ts';
import { objectMetadata } from '#api/schema/every-kind.ts';
import { withRules } from '#api/schema/rule.ts';

/** More than that is no emergency of one person; what is approved must be read first. */
const MAX_TARGETS = 100;

const subject = withRules(
  z.strictObject({
    kind: z.enum(['User', 'ServiceAccount']).meta({
      description: 'What it is. No Group: whoever gets in is one person, known by name.',
    }),
    name: text({
      maxLength: 512,
      pattern: LINE,
      message:
        'spec.subject.name must name the subject in one line, without a space before or behind it',
      description:
        'Its name, letter for letter, as the API server authenticates it. Of a ServiceAccount: its name in this namespace.',
      rules: [nothingHidden],
    }),
  }),
  EMERGENCY_SUBJECT_RULES,
).meta({ title: 'EmergencySubject', description: 'Who gets in.' });

const name = (path: string, of: string, all: string): z.ZodString =>
  text({
    maxLength: 253,
    pattern: `^(${all}${DNS_SUBDOMAIN})$`,
    message: `${path} must hold names of ${of}${all === '' ? '' : ', or "*" alone for all'}: no patterns, only lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit`,
  });

const target = withRules(
  z.strictObject({
    credentials: set(
      name('spec.target.credentials', 'ExchangeCredentials of this namespace', ''),
      MAX_TARGETS,
      [notEmpty('spec.target.credentials', 'name at least one, or remove the list')],
    )
      .meta({ description: 'ExchangeCredentials of this namespace, for AccessSecrets.' })
      .exactOptional(),
    pods: set(name('spec.target.pods', 'pods of this namespace', '[*]|'), MAX_TARGETS, [
      notEmpty('spec.target.pods', 'name at least one, write "*" for all, or remove the list'),
      allAlone('spec.target.pods'),
    ])
      .meta({
        description: 'Pods of this namespace, for EmergencyOverride; `["*"]` says all.',
      })
      .exactOptional(),
  }),
  [targetNotEmpty],
).meta({ title: 'EmergencyTarget', description: 'What it is about; at least one of the two.' });

export const emergencyAccessSpecSchema: z.ZodType<EmergencyAccessSpec> = withRules(
  z.strictObject({
    subject,
    reason: text({
      maxLength: 1024,
      pattern: LINE,
      message: 'spec.reason must say in one line why the access is needed',
      description:
        'Why it is needed, for those who approve it and for the audit. Whoever may list EmergencyAccesses reads it: no secret belongs into it.',
      rules: [longEnough],
    }),
    ticket: text({
      maxLength: 128,
      pattern: LINE,
      message: 'spec.ticket must name the ticket in one line',
      description: 'Where the incident is written down.',
    }).exactOptional(),
    target,
    permissions: set(
      z.enum(['AccessSecrets', 'EmergencyOverride']).meta({ title: 'EmergencyPermission' }),
      2,
      [notEmpty('spec.permissions', 'name AccessSecrets, EmergencyOverride, or both')],
    ).meta({
      description:
        'AccessSecrets: change, rotate, roll back, revoke and suspend the credentials, and read their delivered Secrets by a token that ends by itself. EmergencyOverride: run commands in the pods, attach to them and forward their ports.',
    }),
    duration: duration(
      'spec.duration',
      '30m or 1h',
      `For how long, from the last approval; at least ${SHORTEST_EMERGENCY}, and not longer than the installation allows. Absent: as long as it allows.`,
      [notTooShort],
    ).exactOptional(),
  }),
  EMERGENCY_SPEC_RULES,
).meta({
  title: 'EmergencyAccessSpec',
  description:
    'Who gets in, to what, why, and for how long. It cannot be changed. No field is filled in by the server.',
});

/** A whole object, as a file or the API server holds it. */
export const emergencyAccessSchema: z.ZodType<EmergencyAccess> = z.strictObject({
  apiVersion: z.literal('strongroom.dev/v1alpha1'),
  kind: z.literal('EmergencyAccess'),
  metadata: objectMetadata,
  spec: emergencyAccessSpecSchema,
  status: emergencyAccessStatusSchema.exactOptional(),
});
