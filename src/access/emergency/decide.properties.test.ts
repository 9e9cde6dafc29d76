import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type {
  EmergencyAccess,
  EmergencyAccessStatus,
  EmergencyState,
} from '#api/emergency-access.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { CLOCK_TOLERANCE_MS, isActive } from './active.ts';
import { decideEmergency } from './decide.ts';
import { DECISION_ACTS, authenticDecisions } from './decisions.ts';
import {
  CREATED_MS,
  MINUTE_MS,
  SETTINGS,
  STAMP_KEY,
  UID,
  WORLD,
  decision,
  emergencyAccess,
  stamped,
  toTime,
} from './testing/builders.ts';

const ORDER: readonly EmergencyState[] = ['Pending', 'Approved', 'Active'];
const rank = (state: EmergencyState | undefined): number =>
  state === undefined ? 0 : ORDER.includes(state) ? ORDER.indexOf(state) : ORDER.length;

const ROBOT = 'system:serviceaccount:trading:lead';
const PEOPLE = ['alice', 'bob', 'carol', 'dave', 'erin', ROBOT];

/** One entry that somebody tries to get into the annotation, and whether admission stamped it. */
const entry = fc
  .record({
    act: fc.constantFrom(...DECISION_ACTS, 'approve' as const, 'approve' as const),
    username: fc.constantFrom(...PEOPLE),
    at: fc.integer({ min: -10, max: 80 }),
    forgery: fc.constantFrom('none', 'none', 'none', 'key', 'uid', 'username', 'act', 'bare'),
  })
  .map(({ act, username, at, forgery }) => {
    const made = decision(act, username, CREATED_MS + at * MINUTE_MS);
    const isAuthentic = forgery === 'none';
    switch (forgery) {
      case 'key':
        return { isAuthentic, written: stamped(made, UID, new Uint8Array(32).fill(9)) };
      case 'uid':
        return { isAuthentic, written: stamped(made, 'another') };
      case 'username':
        return { isAuthentic, written: { ...stamped(made), username: `${username}x` } };
      case 'act':
        return {
          isAuthentic,
          written: { ...stamped({ ...made, act: act === 'approve' ? 'review' : 'approve' }), act },
        };
      case 'bare':
        return { isAuthentic, written: made };
      case 'none':
        return { isAuthentic, written: stamped(made) };
    }
  });

type Entry = typeof entry extends fc.Arbitrary<infer E> ? E : never;

type Event =
  | {
      readonly kind: 'entry';
      readonly entry: Entry;
    }
  | { readonly kind: 'replay' }
  | { readonly kind: 'clock'; readonly minutes: number }
  | { readonly kind: 'admission'; readonly guards: boolean | undefined }
  | { readonly kind: 'guarded'; readonly isGuarded: boolean }
  | { readonly kind: 'key'; readonly isKnown: boolean };

const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 6, arbitrary: entry.map((one) => ({ kind: 'entry' as const, entry: one })) },
  { weight: 1, arbitrary: fc.constant({ kind: 'replay' as const }) },
  {
    weight: 6,
    arbitrary: fc
      .oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: -90, max: 90 }))
      .map((minutes) => ({ kind: 'clock' as const, minutes })),
  },
  {
    weight: 1,
    arbitrary: fc
      .constantFrom(true, false, undefined)
      .map((guards) => ({ kind: 'admission' as const, guards })),
  },
  {
    weight: 1,
    arbitrary: fc.boolean().map((isGuarded) => ({ kind: 'guarded' as const, isGuarded })),
  },
  { weight: 1, arbitrary: fc.boolean().map((isKnown) => ({ kind: 'key' as const, isKnown })) },
);

/** What is wrong with the times of one that is active; true: nothing. */
function faultOfTimes(
  status: EmergencyAccessStatus,
  before: EmergencyAccessStatus | undefined,
  nowMs: number,
): true | string {
  const startMs = Date.parse(status.activatedAt ?? '');
  const endMs = Date.parse(status.expiresAt ?? '');
  if (!(nowMs < endMs)) return 'active after its end';
  if (!(endMs - startMs <= 30 * MINUTE_MS)) return 'longer than asked for';
  // Neither does a clock that is set back make it longer.
  if (!(nowMs >= startMs - CLOCK_TOLERANCE_MS)) return 'active before its beginning';
  const isSame = before?.state !== 'Active' || status.expiresAt === before.expiresAt;
  return isSame || 'its end was put off';
}

