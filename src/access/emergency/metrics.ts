import { Counter, Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { isActive, isReviewDue } from './active.ts';
import type { EmergencyAct } from './acts.ts';

export interface EmergencyMetrics {
  happened(act: EmergencyAct): void;
  used(times: number): void;
  noticeLost(): void;
}

/** After this a review that nobody has closed is overdue. */
const REVIEW_OVERDUE_MS = 24 * 3_600_000;

/** @param source what exists, and the time; absent: nothing, for the reference page */
export function createEmergencyMetrics(
  registry: Registry,
  source: { accesses(): readonly EmergencyAccess[]; nowMs(): number } = {
    accesses: () => [],
    nowMs: () => 0,
  },
): EmergencyMetrics {
  const registers = [registry];
  const count = (holds: (access: EmergencyAccess) => boolean): number =>
    source.accesses().filter(holds).length;
  for (const [name, help, holds] of [
    [
      'strongroom_emergency_accesses_active',
      'EmergencyAccesses that let somebody in now',
      (access) => isActive(access, source.nowMs()),
    ],
    [
      'strongroom_emergency_accesses_waiting',
      'EmergencyAccesses that wait for approval, or approved for what they need to begin',
      ({ status }) => status?.state === 'Pending' || status?.state === 'Approved',
    ],
    [
      'strongroom_emergency_reviews_due',
      'EmergencyAccesses that have ended and whose review nobody has closed',
      isReviewDue,
    ],
    [
      'strongroom_emergency_reviews_overdue',
      'Those of them that have ended more than a day ago',
      (access) =>
        isReviewDue(access) &&
        !(source.nowMs() - Date.parse(access.status?.endedAt ?? '') < REVIEW_OVERDUE_MS),
    ],
    [
      'strongroom_emergency_rotations_due',
      'Credentials that were reachable by an EmergencyAccess and are the same still, counted for each',
      undefined,
    ],
  ] as readonly (readonly [string, string, ((access: EmergencyAccess) => boolean)?])[]) {
    const gauge: Gauge = new Gauge({
      name,
      help,
      registers,
      collect: () =>
        gauge.set(holds === undefined ? rotationsDue(source.accesses()) : count(holds)),
    });
  }
  const acts = new Counter({
    name: 'strongroom_emergency_acts_total',
    help: 'What came about with EmergencyAccesses, by act; on the leader',
    labelNames: ['act'] as const,
    registers,
  });
  const uses = new Counter({
    name: 'strongroom_emergency_uses_total',
    help: 'What was admitted by EmergencyAccesses; on the leader',
    registers,
  });
  const lost = new Counter({
    name: 'strongroom_emergency_notices_lost_total',
    help: 'Notices of emergency access that were given up',
    registers,
  });
  return {
    happened: (act) => acts.inc({ act }),
    used: (times) => uses.inc(times),
    noticeLost: () => lost.inc(),
  };
}

function rotationsDue(accesses: readonly EmergencyAccess[]): number {
  return accesses
    .filter(({ status }) => status?.state === 'Expired' || status?.state === 'Revoked')
    .flatMap(({ status }) => status?.credentials ?? [])
    .filter(({ rotated }) => !rotated).length;
}
