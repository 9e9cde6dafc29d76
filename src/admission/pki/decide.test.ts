import { X509Certificate } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { carryOut } from './carry-out.ts';
import { decidePki } from './decide.ts';
import { issueAuthority, issueServing } from './issue.ts';
import { FOLLOW_MS, SETTLE_MS } from './periods.ts';
import { isIssuedBy, joinPem, readExternal, readPki, writePki } from './stored-pki.ts';
import type { StoredPki } from './stored-pki.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = Date.parse('2026-11-26T12:00:00Z');
const NAMES = ['webhook.system.svc'];
const stampKey = new Uint8Array(32).fill(1);
const ISSUER = { issueAuthority, issueServing, entropy: (bytes: number) => new Uint8Array(bytes) };

const [first, second] = [await issueAuthority(NOW), await issueAuthority(NOW + 244 * DAY + MINUTE)];

async function by(authority: typeof first, nowMs: number, more: Partial<StoredPki> = {}) {
  const serving = await issueServing(authority, NAMES, nowMs);
  return { authority, serving, bundle: [authority.cert], stampKey, ...more } satisfies StoredPki;
}

const fresh = await by(first, NOW);
/** A new authority signs nothing yet, or only just. */
const OVERLAP = NOW + 244 * DAY + 2 * MINUTE;
const bundle = [second.cert, first.cert];
const waiting: StoredPki = { ...(await by(first, OVERLAP - DAY)), authority: second, bundle };
const [dueSoon, old, last] = [
  await by(first, OVERLAP - DAY),
  await by(first, NOW + 100 * DAY),
  await by(first, NOW + 300 * DAY),
];
const switched = await by(second, OVERLAP, { bundle });

describe('what is to be done', () => {
  test.each<[string, StoredPki, number, string]>([
    ['nothing is there', { bundle: [] }, NOW, 'create'],
    ['only a stamp key is there', { bundle: [], stampKey }, NOW, 'create'],
    ['all is fresh', fresh, NOW, 'keep'],
    ['all is fresh to a clock that is an hour behind', fresh, NOW - HOUR, 'keep'],
    ['the stamp key is missing', { ...fresh, stampKey: undefined } as never, NOW, 'createStampKey'],
    ['the bundle is missing', { ...fresh, bundle: [] }, NOW, 'completeBundle'],
    ['the bundle is of others', { ...fresh, bundle: [second.cert] }, NOW, 'completeBundle'],
    [
      'the serving certificate is missing',
      { ...fresh, serving: undefined } as never,
      NOW,
      'renewLeaf',
    ],
    [
      'nobody knows who signed what is served',
      { ...fresh, authority: second, bundle: [second.cert] },
      OVERLAP,
      'renewLeaf',
    ],
    [
      'the key of the authority is lost',
      { ...fresh, authority: undefined } as never,
      NOW,
      'startCa',
    ],
    [
      'the key and the bundle are lost',
      { ...fresh, authority: undefined, bundle: [] } as never,
      NOW,
      'create',
    ],
    ['just before two thirds', fresh, NOW + 60 * DAY - 1000, 'keep'],
    ['two thirds of its time are over', fresh, NOW + 60 * DAY, 'renewLeaf'],
    ['after a month off', fresh, NOW + 100 * DAY, 'renewLeaf'],
    ['after a year off', fresh, NOW + 366 * DAY, 'create'],
    ['two thirds of the time of the authority are over', dueSoon, OVERLAP, 'startCa'],
    ['both are due', old, NOW + 250 * DAY, 'renewLeaf'],
    ['the authority ends before a new certificate would', last, NOW + 364 * DAY, 'startCa'],
    ['the new authority has not arrived', waiting, OVERLAP, 'keep'],
    [
      'the served one ends and the new authority has not arrived',
      waiting,
      OVERLAP + 88.5 * DAY,
      'switchLeaf',
    ],
    ['some replica may serve the old one', switched, OVERLAP + FOLLOW_MS - 1000, 'keep'],
    ['every replica serves the new one', switched, OVERLAP + FOLLOW_MS, 'dropOldCa'],
  ])('%s: %#', (_, stored, nowMs, kind) => {
    expect(decidePki(stored, NAMES, nowMs, {}).kind).toBe(kind);
  });

  test('the new authority signs once it has arrived everywhere, and settled', () => {
    const observed = { bundleInConfigurationsSinceMs: OVERLAP };
    expect(decidePki(waiting, NAMES, OVERLAP + SETTLE_MS - 1, observed)).toEqual({
      kind: 'keep',
      nextAtMs: OVERLAP + SETTLE_MS,
    });
    expect(decidePki(waiting, NAMES, OVERLAP + SETTLE_MS, observed).kind).toBe('switchLeaf');
  });

  test('another name asks for another certificate', () => {
    expect(decidePki(fresh, [...NAMES, '127.0.0.1'], NOW, {}).kind).toBe('renewLeaf');
  });

  test('it is looked at again when the first thing is due', () => {
    expect(decidePki(fresh, NAMES, NOW, {})).toEqual({ kind: 'keep', nextAtMs: NOW + 60 * DAY });
    expect(decidePki(switched, NAMES, OVERLAP, {})).toEqual({
      kind: 'keep',
      nextAtMs: Math.floor(OVERLAP / 1000) * 1000 + FOLLOW_MS,
    });
  });
});

