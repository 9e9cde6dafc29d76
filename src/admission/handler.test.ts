import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, test } from 'vitest';
import type { AuditRecord } from '#audit/audit.ts';
import { silentLogger } from '#runtime/log.ts';
import type { Logger } from '#runtime/log.ts';
import { createAdmissionHandler } from './handler.ts';
import type { AdmissionHandlerOptions } from './handler.ts';
import { createAdmissionMetrics } from './metrics.ts';
import { bytesOf, reviewOf } from './testing/reviews.ts';
import type { Json } from './testing/reviews.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { Verdict } from './verdict.ts';

const UID = '705ab4f5-6393-11e8-b7cc-42010a800002';
const SECRET = 's3cret-value';

interface Response {
  readonly uid: string;
  readonly allowed: boolean;
  readonly status?: { readonly code: number; readonly reason: string; readonly message: string };
  readonly patch?: string;
}

function setUp(options: Partial<AdmissionHandlerOptions> = {}) {
  const registry = new Registry();
  const records: AuditRecord[] = [];
  const lines: object[] = [];
  const uses: string[] = [];
  const findings: string[] = [];
  const log: Logger = {
    ...silentLogger,
    warn: (fields, message) => void lines.push({ ...fields, message }),
    error: (fields, message) => void lines.push({ ...fields, message }),
  };
  const handle = createAdmissionHandler({
    decide: () => ALLOWED,
    mutate: () => [],
    audit: async (record) => void records.push(record),
    metrics: createAdmissionMetrics(registry),
    clock: { monotonicMs: () => 0 },
    isReady: () => true,
    log,
    onEmergencyUse: (namespace, name) => void uses.push(`${namespace}/${name}`),
    onFinding: (_, { type }) => void findings.push(type),
    ...options,
  });
  async function review(
    parts: Json = {},
    path: '/validate' | '/mutate' = '/validate',
    signal: AbortSignal = new AbortController().signal,
  ): Promise<Response> {
    const { status, body } = await handle(path, bytesOf(reviewOf(parts)), signal);
    expect(status).toBe(200);
    return (JSON.parse(body) as { response: Response }).response;
  }
  return { handle, review, registry, records, lines, uses, findings };
}

describe('a decision', () => {
  test('an allow is recorded before it is answered, with who and what', async () => {
    const { review, records } = setUp({
      decide: () => ({ allowed: true, policies: ['one', 'two'] }),
    });
    expect(await review()).toEqual({
      uid: UID,
      allowed: true,
      auditAnnotations: { policies: 'one,two' },
    });
    expect(records).toEqual([
      {
        act: 'AdmissionAllowed',
        actor: {
          kind: 'User',
          name: 'alice',
          uid: 'a11ce',
          groups: ['desk', 'system:authenticated'],
        },
        object: { apiVersion: 'v1', kind: 'Pod', namespace: 'trading', name: 'maker' },
        decision: 'Allow',
        outcome: 'Succeeded',
        requestId: UID,
        details: { operation: 'CREATE', resource: 'pods', dryRun: false, policies: 'one,two' },
      },
    ]);
  });

  test('the answer waits for the record', async () => {
    const written = Promise.withResolvers<void>();
    const { review } = setUp({ audit: () => written.promise });
    let isAnswered = false;
    const answer = review().then((response) => {
      isAnswered = true;
      return response;
    });
    await new Promise(setImmediate);
    expect(isAnswered).toBe(false);
    written.resolve();
    expect((await answer).allowed).toBe(true);
  });

  test('a refusal is recorded with its reason', async () => {
    const { review, records } = setUp({
      decide: () => refuse('Denied', 'no', { policies: ['freeze'] }),
    });
    expect((await review()).status).toMatchObject({ code: 403, reason: 'Denied', message: 'no' });
    expect(records).toMatchObject([
      {
        act: 'AdmissionRefused',
        decision: 'Deny',
        outcome: 'Succeeded',
        details: { reason: 'Denied', policies: 'freeze' },
      },
    ]);
  });

  test('records name subresource, generated names, and not every group of thousands', async () => {
    const { review, records } = setUp();
    await review({
      subResource: 'eviction',
      name: '',
      userInfo: { username: 'a', groups: Array.from({ length: 250 }, String) },
      object: { apiVersion: 'v1', kind: 'Pod', metadata: { generateName: 'maker-' } },
    });
    expect(records[0]).toMatchObject({
      object: { name: 'maker-' },
      details: { subResource: 'eviction', groupsLeftOut: 150 },
    });
    expect(records[0]?.actor.groups).toHaveLength(100);
  });

  test('nothing of the object stands in the record', async () => {
    const { review, records } = setUp();
    await review({
      kind: { group: '', version: 'v1', kind: 'Secret' },
      resource: { group: '', version: 'v1', resource: 'secrets' },
      object: {
        apiVersion: 'v1',
        kind: 'Secret',
        metadata: { name: 'maker', annotations: { note: SECRET } },
        data: { key: SECRET },
      },
      options: { note: SECRET },
    });
    expect(records).toHaveLength(1);
    expect(JSON.stringify(records)).not.toContain(SECRET);
  });
});