describe('the life of an EmergencyAccess, whatever happens in whatever order', () => {
  it('never goes back, never begins without approvals, never lasts longer than it may', () => {
    const seen = new Set<EmergencyState>();
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 40 }),
        fc.constantFrom(1, 2, 3),
        fc.boolean(),
        (events, needed, selfApproval) => {
          const settings = {
            ...SETTINGS,
            selfApproval,
            approvals: { ...SETTINGS.approvals, Production: needed },
          };
          let access: EmergencyAccess = emergencyAccess();
          let nowMs = CREATED_MS;
          let world = WORLD;
          let isKeyKnown = true;
          const written: unknown[] = [];
          const approvers = new Set<string>();
          let isSelfApproved = false;
          for (const one of events) {
            switch (one.kind) {
              case 'entry': {
                const made = one.entry.written;
                written.push(made);
                if (!one.entry.isAuthentic) break;
                if (made.act === 'approve') approvers.add(made.username);
                isSelfApproved ||= made.act === 'self-approve' && made.username === 'alice';
                break;
              }
              case 'replay':
                if (written.length < 100) written.push(...written);
                break;
              case 'clock':
                nowMs += one.minutes * MINUTE_MS;
                break;
              case 'admission':
                world = { ...world, admissionGuards: one.guards };
                break;
              case 'guarded':
                world = { ...world, isGuarded: one.isGuarded };
                break;
              case 'key':
                isKeyKnown = one.isKnown;
                break;
            }
            const before = access.status;
            const annotations = {
              ...access.metadata.annotations,
              [ANNOTATIONS.decisions]: JSON.stringify(written),
            };
            access = { ...access, metadata: { ...access.metadata, annotations } };
            const decisions = isKeyKnown ? authenticDecisions(access, STAMP_KEY) : undefined;
            const outcome = decideEmergency({ access, decisions, settings, nowMs, world });
            const { status, state } = outcome;
            seen.add(state);

            const others = [...approvers].filter(
              (name) => !['alice', 'carol', ROBOT].includes(name),
            );
            const isApproved = others.length >= needed || (selfApproval && isSelfApproved);
            const mayBegin = world.isGuarded && world.admissionGuards === true && isKeyKnown;
            expect(
              [
                rank(state) >= rank(before?.state) || 'went back',
                rank(before?.state) < ORDER.length || state === before?.state || 'changed its end',
                state !== 'Active' || isApproved || `active, approved by ${others.join()}`,
                state !== 'Active' || before?.state === 'Active' || mayBegin || 'began too early',
                state !== 'Active' || faultOfTimes(status, before, nowMs),
              ].filter((held) => held !== true),
            ).toEqual([]);
            expect(outcome.grant !== undefined).toBe(state === 'Active');
            access = { ...access, status };
            expect(isActive(access, nowMs)).toBe(state === 'Active');
            // The same facts give the same answer: nothing is written twice.
            const again = decideEmergency({ access, decisions, settings, nowMs, world });
            expect(again.status).toEqual(status);
          }
        },
      ),
      { numRuns: 3000 },
    );
    // Each state was reached, or the above shows little.
    expect([...seen].sort()).toEqual([
      'Active',
      'Approved',
      'Denied',
      'Expired',
      'Pending',
      'Revoked',
    ]);
  });

  it('takes no notice of entries that do not authenticate', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 12 }), (entries) => {
        const read = (all: typeof entries) =>
          decideEmergency({
            access: emergencyAccess(),
            decisions: authenticDecisions(
              emergencyAccess({}, undefined, {
                [ANNOTATIONS.decisions]: JSON.stringify(all.map(({ written }) => written)),
              }),
              STAMP_KEY,
            ),
            settings: SETTINGS,
            nowMs: CREATED_MS + MINUTE_MS,
            world: WORLD,
          });
        expect(read(entries)).toEqual(read(entries.filter(({ isAuthentic }) => isAuthentic)));
      }),
      { numRuns: 2000 },
    );
  });

  it('answers whatever stands in the status', () => {
    const time = fc.constantFrom(undefined, '', 'soon', toTime(CREATED_MS), '2030-01-01T00:00:00Z');
    const status = fc.record(
      {
        state: fc.constantFrom(...ORDER, 'Expired', 'Revoked', 'Denied', 'Other'),
        activatedAt: time,
        expiresAt: time,
        endedAt: time,
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(status, fc.integer({ min: -100, max: 100 }), (forged, at) => {
        const nowMs = CREATED_MS + at * MINUTE_MS;
        const access = emergencyAccess({}, forged as never);
        const facts = { access, decisions: [], settings: SETTINGS, nowMs, world: WORLD };
        const outcome = decideEmergency(facts);
        expect(outcome.state).not.toBe('Active');
        expect(outcome.grant).toBeUndefined();
      }),
    );
  });
});
