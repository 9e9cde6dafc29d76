/**
 * The schema of AccessPolicy: the one place from which the TypeScript types, the CRD, the JSON
 * Schema for editors and the reference page are generated (see generate.ts).
 *
 * No field has a default: a server that fills in fields shows up as drift in GitOps tools. What an
 * absent field means stands in its description.
 */
import { z } from 'zod';
import { policyNetwork } from '#api/access-policy-network.ts';
import {
  ACCESS_SPEC_RULES,
  COUNTRIES_RULES,
  REQUIREMENT_RULES,
  SUBJECT_RULES,
  constrainsSomehow,
  selectorNotEmpty,
  selectsSomehow,
  uniqueSubjects,
} from '#api/access-policy-rules.ts';
import { accessStatusSchema } from '#api/access-policy-status.ts';
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy-types.ts';
import { COUNTRIES } from '#api/countries.ts';
import { EXCHANGES } from '#api/exchanges.ts';
import { ACCESS_LEVELS, ENVIRONMENTS, PERMISSIONS, ROLES } from '#api/roles.ts';
import { REVERSED_RANGE_PATTERN, SCHEDULE_PATTERN, isSchedule } from '#api/schedule.ts';
import {
  DNS_LABEL,
  DNS_SUBDOMAIN,
  LINE,
  allAlone,
  canonicalRange,
  duration,
  keyedList,
  labelKey,
  labelKeys,
  labelValue,
  map,
  namesOrAll,
  notEmpty,
  set,
  text,
} from '#api/schema/building-blocks.ts';
import { objectMetadata } from '#api/schema/every-kind.ts';
import { celList, celString, withRules } from '#api/schema/rule.ts';
import { TIME_ZONE_PATTERN, isTimeZone } from '#api/time-zone.ts';

const subject = withRules(
  z.strictObject({
    kind: z.enum(['User', 'Group', 'ServiceAccount']).meta({
      description: 'What it is. Users and groups are what the API server authenticates.',
    }),
    name: text({
      maxLength: 512,
      pattern: LINE,
      message:
        'spec.subjects must name each subject in one line, without a space before or behind it',
      description: 'Its name, letter for letter: upper and lower case differ.',
    }),
    namespace: text({
      maxLength: 63,
      pattern: `^${DNS_LABEL}$`,
      message:
        'spec.subjects must have the name of a namespace in namespace: lower-case letters, digits and "-", beginning and ending with a letter or digit',
      description: 'Of a ServiceAccount, and only there.',
    }).exactOptional(),
  }),
  SUBJECT_RULES,
).meta({ title: 'Subject' });

const subjects = withRules(z.array(subject).max(100), [
  notEmpty('spec.subjects', 'name at least one User, Group or ServiceAccount'),
  uniqueSubjects,
]).meta({
  // Neither a set nor a map: server-side apply takes no objects in a set, and a key must be required.
  'x-kubernetes-list-type': 'atomic',
  description: 'Whom it is about.',
});

const environments = set(z.enum(ENVIRONMENTS).meta({ title: 'Environment' }), ENVIRONMENTS.length, [
  notEmpty('spec.environments', `name at least one of ${ENVIRONMENTS.join(', ')}`),
]).meta({ description: 'The environments in which it holds, 1 to 3 of them.' });

const requirement = withRules(
  z.strictObject({
    key: labelKey('spec.credentials.selector.matchExpressions', 'Key of the label.'),
    operator: z
      .enum(['In', 'NotIn', 'Exists', 'DoesNotExist'])
      .meta({ description: 'How the label is looked at.' }),
    values: set(labelValue('spec.credentials.selector.matchExpressions'), 50)
      .meta({ description: 'Values of the label, with the operators In and NotIn.' })
      .exactOptional(),
  }),
  REQUIREMENT_RULES,
).meta({ title: 'LabelRequirement' });