describe('what is not decided is refused', () => {
  test('audit cannot be written', async () => {
    const { review, lines } = setUp({ audit: async () => Promise.reject(new Error(SECRET)) });
    expect((await review()).status).toMatchObject({ code: 500, reason: 'InternalError' });
    expect(lines).toMatchObject([
      { message: 'Audit record could not be written', requestId: UID },
      { message: 'Audit record could not be written', requestId: UID },
    ]);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  test('audit cannot be written, and the answer was no', async () => {
    const { review } = setUp({
      decide: () => refuse('Denied', 'no'),
      audit: async () => Promise.reject(new Error('full')),
    });
    expect((await review()).status).toMatchObject({ reason: 'Denied' });
  });

  test.each(['/validate', '/mutate'] as const)('a rule throws on %s', async (path) => {
    const thrower = (): never => {
      throw new TypeError(SECRET);
    };
    const { review, lines } = setUp({ decide: thrower, mutate: thrower });
    const answer = await review({}, path);
    expect(answer).toMatchObject({
      allowed: false,
      status: { code: 500, reason: 'InternalError', message: expect.stringContaining(UID) },
    });
    expect(answer).not.toHaveProperty('patch');
    expect(lines).toMatchObject([
      {
        requestId: UID,
        operation: 'CREATE',
        resource: 'pods',
        reason: expect.stringMatching(/^TypeError/),
      },
    ]);
    expect(JSON.stringify([lines, answer])).not.toContain(SECRET);
  });

  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['text', 'allowed'],
    ['an allow that is not true', { allowed: 'true' }],
    ['an allow that is a number', { allowed: 1 }],
  ])('a rule answers %s', async (_, verdict) => {
    const { review } = setUp({ decide: () => verdict as Verdict });
    expect((await review()).allowed).toBe(false);
  });

  test.each(['/validate', '/mutate'] as const)('caches are not filled, on %s', async (path) => {
    let asked = 0;
    const count = (): never => {
      asked += 1;
      throw new Error('asked');
    };
    const { review } = setUp({ isReady: () => false, decide: count, mutate: count });
    expect((await review({}, path)).status).toMatchObject({ code: 503, reason: 'NotKnownYet' });
    expect(asked).toBe(0);
  });

  test.each(['/validate', '/mutate'] as const)('time is over at %s', async (path) => {
    const { review } = setUp();
    expect((await review({}, path, AbortSignal.abort())).status).toMatchObject({
      code: 504,
      reason: 'DeadlineExceeded',
    });
  });

  test('time is over while the record is written, and the records say what was answered', async () => {
    const over = new AbortController();
    const records: AuditRecord[] = [];
    const { review } = setUp({
      audit: async (record, signal) => {
        records.push(record);
        if (signal !== undefined) await new Promise(() => undefined);
      },
    });
    const answer = review({}, '/validate', over.signal);
    await new Promise(setImmediate);
    over.abort();
    expect((await answer).status).toMatchObject({ reason: 'DeadlineExceeded' });
    expect(records.map(({ decision }) => decision)).toEqual(['Allow', 'Deny']);
  });

  test('the record comes at the moment the time is over', async () => {
    const over = new AbortController();
    const { review } = setUp({
      audit: async () => over.abort(),
    });
    expect((await review({}, '/validate', over.signal)).allowed).toBe(false);
  });

  test('what is no review', async () => {
    const { handle, records, lines } = setUp();
    const { signal } = new AbortController();
    const answer = await handle('/validate', Buffer.from(SECRET), signal);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ kind: 'Status', code: 400 });
    const named = await handle('/validate', bytesOf(reviewOf({ operation: SECRET })), signal);
    expect(named.status).toBe(200);
    expect(JSON.parse(named.body)).toMatchObject({
      response: { uid: UID, allowed: false, status: { code: 400, reason: 'NotUnderstood' } },
    });
    expect(records).toEqual([]);
    expect(lines).toHaveLength(2);
    expect(JSON.stringify([lines, answer, named])).not.toContain(SECRET);
  });
});

