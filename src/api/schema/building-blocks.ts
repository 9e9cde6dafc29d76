import { z } from 'zod';
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
}): z.ZodString {
  const matcher = new RegExp(o.pattern);
  return withRules(z.string().max(o.maxLength), [
    {
      cel: `self.matches(${celString(o.pattern)})`,
      message: o.message,
      reason: 'FieldValueForbidden',
      holds: (value) => matcher.test(value),
    },
  ]).meta({
    'x-strongroom-pattern': o.pattern,
    ...(o.description !== undefined && { description: o.description }),
  });
}

/** Any string up to a length. */
export function freeText(maxLength: number, description: string): z.ZodString {
  return z.string().max(maxLength).meta({ description });
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
  return z
    .array(item)
    .max(maxItems)
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': [key] });
}

/** A point in time, RFC 3339. */
export function time(description: string): z.ZodString {
  return z.string().meta({ format: 'date-time', description });
}

const DNS_LABEL = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';

/** The name of an object such as a Secret (a DNS subdomain). `path` is the field, for the message. */
export function objectName(path: string, description: string): z.ZodString {
  return text({
    maxLength: 253,
    pattern: `^${DNS_LABEL}(\\.${DNS_LABEL})*$`,
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