const selector = withRules(
  z.strictObject({
    matchLabels: withRules(map(labelValue('spec.credentials.selector.matchLabels'), 32), [
      labelKeys('spec.credentials.selector.matchLabels'),
    ])
      .meta({ description: 'Labels that a credential must have.' })
      .exactOptional(),
    matchExpressions: z
      .array(requirement)
      .max(32)
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'What must hold of its labels beside; all of it.',
      })
      .exactOptional(),
  }),
  [selectorNotEmpty],
).meta({
  title: 'LabelSelector',
  description: 'By the labels of the ExchangeCredential, as in the rest of Kubernetes.',
});

const credentials = withRules(
  z.strictObject({
    namespaces: namesOrAll('spec.credentials.namespaces', 'namespaces', 63, DNS_LABEL)
      .meta({ description: 'The namespaces they are in; `["*"]` says all.' })
      .exactOptional(),
    names: namesOrAll('spec.credentials.names', 'ExchangeCredentials', 253, DNS_SUBDOMAIN)
      .meta({ description: 'Their names; `["*"]` says all.' })
      .exactOptional(),
    selector: selector.exactOptional(),
    exchanges: set(
      z.enum([...EXCHANGES, '*']).meta({ title: 'ExchangeSelector' }),
      EXCHANGES.length,
      [
        notEmpty(
          'spec.credentials.exchanges',
          'name at least one, write "*" for all, or remove the list',
        ),
        allAlone('spec.credentials.exchanges'),
      ],
    )
      .meta({
        description:
          'Their exchanges; `["*"]` says all, also the credentials of backing systems, which have none.',
      })
      .exactOptional(),
  }),
  [selectsSomehow],
).meta({
  title: 'CredentialSelector',
  description: 'Which credentials it is about. What is given must all match.',
});

const timeWindow = z
  .strictObject({
    schedule: text({
      maxLength: 100,
      pattern: SCHEDULE_PATTERN,
      message:
        'spec.constraints.times must have five fields of cron in schedule, with one space between them: minute, hour, day of the month, month, day of the week, such as "0 8 * * MON-FRI"',
      description:
        'When a window opens: minute, hour, day of the month, month and day of the week, as in cron.',
      rules: [
        {
          cel: `!self.matches(${celString(REVERSED_RANGE_PATTERN)})`,
          message:
            'spec.constraints.times has a schedule with a range that runs backwards; write two ranges with a comma between them, such as 22-23,0-5',
          reason: 'FieldValueForbidden',
          // The pattern has its own rule.
          holds: (value) => !new RegExp(SCHEDULE_PATTERN).test(value) || isSchedule(value),
        },
      ],
    }),
    duration: duration('spec.constraints.times', '9h or 90m', 'How long it stays open.'),
    timeZone: text({
      maxLength: 64,
      pattern: TIME_ZONE_PATTERN,
      message:
        'spec.constraints.times must have an IANA time zone in timeZone, such as Europe/Zurich or UTC; offsets and Local are none',
      description: 'IANA time zone of the schedule. Absent: UTC.',
      rules: [
        {
          // The server fails on a zone that it does not know, and repeats it: letters only, by then.
          cel: `!self.matches(${celString(TIME_ZONE_PATTERN)}) || timestamp('2026-01-01T00:00:00Z').getHours(self) >= 0`,
          message: 'spec.constraints.times must have a time zone that exists in timeZone',
          reason: 'FieldValueForbidden',
          holds: (value) => !new RegExp(TIME_ZONE_PATTERN).test(value) || isTimeZone(value),
        },
      ],
    }).exactOptional(),
  })
  .meta({ title: 'TimeWindow' });

const countryList = (path: string): ReturnType<typeof set<z.ZodString>> =>
  set(
    withRules(z.string().max(16), [
      {
        cel: `self in ${celList(COUNTRIES)}`,
        message: `${path} must hold country codes of ISO 3166-1, such as CH or GB`,
        reason: 'FieldValueForbidden',
        holds: (value) => COUNTRIES.includes(value),
      },
    ]),
    COUNTRIES.length,
    [notEmpty(path, 'name at least one or remove the list')],
  );