describe('what is stored', () => {
  test('is read as it was written', () => {
    expect(readPki(writePki(waiting))).toEqual(waiting);
    expect(readPki(writePki({ bundle: [], stampKey }))).toEqual({ bundle: [], stampKey });
  });

  test('parts that are none, or do not belong together, are absent', () => {
    const data = writePki(fresh);
    expect(readPki(undefined)).toEqual({ bundle: [] });
    expect(readPki({ ...data, 'tls.key': data['ca.key'] ?? '' })).not.toHaveProperty('serving');
    expect(readPki({ ...data, 'ca.key': '' })).not.toHaveProperty('authority');
    expect(readPki({ ...data, 'stamp.key': 'AAAA' })).not.toHaveProperty('stampKey');
    expect(readPki({ ...data, 'ca-bundle.crt': data['tls.crt'] ?? '' }).bundle).toEqual([]);
  });

  test('garbage in any part never throws, and something is done about it', () => {
    const data = writePki(fresh);
    fc.assert(
      fc.property(
        fc.constantFrom(...Object.keys(data)),
        fc.oneof(fc.string(), fc.base64String(), fc.constantFrom(...Object.values(data))),
        (part, text) => {
          const stored = readPki({ ...data, [part]: text });
          const { kind } = decidePki(stored, NAMES, NOW, {});
          expect(kind === 'keep').toBe(isWhole(stored));
        },
      ),
    );
  });

  test('of cert-manager: serving pair and authority', async () => {
    const { serving } = fresh;
    const text = (pem: string): string => Buffer.from(pem).toString('base64');
    const data = {
      'tls.crt': text(serving.cert),
      'tls.key': text(serving.key),
      'ca.crt': text(first.cert),
    };
    expect(readExternal(data)).toEqual({ serving, bundle: [first.cert] });
    expect(readExternal({ ...data, 'tls.key': text('x') })).toEqual({ bundle: [first.cert] });
    expect(readExternal(undefined)).toEqual({ bundle: [] });
  });
});

function isWhole({ authority, serving, bundle: trusted, stampKey: key }: StoredPki): boolean {
  return (
    authority !== undefined &&
    serving !== undefined &&
    key !== undefined &&
    trusted.includes(authority.cert) &&
    isIssuedBy(new X509Certificate(serving.cert), new X509Certificate(authority.cert))
  );
}

/**
 * A cluster in which time passes by minutes or days, configurations lag by days, replicas follow within
 * half an hour, clocks of operator and API server differ by half an hour, and the leader stops
 * after any write.
 */
describe('at any moment every replica serves what the API servers trust', () => {
  const event = fc.record({
    passMs: fc.oneof(fc.integer({ min: 0, max: 2 * HOUR }), fc.integer({ min: 0, max: 8 * DAY })),
    skewMs: fc.integer({ min: -29 * MINUTE, max: 29 * MINUTE }),
    /** How many steps the leader takes before it stops. */
    steps: fc.integer({ min: 1, max: 3 }),
    isConfigured: fc.boolean(),
    follows: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  });

  /** Not long before the authority is due. */
  const start = fc.integer({ min: 190, max: 243 });

  test('over steps, crashes and lags', async () => {
    const kinds = new Set<string>();
    await fc.assert(
      fc.asyncProperty(
        start,
        fc.array(event, { minLength: 30, maxLength: 60 }),
        async (startDay, events) => {
          let nowMs = NOW + startDay * DAY;
          let stored: StoredPki = await by(first, nowMs);
          let writtenMs = nowMs;
          let trusted = stored.bundle;
          let configuredMs: number | undefined = nowMs;
          const served = [stored, stored, stored];

          for (const { passMs, skewMs, steps, isConfigured, follows } of events) {
            // What lags catches up on the way: replicas in half an hour, configurations in eight days.
            if (passMs > 30 * MINUTE) served.fill(stored);
            nowMs += passMs;
            const isLate = nowMs - writtenMs > 8 * DAY;
            if ((isConfigured || isLate) && joinPem(trusted) !== joinPem(stored.bundle)) {
              trusted = stored.bundle;
              configuredMs = nowMs;
            }
            for (let step = 0; step < steps; step += 1) {
              const isSame = joinPem(trusted) === joinPem(stored.bundle);
              const decision = decidePki(
                readPki(writePki(stored)),
                NAMES,
                nowMs + skewMs,
                isSame && configuredMs !== undefined
                  ? { bundleInConfigurationsSinceMs: configuredMs + skewMs }
                  : {},
              );
              if (decision.kind === 'keep') break;
              kinds.add(decision.kind);
              stored = await carryOut(decision, stored, NAMES, nowMs + skewMs, ISSUER);
              writtenMs = nowMs;
            }
            for (const [replica, isFollowing] of follows.entries()) {
              if (isFollowing) served[replica] = stored;
            }
            for (const { serving } of served) {
              const leaf = new X509Certificate(serving?.cert ?? '');
              expect(
                trusted.some((pem) => isIssuedBy(leaf, new X509Certificate(pem))),
                'served by an authority that API servers trust',
              ).toBe(true);
              expect(leaf.validFromDate.getTime()).toBeLessThanOrEqual(nowMs);
              expect(leaf.validToDate.getTime()).toBeGreaterThan(nowMs);
            }
          }
        },
      ),
      { numRuns: 15, endOnFailure: true },
    );
    expect([...kinds].toSorted()).toEqual(['dropOldCa', 'renewLeaf', 'startCa', 'switchLeaf']);
  });
});
