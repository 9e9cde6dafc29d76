import { describe, expect, it } from 'vitest';
import { KubeError, errorFromStatus, isKubeError } from '#kube/errors.ts';
import type { KubeErrorCode } from '#kube/errors.ts';
import type { Status } from '#kube/objects.ts';

function status(reason: string, details?: Status['details']): Status {
  return { kind: 'Status', reason, message: 'what the server says', ...(details && { details }) };
}

const terminating = { causes: [{ reason: 'NamespaceTerminating', field: 'metadata.namespace' }] };

/** HTTP status, the server's Status, our code, whether a caller may try again. */
const TABLE: readonly (readonly [number, Status | undefined, KubeErrorCode, boolean])[] = [
  [400, status('BadRequest'), 'ERR_KUBE_INVALID', false],
  [401, status('Unauthorized'), 'ERR_KUBE_UNAUTHORIZED', false],
  [403, status('Forbidden'), 'ERR_KUBE_FORBIDDEN', false],
  [403, status('Forbidden', terminating), 'ERR_KUBE_NAMESPACE_TERMINATING', false],
  [404, status('NotFound'), 'ERR_KUBE_NOT_FOUND', false],
  [404, undefined, 'ERR_KUBE_NOT_FOUND', false],
  [405, status('MethodNotAllowed'), 'ERR_KUBE_PROTOCOL', false],
  [408, undefined, 'ERR_KUBE_TIMEOUT', true],
  [409, status('Conflict'), 'ERR_KUBE_CONFLICT', true],
  [409, status('AlreadyExists'), 'ERR_KUBE_ALREADY_EXISTS', false],
  [410, status('Gone'), 'ERR_KUBE_GONE', false],
  [410, status('Expired'), 'ERR_KUBE_GONE', false],
  [413, status('RequestEntityTooLarge'), 'ERR_KUBE_INVALID', false],
  [415, status('UnsupportedMediaType'), 'ERR_KUBE_INVALID', false],
  [422, status('Invalid'), 'ERR_KUBE_INVALID', false],
  [429, status('TooManyRequests'), 'ERR_KUBE_TOO_MANY_REQUESTS', true],
  [500, status('InternalError'), 'ERR_KUBE_UNAVAILABLE', true],
  [502, undefined, 'ERR_KUBE_UNAVAILABLE', true],
  [503, status('ServiceUnavailable'), 'ERR_KUBE_UNAVAILABLE', true],
  [504, status('Timeout'), 'ERR_KUBE_TIMEOUT', true],
  [302, undefined, 'ERR_KUBE_PROTOCOL', false],
];

describe('errorFromStatus', () => {
  it.each(TABLE)('HTTP %i, %o: %s', (httpStatus, body, code, retryable) => {
    const error = errorFromStatus('get ConfigMap a/b', httpStatus, body, undefined, true);
    expect(error).toMatchObject({ code, retryable, status: httpStatus, reason: body?.reason });
    expect(error.message).toBe(
      `get ConfigMap a/b: ${body === undefined ? `HTTP ${httpStatus}` : 'what the server says'}`,
    );
  });

  it('says how long the server asks to wait, the header before the body', () => {
    const body = status('TooManyRequests', { retryAfterSeconds: 7 });
    expect(errorFromStatus('c', 429, body, undefined, true).retryAfterMs).toBe(7000);
    expect(errorFromStatus('c', 429, body, 2000, true).retryAfterMs).toBe(2000);
    expect(errorFromStatus('c', 429, undefined, undefined, true).retryAfterMs).toBeUndefined();
  });

  it('quotes nothing of what was sent where that can be a secret', () => {
    const canary = 'canary-5d1f';
    const error = errorFromStatus(
      'apply Secret a/b',
      422,
      {
        kind: 'Status',
        reason: 'Invalid',
        message: `data[key]: Invalid value: "${canary}"`,
        details: { causes: [{ field: 'data[key]', reason: 'FieldValueInvalid', message: canary }] },
      },
      undefined,
      false,
    );
    expect(error.message).toBe('apply Secret a/b: Invalid');
    expect(error.causes).toEqual([{ field: 'data[key]', reason: 'FieldValueInvalid' }]);
    expect(JSON.stringify(error, Object.getOwnPropertyNames(error))).not.toContain(canary);
  });

  it('keeps the causes of a refusal that can be shown', () => {
    const causes = [{ field: 'spec.type', reason: 'FieldValueInvalid', message: 'is immutable' }];
    const error = errorFromStatus('c', 422, status('Invalid', { causes }), undefined, true);
    expect(error.causes).toEqual(causes);
  });
});

describe('isKubeError', () => {
  it('asks for any, or for one code', () => {
    const error = new KubeError('ERR_KUBE_GONE', 'gone');
    expect(isKubeError(error)).toBe(true);
    expect(isKubeError(error, 'ERR_KUBE_GONE')).toBe(true);
    expect(isKubeError(error, 'ERR_KUBE_CONFLICT')).toBe(false);
    expect(isKubeError(Object.assign(new Error('no'), { code: 'ERR_KUBE_GONE' }))).toBe(false);
  });
});
