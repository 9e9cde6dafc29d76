/**
 * The rules that involve several fields of an EmergencyAccess, or characters that a pattern cannot
 * name. Rules about one field stand with the field in emergency-access-schema.ts.
 */
import { DURATION_PATTERN, isDuration, parseDuration } from '#api/duration.ts';
import type {
  EmergencyAccessSpec,
  EmergencySubject,
  EmergencyTarget,
} from '#api/emergency-access-types.ts';
import { DNS_SUBDOMAIN } from '#api/schema/building-blocks.ts';
import type { Rule } from '#api/schema/rule.ts';
import { celString } from '#api/schema/rule.ts';

/** The shortest token that the API server issues lasts as long. */
export const SHORTEST_EMERGENCY = '10m';

/** As many characters as a reason has at least, for it to be one. */
export const SHORTEST_REASON = 20;

/**
 * Characters that are not seen, or that change how others are seen: with one of them a name looks
 * like another's. In both languages the escapes stand for the characters themselves.
 */
const UNSEEN =
  '\\u0080-\\u00a0\\u00ad\\u034f\\u061c\\u115f\\u1160\\u17b4\\u17b5\\u180b-\\u180f\\u2000-\\u200f\\u2028-\\u202f\\u205f-\\u206f\\u3000\\u3164\\ufe00-\\ufe0f\\ufeff\\uffa0\\ufff0-\\uffff';
const unseen = new RegExp(`[${UNSEEN}\\u{e0000}-\\u{e0fff}]`, 'u');
const celUnseen = `'[${UNSEEN}\\U000e0000-\\U000e0fff]'`;

/** Nothing in the name of a subject may hide. */
export const nothingHidden: Rule<string> = {
  cel: `!self.matches(${celUnseen})`,
  message:
    'spec.subject.name holds characters that cannot be seen or that change how others look; write the name as the API server knows it',
  reason: 'FieldValueForbidden',
  holds: (name) => !unseen.test(name),
};

/** Characters are counted, as the API server counts them, not the two halves of one. */
export const longEnough: Rule<string> = {
  cel: `self.size() >= ${SHORTEST_REASON}`,
  message: `spec.reason must have at least ${SHORTEST_REASON} characters: say what happened and what has to be done`,
  reason: 'FieldValueForbidden',
  holds: (reason) => Array.from(reason).length >= SHORTEST_REASON,
};

export const notTooShort: Rule<string> = {
  cel: `!self.matches(${celString(DURATION_PATTERN)}) || !self.matches('[1-9]') || duration(self) >= duration('${SHORTEST_EMERGENCY}')`,
  message: `spec.duration must be at least ${SHORTEST_EMERGENCY}, since no token of the API server ends sooner`,
  reason: 'FieldValueForbidden',
  holds: (value) =>
    !isDuration(value) ||
    !/[1-9]/.test(value) ||
    parseDuration(value) >= parseDuration(SHORTEST_EMERGENCY),
};

const subdomain = new RegExp(`^${DNS_SUBDOMAIN}$`);

export const EMERGENCY_SUBJECT_RULES: readonly Rule<EmergencySubject>[] = [
  {
    cel: `self.kind != 'ServiceAccount' || self.name.size() <= 253 && self.name.matches(${celString(`^${DNS_SUBDOMAIN}$`)})`,
    message:
      'spec.subject.name must be the name of a ServiceAccount of this namespace: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit',
    reason: 'FieldValueForbidden',
    fieldPath: '.name',
    holds: ({ kind, name }) =>
      kind !== 'ServiceAccount' || (name.length <= 253 && subdomain.test(name)),
  },
  {
    cel: `self.kind != 'User' || !self.name.startsWith('system:serviceaccount:')`,
    message:
      'spec.subject names a ServiceAccount as User; write kind: ServiceAccount and its name alone, which is one of this namespace',
    reason: 'FieldValueForbidden',
    fieldPath: '.name',
    holds: ({ kind, name }) => kind !== 'User' || !name.startsWith('system:serviceaccount:'),
  },
];

export const targetNotEmpty: Rule<EmergencyTarget> = {
  cel: 'has(self.credentials) || has(self.pods)',
  message: 'spec.target needs credentials, pods, or both',
  holds: ({ credentials, pods }) => credentials !== undefined || pods !== undefined,
};

// An empty target has a rule of its own.
export const EMERGENCY_SPEC_RULES: readonly Rule<EmergencyAccessSpec>[] = [
  {
    cel: `!self.permissions.exists(p, p == 'AccessSecrets') || has(self.target.credentials) || !has(self.target.pods)`,
    message:
      'spec.permissions asks for AccessSecrets, which is about credentials; name them in spec.target.credentials',
    fieldPath: '.permissions',
    holds: ({ permissions, target }) =>
      !permissions.includes('AccessSecrets') ||
      target.credentials !== undefined ||
      target.pods === undefined,
  },
  {
    cel: `!self.permissions.exists(p, p == 'EmergencyOverride') || has(self.target.pods) || !has(self.target.credentials)`,
    message:
      'spec.permissions asks for EmergencyOverride, which is about pods; name them in spec.target.pods',
    fieldPath: '.permissions',
    holds: ({ permissions, target }) =>
      !permissions.includes('EmergencyOverride') ||
      target.pods !== undefined ||
      target.credentials === undefined,
  },
  {
    cel: 'self == oldSelf',
    message:
      'spec cannot be changed: others approve what stands in it; create another EmergencyAccess instead',
    reason: 'FieldValueForbidden',
  },
];
