import type { z } from 'zod';

/**
 * One rule that an object of the kind must obey, stated twice: in CEL for the API server and as a
 * function for the command line, which works without one. A test gives both the same bad objects.
 *
 * Rules are used instead of `pattern`, since somebody will paste a secret into any text: the API
 * server repeats the value when a pattern fails. It repeats a string (not an object) when a rule
 * fails too, unless the reason is FieldValueForbidden or FieldValueRequired.
 */
export interface Rule<T> {
  /** CEL over `self`. */
  readonly cel: string;
  /** Names the field and says what to do; never repeats a value. */
  readonly message: string;
  /** A message that depends on public parts of the value, in CEL and as a function. */
  readonly messageExpression?: { readonly cel: string; readonly text: (value: T) => string };
  readonly reason?: 'FieldValueInvalid' | 'FieldValueForbidden' | 'FieldValueRequired';
  /** The field below `self` that is at fault, such as `.source.sealed`. */
  readonly fieldPath?: string;
  /** What `cel` says. Absent where CEL compares with `oldSelf`, which only an API server has. */
  readonly holds?: (value: T) => boolean;
}

/** The rule as it stands in a CRD, under `x-kubernetes-validations`. */
export interface ValidationRule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression?: string;
  readonly reason?: string;
  readonly fieldPath?: string;
}

/** `schema` with rules: zod checks them, and the CRD that is generated from it carries them. */
export function withRules<S extends z.ZodType>(schema: S, rules: readonly Rule<z.output<S>>[]): S {
  return schema
    .superRefine((value, context) => {
      for (const { holds, message, messageExpression, fieldPath } of rules) {
        if (holds === undefined || holds(value)) continue;
        context.addIssue({
          code: 'custom',
          message: messageExpression?.text(value) ?? message,
          path: fieldPath === undefined ? [] : fieldPath.split('.').slice(1),
        });
      }
    })
    .meta({ 'x-kubernetes-validations': rules.map(toValidationRule) });
}

function toValidationRule<T>(rule: Rule<T>): ValidationRule {
  return {
    rule: rule.cel,
    message: rule.message,
    ...(rule.messageExpression && { messageExpression: rule.messageExpression.cel }),
    ...(rule.reason && { reason: rule.reason }),
    ...(rule.fieldPath && { fieldPath: rule.fieldPath }),
  };
}

/** A CEL string literal. */
export function celString(text: string): string {
  return `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** A CEL list of strings. */
export function celList(items: readonly string[]): string {
  return `[${items.map(celString).join(', ')}]`;
}
