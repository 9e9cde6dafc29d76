import { z } from 'zod';
import { isCanonicalCidr } from '#api/cidr.ts';
import { DURATION_PATTERN, isDuration } from '#api/duration.ts';
import type { Rule } from '#api/schema/rule.ts';
import { celString, withRules } from '#api/schema/rule.ts';

/**
 * A string that must match a pattern, the same in RE2 and JavaScript. It becomes a rule, not a
 * `pattern`: see Rule.
 */
export function text(o: {
  readonly maxLength: number;
  readonly pattern: string;
  readonly message: string;
  readonly description?: string;
  /** Rules beside the pattern. */
  readonly rules?: readonly Rule<string>[];
}): z.ZodString {
  const matcher = new RegExp(o.pattern);
  return withRules(z.string().max(o.maxLength), [
    {
      cel: `self.matches(${celString(o.pattern)})`,
      message: o.message,
      reason: 'FieldValueForbidden',
      holds: (value) => matcher.test(value),
    },
    ...(o.rules ?? []),
  ]).meta({
    'x-strongroom-pattern': o.pattern,
    ...(o.description !== undefined && { description: o.description }),
  });
}

/** For {@link text}: one line that is not empty, without a space before or behind it. */
export const LINE = '^[^\\x00-\\x20\\x7f]([^\\x00-\\x1f\\x7f]*[^\\x00-\\x20\\x7f])?$';

/** Any string up to a length. */
export function freeText(maxLength: number, description: string): z.ZodString {
  return z.string().max(maxLength).meta({ description });
}

/** A whole number that is not negative. */
export function count(description: string): z.ZodExactOptional<z.ZodInt> {
  return z.int().min(0).meta({ description }).exactOptional();
}

/** A duration that is longer than nothing. `rules` are looked at beside. */
export function duration(
  path: string,
  example: string,
  description: string,
  rules: readonly Rule<string>[] = [],
): z.ZodString {
  return text({
    maxLength: 24,
    pattern: DURATION_PATTERN,
    message: `${path} must be a duration in whole hours, minutes and seconds, such as ${example}`,
    description,
    rules: [
      {
        cel: `!self.matches(${celString(DURATION_PATTERN)}) || self.matches('[1-9]')`,
        message: `${path} must be longer than nothing`,
        reason: 'FieldValueForbidden',
        holds: (value) => !isDuration(value) || /[1-9]/.test(value),
      },
      ...rules,
    ],
  });
}

/** A range of addresses in the one form that it has. */
export function canonicalRange(path: string): z.ZodString {
  return withRules(z.string().max(43), [
    {
      cel: 'isCIDR(self) && string(cidr(self).masked()) == self',
      message: `${path} must hold ranges in their canonical form, without host bits: 10.20.0.0/16, 192.0.2.7/32 or 2001:db8::/32`,
      reason: 'FieldValueForbidden',
      holds: isCanonicalCidr,
    },
  ]);
}

/** A map from names to values, at most `maxProperties` of them. */
export function map<V extends z.ZodType>(
  value: V,
  maxProperties: number,
): z.ZodRecord<z.ZodString, V> {
  return z
    .record(z.string(), value)
    .superRefine((entries, context) => {
      if (Object.keys(entries).length <= maxProperties) return;
      context.addIssue({ code: 'custom', message: `may have at most ${maxProperties} entries` });
    })
    .meta({ maxProperties });
}

/** A list whose entries are told apart by one of their properties; server-side apply merges it. */
export function keyedList<V extends z.ZodType>(
  item: V,
  key: keyof z.output<V> & string,
  maxItems: number,
): z.ZodArray<V> {
  return onceEach(
    z.array(item).max(maxItems),
    (entry) => (entry as Record<string, unknown>)[key],
  ).meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });
}

/** A list of texts in no order, each at most once. */
export function set<V extends z.ZodType<string>>(
  item: V,
  maxItems: number,
  rules: readonly Rule<z.output<V>[]>[] = [],
): z.ZodArray<V> {
  const list = onceEach(z.array(item).max(maxItems), (entry) => entry);
  return (rules.length === 0 ? list : withRules(list, rules)).meta({
    'x-kubernetes-list-type': 'set',
  });
}

