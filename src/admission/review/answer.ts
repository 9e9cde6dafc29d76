import type { JsonPatchOperation } from '#kube/client.ts';
import type { Verdict } from '../verdict.ts';
import { plainText } from './plain-text.ts';
import { API_VERSION, KIND } from './version.ts';

/** The API server cuts each warning at this many characters once all are longer than the sum. */
const MAX_WARNING = 256;
const MAX_WARNINGS = 4096;
const MAX_MESSAGE = 4096;
const MAX_ANNOTATION = 1024;

/**
 * The AdmissionReview that answers the review of that uid, as JSON. A patch goes out only with an
 * allow. Of the verdict it carries the reason, so that programs can tell refusals apart, and as
 * audit annotations what decided.
 */
export function answerReview(
  uid: string,
  verdict: Verdict,
  patch: readonly JsonPatchOperation[] = [],
): string {
  const { allowed } = verdict;
  const warnings = cutWarnings(verdict.warnings ?? []);
  const auditAnnotations = annotationsOf(verdict);
  return JSON.stringify({
    apiVersion: API_VERSION,
    kind: KIND,
    response: {
      uid,
      allowed,
      ...(allowed ? {} : { status: statusOf(verdict) }),
      ...(warnings.length === 0 ? {} : { warnings }),
      ...(allowed && patch.length > 0
        ? {
            patchType: 'JSONPatch',
            patch: Buffer.from(JSON.stringify(patch), 'utf8').toString('base64'),
          }
        : {}),
      ...(Object.keys(auditAnnotations).length === 0 ? {} : { auditAnnotations }),
    },
  });
}

function statusOf({ reason = 'InternalError', message, code = 403 }: Verdict): object {
  return {
    status: 'Failure',
    code: code >= 400 && code <= 599 ? code : 403,
    reason,
    message: plainText(message ?? '', MAX_MESSAGE) || reason,
  };
}

/** As many whole warnings as the API server passes on; those that say nothing are left out. */
function cutWarnings(warnings: readonly string[]): readonly string[] {
  const cut: string[] = [];
  let left = MAX_WARNINGS;
  for (const warning of warnings) {
    const text = plainText(warning, MAX_WARNING);
    if (text === '' || cut.includes(text)) continue;
    const { length } = Array.from(text);
    if (length > left) break;
    left -= length;
    cut.push(text);
  }
  return cut;
}

function annotationsOf(verdict: Verdict): Readonly<Record<string, string>> {
  const { reason, policies = [], emergencyAccess } = verdict;
  return {
    ...(reason === undefined ? {} : { reason }),
    ...(policies.length === 0 ? {} : { policies: plainText(policies.join(','), MAX_ANNOTATION) }),
    ...(emergencyAccess === undefined
      ? {}
      : { 'emergency-access': plainText(emergencyAccess, MAX_ANNOTATION) }),
  };
}

/** The body of an answer that is no review, as the API server writes its own failures. */
export function failureStatus(code: number, message: string): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'Status', status: 'Failure', code, message });
}
