import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { answerReview } from './answer.ts';

interface Answer {
  readonly apiVersion: string;
  readonly kind: string;
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
    readonly warnings?: readonly string[];
    readonly patch?: string;
    readonly patchType?: string;
    readonly auditAnnotations?: Readonly<Record<string, string>>;
  };
}

function answer(verdict: Verdict, patch?: Parameters<typeof answerReview>[2]): Answer['response'] {
  const review = JSON.parse(answerReview('u1', verdict, patch)) as Answer;
  expect(review).toMatchObject({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview' });
  expect(review.response.uid).toBe('u1');
  return review.response;
}

describe('answers', () => {
  test('an allow says nothing more', () => {
    expect(answer(ALLOWED)).toEqual({ uid: 'u1', allowed: true });
  });

  test('a refusal carries reason, message, code and what decided', () => {
    expect(answer(refuse('Denied', 'alice may not', { policies: ['freeze', 'night'] }))).toEqual({
      uid: 'u1',
      allowed: false,
      status: { status: 'Failure', code: 403, reason: 'Denied', message: 'alice may not' },
      auditAnnotations: { reason: 'Denied', policies: 'freeze,night' },
    });
  });

  test('an allow by an EmergencyAccess names it', () => {
    const verdict = { allowed: true, emergencyAccess: 'night', policies: ['p'] };
    expect(answer(verdict).auditAnnotations).toEqual({
      'emergency-access': 'night',
      policies: 'p',
    });
  });

  test.each([
    ['its own', 422, 422],
    ['one that may pass later', 503, 503],
    ['one that is no refusal', 200, 403],
    ['one that is no status', 1000, 403],
  ])('a code: %s', (_, code, expected) => {
    expect(answer(refuse('Invalid', 'x', { code })).status?.code).toBe(expected);
  });

  test('a refusal without a word still says something', () => {
    expect(answer({ allowed: false }).status).toMatchObject({
      reason: 'InternalError',
      message: 'InternalError',
    });
  });

  test('a message is one line', () => {
    const text = 'a\u001b[31m b\r\nc\u2028d\u202e\u0000';
    expect(answer(refuse('Denied', text)).status?.message).toBe('a [31m b c d');
  });

  test('a patch goes out in base64, and only with an allow', () => {
    const patch = [{ op: 'add', path: '/metadata/labels', value: { ä: '1' } }] as const;
    const allowed = answer(ALLOWED, patch);
    expect(allowed.patchType).toBe('JSONPatch');
    expect(JSON.parse(Buffer.from(allowed.patch ?? '', 'base64').toString('utf8'))).toEqual(patch);
    expect(answer(ALLOWED, [])).not.toHaveProperty('patch');
    expect(answer(refuse('Denied', 'x'), patch)).not.toHaveProperty('patch');
  });

  test('warnings: cut, without repetition, without what says nothing', () => {
    const warnings = ['one', 'two\nlines', 'one', ' \u0000 ', '🔑'.repeat(300)];
    expect(answer({ allowed: true, warnings }).warnings).toEqual([
      'one',
      'two lines',
      `${'🔑'.repeat(255)}…`,
    ]);
  });

  test('warnings stay within what the API server passes on', () => {
    const text = fc.string({ unit: 'binary', maxLength: 600 });
    fc.assert(
      fc.property(fc.array(text, { maxLength: 40 }), text, (texts, message) => {
        const { warnings = [], status } = answer({
          allowed: false,
          reason: 'Denied',
          message,
          warnings: texts,
        });
        const lengths = warnings.map((warning) => Array.from(warning).length);
        expect(Math.max(0, ...lengths)).toBeLessThanOrEqual(256);
        expect(lengths.reduce((sum, length) => sum + length, 0)).toBeLessThanOrEqual(4096);
        for (const line of [...warnings, status?.message ?? '']) {
          expect(line).not.toMatch(/[\p{Cc}\p{Bidi_Control}]/u);
          expect(line.isWellFormed()).toBe(true);
          expect(line).not.toBe('');
        }
      }),
    );
  });
});