const countries = withRules(
  z.strictObject({
    allow: countryList('spec.constraints.countries.allow')
      .meta({ description: 'Only from these.' })
      .exactOptional(),
    deny: countryList('spec.constraints.countries.deny')
      .meta({ description: 'From everywhere but these.' })
      .exactOptional(),
  }),
  COUNTRIES_RULES,
).meta({
  title: 'Countries',
  description:
    'The countries that a request may come from, by ISO 3166-1 alpha-2 code. Only the gateway knows them.',
});

const constraints = withRules(
  z.strictObject({
    sourceRanges: set(canonicalRange('spec.constraints.sourceRanges'), 64, [
      notEmpty('spec.constraints.sourceRanges', 'name at least one range or remove the list'),
    ])
      .meta({ description: 'Addresses that a request may come from; one of these is enough.' })
      .exactOptional(),
    times: withRules(z.array(timeWindow).max(16), [
      notEmpty('spec.constraints.times', 'describe at least one window or remove the list'),
    ])
      .meta({
        'x-kubernetes-list-type': 'atomic',
        description: 'Times at which it holds; one of these is enough.',
      })
      .exactOptional(),
    countries: countries.exactOptional(),
  }),
  [constrainsSomehow],
).meta({
  title: 'Constraints',
  description:
    'When the policy holds: all that is given must be met. An Allow does not hold where it cannot be known whether it is met, a Deny does. An Allow with constraints never becomes standing RBAC.',
});

const rateLimit = z
  .strictObject({
    name: text({
      maxLength: 63,
      pattern: `^${DNS_LABEL}$`,
      message:
        'spec.rateLimits must have a name of lower-case letters, digits and "-" for each limit, beginning and ending with a letter or digit',
      description: 'What is counted, such as orders.',
    }),
    requests: z
      .int()
      .min(1)
      .max(1_000_000)
      .meta({ description: 'How many requests pass in one window.' }),
    window: duration('spec.rateLimits', '60s', 'How long a window is.'),
  })
  .meta({ title: 'RateLimit' });

export const accessSpecSchema: z.ZodType<AccessPolicySpec> = withRules(
  z.strictObject({
    subjects,
    effect: z
      .enum(['Allow', 'Deny'])
      .meta({ title: 'Effect', description: 'A Deny wins over every Allow. Absent: Allow.' })
      .exactOptional(),
    roles: set(z.enum(ROLES).meta({ title: 'Role' }), ROLES.length)
      .meta({ description: 'Built-in roles. The permissions of all of them count.' })
      .exactOptional(),
    permissions: set(z.enum(PERMISSIONS).meta({ title: 'Permission' }), PERMISSIONS.length)
      .meta({ description: 'Permissions beside those of the roles.' })
      .exactOptional(),
    accessLevel: z
      .enum(ACCESS_LEVELS)
      .meta({
        title: 'AccessLevel',
        description:
          'Of an Allow the greatest level that it gives, of a Deny the least that it takes. Absent: Read.',
      })
      .exactOptional(),
    environments,
    credentials,
    constraints: constraints.exactOptional(),
    network: policyNetwork.exactOptional(),
    rateLimits: keyedList(rateLimit, 'name', 32)
      .meta({ description: 'How many requests the gateway lets through.' })
      .exactOptional(),
  }),
  ACCESS_SPEC_RULES,
).meta({
  title: 'AccessPolicySpec',
  description: 'Who may do what. No field is filled in by the server.',
});

/** A whole object, as a file or the API server holds it. */
export const accessPolicySchema: z.ZodType<AccessPolicy> = z.strictObject({
  apiVersion: z.literal('strongroom.dev/v1alpha1'),
  kind: z.literal('AccessPolicy'),
  metadata: objectMetadata,
  spec: accessSpecSchema,
  status: accessStatusSchema.exactOptional(),
});