describe('what follows from a decision', () => {
  const used: Verdict = {
    allowed: true,
    emergencyAccess: 'night',
    findings: [
      { type: 'ManagedValueCopied', message: 'copied', credential: 'trading/maker' },
      { type: 'ManagedValueCopied', message: 'copied, too', credential: 'trading/maker' },
    ],
  };

  test('a use of an EmergencyAccess is counted, a finding told', async () => {
    const { review, uses, findings, records } = setUp({ decide: () => used });
    await review();
    expect([uses, findings]).toEqual([
      ['trading/night'],
      ['ManagedValueCopied', 'ManagedValueCopied'],
    ]);
    expect(records[0]?.details).toMatchObject({
      emergencyAccess: 'night',
      findings: 'ManagedValueCopied',
      copied: 'trading/maker',
    });
  });

  test.each<[string, Partial<AdmissionHandlerOptions>, Json]>([
    ['of a dry run', { decide: () => used }, { dryRun: true }],
    ['of a refusal', { decide: () => ({ ...used, allowed: false }) }, {}],
    [
      'without a record',
      { decide: () => used, audit: async () => Promise.reject(new Error('full')) },
      {},
    ],
  ])('nothing %s', async (_, options, parts) => {
    const { review, uses, findings } = setUp(options);
    await review(parts);
    expect([uses, findings]).toEqual([[], []]);
  });

  test('a dry run decides the same and is recorded as one', async () => {
    const { review, records } = setUp({ decide: () => refuse('Denied', 'no') });
    const [real, dry] = [await review(), await review({ dryRun: true })];
    expect(dry).toEqual(real);
    expect(records.map(({ details }) => details?.['dryRun'])).toEqual([false, true]);
  });

  test('a callback that throws takes nothing back', async () => {
    const { review, lines } = setUp({
      decide: () => used,
      onEmergencyUse: () => {
        throw new Error(SECRET);
      },
    });
    expect((await review()).allowed).toBe(true);
    expect(JSON.stringify(lines)).not.toContain(SECRET);
  });

  test('what a mutating review adds', async () => {
    const patch = [{ op: 'add', path: '/metadata/labels/a', value: '1' }] as const;
    const { review, records } = setUp({ mutate: () => patch });
    const answer = await review({}, '/mutate');
    expect(JSON.parse(Buffer.from(answer.patch ?? '', 'base64').toString())).toEqual(patch);
    expect(await review()).not.toHaveProperty('patch');
    expect(records).toHaveLength(1);
  });

  test('metrics: duration, reasons, and no label by the will of a client', async () => {
    const { review, handle, registry } = setUp({ decide: () => refuse('Denied', 'no') });
    await review();
    await review({
      resource: { group: '', version: 'v1', resource: 'whatever' },
    });
    await handle('/validate', Buffer.from('x'), new AbortController().signal);
    const text = await registry.metrics();
    expect(text).toContain('strongroom_admission_refusals_total{reason="Denied"} 2');
    expect(text).toContain('strongroom_admission_refusals_total{reason="NotUnderstood"} 1');
    expect(text).toContain(
      'strongroom_admission_review_duration_seconds_count{path="/validate",resource="pods",allowed="false"} 1',
    );
    expect(text).toContain(
      'strongroom_admission_review_duration_seconds_count{path="/validate",resource="other",allowed="false"} 2',
    );
    expect(text).toContain('le="30"');
    expect(text).not.toContain('whatever');
  });
});

test('whatever goes wrong in whatever combination, an allow has its record', async () => {
  const faults = fc.record({
    isReady: fc.boolean(),
    isLate: fc.boolean(),
    rule: fc.constantFrom('allow', 'refuse', 'throw'),
    audit: fc.constantFrom('writes', 'rejects', 'throws', 'is late'),
    dryRun: fc.boolean(),
  });
  await fc.assert(
    fc.asyncProperty(faults, async ({ isReady, isLate, rule, audit, dryRun }) => {
      const over = new AbortController();
      if (isLate) over.abort();
      const written: AuditRecord[] = [];
      const { review } = setUp({
        isReady: () => isReady,
        decide() {
          if (rule === 'throw') throw new Error('rule');
          return rule === 'allow' ? ALLOWED : refuse('Denied', 'no');
        },
        audit(record) {
          if (audit === 'throws') throw new Error('audit');
          if (audit === 'rejects') return Promise.reject(new Error('audit'));
          if (audit === 'is late') over.abort();
          written.push(record);
          return Promise.resolve();
        },
      });
      const { allowed } = await review({ dryRun }, '/validate', over.signal);
      expect(allowed).toBe(isReady && !isLate && rule === 'allow' && audit === 'writes');
      const last = written.at(-1);
      expect(allowed ? last?.decision : 'Deny').toBe(last?.decision ?? 'Deny');
    }),
    { numRuns: 300 },
  );
});