/** A list that may be left out, but says nothing when it is there and empty. */
export function notEmpty(path: string, advice: string): Rule<readonly unknown[]> {
  return {
    cel: 'self.size() > 0',
    message: `${path} must not be empty: ${advice}`,
    reason: 'FieldValueForbidden',
    holds: (list) => list.length > 0,
  };
}

/** `*` says all, so nothing can be added to it. */
export function allAlone(path: string): Rule<readonly string[]> {
  return {
    cel: `self.size() == 1 || !self.exists(entry, entry == '*')`,
    message: `${path} has "*", which says all, beside others; remove it or the others`,
    reason: 'FieldValueForbidden',
    holds: (list) => list.length === 1 || !list.includes('*'),
  };
}

/** Names, or `*` alone. */
export function namesOrAll(
  path: string,
  of: string,
  maxLength: number,
  pattern: string,
): z.ZodArray<z.ZodString> {
  return set(
    text({
      maxLength,
      pattern: `^([*]|${pattern})$`,
      message: `${path} must hold names of ${of}, or "*" alone for all: no patterns, only lower-case letters, digits and "-", beginning and ending with a letter or digit`,
    }),
    250,
    [notEmpty(path, `name at least one, write "*" for all, or remove the list`), allAlone(path)],
  );
}

/** The API server sees to this by the type of the list. */
function onceEach<V extends z.ZodType>(
  list: z.ZodArray<V>,
  identityOf: (entry: z.output<V>) => unknown,
): z.ZodArray<V> {
  return list.superRefine((entries, context) => {
    const seen = new Set<unknown>();
    for (const [index, entry] of entries.entries()) {
      const identity = identityOf(entry);
      if (seen.has(identity)) {
        context.addIssue({ code: 'custom', path: [index], message: 'stands twice; remove one' });
      }
      seen.add(identity);
    }
  });
}

/** A point in time, RFC 3339. */
export function time(description: string): z.ZodString {
  return z.string().meta({ format: 'date-time', description });
}

export const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
export const DNS_SUBDOMAIN: string = `${DNS_LABEL}([.]${DNS_LABEL})*`;

/** The name of an object such as a Secret (a DNS subdomain). `path` is the field, for the message. */
export function objectName(path: string, description: string): z.ZodString {
  return text({
    maxLength: 253,
    pattern: `^${DNS_SUBDOMAIN}$`,
    message: `${path} must be the name of a Secret: lower-case letters, digits, "-" and ".", beginning and ending with a letter or digit`,
    description,
  });
}

/** A key of a Secret. */
export function secretKey(path: string): z.ZodString {
  return text({
    maxLength: 253,
    pattern: '^[-._a-zA-Z0-9]+$',
    message: `${path} must hold keys of a Secret: letters, digits, "-", "_" and "."`,
  });
}

/** The value of a label. */
export function labelValue(path: string): z.ZodString {
  return text({
    maxLength: 63,
    pattern: '^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$',
    message: `${path} must have label values: at most 63 letters, digits, "-", "_" and ".", beginning and ending with a letter or digit`,
  });
}

const LABEL_KEYS =
  'must have label keys: an optional DNS prefix and "/", then at most 63 letters, digits, "-", "_" and "."';

/** Of a map: its keys are keys of labels. */
export function labelKeys(path: string): Rule<Readonly<Record<string, string>>> {
  return {
    cel: '!self.exists(key, format.qualifiedName().validate(key).hasValue())',
    message: `${path} ${LABEL_KEYS}`,
    holds: (given) => Object.keys(given).every(isLabelKey),
  };
}

/** The key of a label. */
export function labelKey(path: string, description: string): z.ZodString {
  return withRules(z.string().max(317), [
    {
      cel: '!format.qualifiedName().validate(self).hasValue()',
      message: `${path} ${LABEL_KEYS}`,
      reason: 'FieldValueForbidden',
      holds: isLabelKey,
    },
  ]).meta({ description });
}

const LABEL_NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const LABEL_PREFIX = new RegExp(`^(?=.{1,253}$)${DNS_SUBDOMAIN}$`);

function isLabelKey(key: string): boolean {
  const parts = key.split('/');
  const name = parts.at(-1) ?? '';
  if (parts.length > 2 || !LABEL_NAME.test(name)) return false;
  return parts.length === 1 || LABEL_PREFIX.test(parts[0] ?? '');
}
