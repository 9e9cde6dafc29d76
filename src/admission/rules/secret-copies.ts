/** Copies of managed values in other Secrets: noticed, never refused. */
import { isRecord } from '#access/reading.ts';
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import type { AdmissionRequest } from '../request.ts';
import { isOperator } from '../requester.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED } from '../verdict.ts';
import type { Finding } from '../verdict.ts';
import { ownNameOf } from './guarded.ts';
import { nameOf } from './refusals.ts';

/** Shorter values could be guessed, and so are not known. */
const MIN_BYTES = 16;

/** Each look-up hashes the value: so many a review, and none of them longer. */
const MAX_LOOKUPS = 256;
const MAX_VALUE_BYTES = 64 * 1024;

/**
 * Looks at every value of a new Secret, or at those that an update changes: as it is, without white
 * space around it, line by line after `=` or `:` as in an `.env` file, and each of these also as
 * base64. A copy that was taken apart or encrypted is not found.
 */
export const secretCopyRule: Rule = (request, { world, settings }) => {
  const { operation, namespace = '', subResource = '', userInfo } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (subResource !== '' || isOperator(userInfo, settings)) return ALLOWED;
  // The source of an import holds the value by right, and so does what is delivered.
  const own = new Set(world.credentialsOfSecret(namespace, ownNameOf(request)).map(nameOf));
  const findings = new Map<string, Finding>();
  let lookups = 0;
  for (const { key, value } of candidates(changedValues(request))) {
    if (lookups >= MAX_LOOKUPS) break;
    lookups += 1;
    const credential = world.ownerOfValue(value);
    if (credential === undefined || own.has(credential)) continue;
    const id = `${key}/${credential}`;
    if (findings.has(id)) continue;
    findings.set(id, {
      type: 'ManagedValueCopied',
      message: `${describeObject(request)}: the value of ${key} is, or has in it, the value of a managed credential`,
      credential,
    });
  }
  return findings.size === 0 ? ALLOWED : { allowed: true, findings: [...findings.values()] };
};

interface Value {
  readonly key: string;
  readonly value: Uint8Array;
}

/** By key; of an update without those that are as they were. */
function changedValues({ object, oldObject }: AdmissionRequest): readonly Value[] {
  return (['data', 'stringData'] as const).flatMap((field) => {
    const now = member(object, field);
    const before = member(oldObject, field);
    return Object.entries(now).flatMap(([key, text]): readonly Value[] => {
      if (typeof text !== 'string' || text === before[key]) return [];
      return [{ key, value: Buffer.from(text, field === 'data' ? 'base64' : 'utf8') }];
    });
  });
}

function member(
  object: KubeObject | undefined,
  field: 'data' | 'stringData',
): Readonly<Record<string, unknown>> {
  const value = isRecord(object) ? object[field] : undefined;
  return isRecord(value) ? value : {};
}

/** What is looked up, the likeliest first: whole values of all keys, then what is in them. */
function* candidates(values: readonly Value[]): Generator<Value> {
  const fitting = values.filter(
    ({ value }) => value.length >= MIN_BYTES && value.length <= MAX_VALUE_BYTES,
  );
  yield* fitting;
  for (const { key, value } of fitting) {
    const seen = new Set<string>();
    const whole = Buffer.from(value).toString('utf8');
    for (const part of partsOf(whole)) {
      if (part.length < MIN_BYTES || seen.has(part)) continue;
      seen.add(part);
      if (part !== whole) yield { key, value: Buffer.from(part, 'utf8') };
      if (!BASE64.test(part)) continue;
      const decoded = Buffer.from(part, 'base64');
      if (decoded.length >= MIN_BYTES) yield { key, value: decoded };
    }
  }
}

const BASE64 = /^[A-Za-z0-9+/_-]+={0,2}$/;

function* partsOf(text: string): Generator<string> {
  yield text;
  yield text.trim();
  if (text.includes('\n')) yield `${text.trim()}\n`;
  for (const line of lines(text)) {
    const trimmed = line.trim();
    yield trimmed;
    const separator = trimmed.search(/[=:]/);
    if (separator !== -1) yield bare(trimmed.slice(separator + 1));
  }
}

/** One by one: a value may have as many lines as bytes, and few of them are looked up. */
function* lines(text: string): Generator<string> {
  for (let start = 0; start <= text.length;) {
    const end = text.indexOf('\n', start);
    yield text.slice(start, end === -1 ? text.length : end);
    if (end === -1) return;
    start = end + 1;
  }
}

/** Without the quotes of a shell, and the comma of JSON. */
function bare(text: string): string {
  const trimmed = text.trim().replace(/,$/, '').trimEnd();
  const quote = trimmed[0];
  const isQuoted =
    (quote === '"' || quote === "'") && trimmed.length > 1 && trimmed.endsWith(quote);
  return isQuoted ? trimmed.slice(1, -1) : trimmed;
}
