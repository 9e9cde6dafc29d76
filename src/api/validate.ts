import type { z } from 'zod';
import { accessPolicySchema } from '#api/access-policy-schema.ts';
import { emergencyAccessSchema } from '#api/emergency-access-schema.ts';
import { exchangeCredentialSchema } from '#api/exchange-credential-schema.ts';
import { ipBlockSchema } from '#api/ip-block-schema.ts';
import type { ObjectMeta } from '#api/object-meta.ts';

/** One thing that is wrong with an object. Neither member holds a value of the object. */
export interface Fault {
  /** The field, such as `spec.source.sealed`; `(root)` for the object itself. */
  readonly path: string;
  /** What is wrong and what to do. */
  readonly message: string;
}

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

/**
 * What the API server would refuse of an ExchangeCredential that is created, found without one; an
 * empty list for a good object. Rules about changes need the stored object and are not checked.
 */
export function validateExchangeCredential(object: unknown): readonly Fault[] {
  return validate(exchangeCredentialSchema, object);
}

/** The same for an AccessPolicy. */
export function validateAccessPolicy(object: unknown): readonly Fault[] {
  return validate(accessPolicySchema, object);
}

/** The same for an IPBlock. */
export function validateIPBlock(object: unknown): readonly Fault[] {
  return validate(ipBlockSchema, object);
}

/** The same for an EmergencyAccess. */
export function validateEmergencyAccess(object: unknown): readonly Fault[] {
  return validate(emergencyAccessSchema, object);
}

function validate(
  schema: z.ZodType<{ readonly metadata: ObjectMeta }>,
  object: unknown,
): readonly Fault[] {
  const parsed = schema.safeParse(object, { error: describe });
  if (!parsed.success) return parsed.error.issues.flatMap(toFaults);
  const { name } = parsed.data.metadata;
  if (name.length <= 253 && NAME.test(name)) return [];
  return [
    {
      path: 'metadata.name',
      message:
        'metadata.name must be lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit, at most 253 of them',
    },
  ];
}

/** An unknown field is its own fault: the path names it, as it names any other field. */
function toFaults(issue: z.core.$ZodIssue): readonly Fault[] {
  if (issue.code !== 'unrecognized_keys') {
    return [{ path: pathOf(issue.path), message: issue.message }];
  }
  return issue.keys.map((key) => ({
    path: pathOf([...issue.path, key]),
    message: 'there is no such field; remove it or correct its name',
  }));
}

function pathOf(segments: readonly PropertyKey[]): string {
  if (segments.length === 0) return '(root)';
  return segments
    .map((segment, index) =>
      typeof segment === 'number' ? `[${segment}]` : `${index === 0 ? '' : '.'}${String(segment)}`,
    )
    .join('');
}

/** Where zod's name of a type is not that of the CRD. */
const TYPE_NAMES: Readonly<Record<string, string>> = {
  record: 'object',
  int: 'integer',
  number: 'integer',
};

/** Messages of what zod finds by itself. Rules bring messages of their own. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  const isValue = issue.code === 'invalid_type' || issue.code === 'invalid_value';
  if (isValue && issue.input === undefined) return 'is required; add it';
  if (issue.code === 'invalid_type') {
    return `must be of type ${TYPE_NAMES[issue.expected] ?? issue.expected}`;
  }
  if (issue.code === 'invalid_value')
    return `must be one of ${issue.values.map(String).join(', ')}`;
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}`;
  if (issue.code !== 'too_big') return undefined;
  if (issue.origin === 'array') return `may have at most ${issue.maximum} entries`;
  return `must be at most ${issue.maximum}${issue.origin === 'string' ? ' characters long' : ''}`;
}
