/** What the conditions of an EmergencyAccess say. */
import type { EmergencyAccess, EmergencyAccessStatus } from '#api/emergency-access.ts';
import type { EmergencyAccessConditionType, EmergencyAccessReason } from '#api/names.ts';
import { setCondition } from '#runtime/conditions.ts';
import type { Condition } from '#runtime/conditions.ts';
import { isReviewDue } from './active.ts';
import type { EmergencyWorld } from './world.ts';

const MAX_LISTED = 10;

export function emergencyConditions(
  access: EmergencyAccess,
  status: EmergencyAccessStatus,
  step: { readonly reason: EmergencyAccessReason; readonly message: string },
  world: EmergencyWorld,
  nowMs: number,
): readonly Condition[] {
  const { generation } = access.metadata;
  const verdicts = [
    ...readiness(access, status, step, world),
    verdict('Active', status.state === 'Active', step.reason, step.message),
    ...reviewed(status, access),
  ];
  let conditions: readonly Condition[] = access.status?.conditions ?? [];
  for (const next of verdicts) {
    conditions = setCondition(
      conditions,
      { ...next, ...(generation === undefined ? {} : { observedGeneration: generation }) },
      nowMs,
    );
  }
  return conditions;
}

/** The same conditions where what must stand, or be gone, could not be written. */
export function withFailure(
  conditions: readonly Condition[],
  failure: string,
  nowMs: number,
): readonly Condition[] {
  const message = `${failure}; it is tried again`;
  let next = conditions;
  for (const one of [
    verdict('Ready', false, 'ReconcileFailed', message),
    verdict('Reconciling', true, 'ReconcileFailed', message),
    verdict('Stalled', false, 'ReconcileFailed', message),
  ]) {
    const observed = conditions.find(({ type }) => type === one.type)?.observedGeneration;
    next = setCondition(
      next,
      { ...one, ...(observed === undefined ? {} : { observedGeneration: observed }) },
      nowMs,
    );
  }
  return next;
}

type Verdict = Omit<Condition, 'lastTransitionTime'>;

function readiness(
  access: EmergencyAccess,
  { state }: EmergencyAccessStatus,
  { reason, message }: { readonly reason: EmergencyAccessReason; readonly message: string },
  world: EmergencyWorld,
): readonly Verdict[] {
  const isToBegin = state === 'Pending' || state === 'Approved';
  const isHeldUp = reason === 'AdmissionAbsent' || reason === 'NamespaceNotGuarded';
  if (isHeldUp && isToBegin) return stalled(reason, message);
  // Before it begins too: whoever approves should see that it leads nowhere.
  const missing = isToBegin || state === 'Active' ? missingTargets(access, world) : [];
  if (missing.length > 0) {
    return stalled('TargetMissing', `There is no ${missing.slice(0, MAX_LISTED).join(', no ')}`);
  }
  return [
    verdict('Ready', true, 'UpToDate', 'What its state asks for holds'),
    verdict('Reconciling', false, 'UpToDate', 'Nothing is left to do'),
    verdict('Stalled', false, 'UpToDate', 'Nothing is in the way'),
  ];
}

function stalled(reason: EmergencyAccessReason, message: string): readonly Verdict[] {
  return [
    verdict('Ready', false, reason, message),
    verdict('Reconciling', false, reason, message),
    verdict('Stalled', true, reason, message),
  ];
}

function missingTargets({ spec }: EmergencyAccess, world: EmergencyWorld): readonly string[] {
  const credentials = new Set(world.credentials.map(({ name }) => name));
  const pods = world.pods && new Set(world.pods.map(({ name }) => name));
  return [
    ...(spec.target.credentials ?? [])
      .filter((name) => !credentials.has(name))
      .map((name) => `ExchangeCredential ${name}`),
    ...(spec.target.pods ?? [])
      .filter((name) => pods !== undefined && name !== '*' && !pods.has(name))
      .map((name) => `Pod ${name}`),
  ];
}

function reviewed(status: EmergencyAccessStatus, access: EmergencyAccess): readonly Verdict[] {
  const { state, activatedAt, review } = status;
  if (state !== 'Expired' && state !== 'Revoked' && state !== 'Denied') return [];
  if (activatedAt === undefined) {
    return [verdict('Reviewed', true, 'NotUsed', 'It was never active: nothing is to be reviewed')];
  }
  return isReviewDue({ ...access, status })
    ? [
        verdict(
          'Reviewed',
          false,
          'ReviewDue',
          `Its review must be closed before the same subject can ask again: strongroom emergency review ${access.metadata.name} -n ${access.metadata.namespace ?? ''} --finding …`,
        ),
      ]
    : [verdict('Reviewed', true, 'Reviewed', `The review was closed by ${review?.by ?? 'nobody'}`)];
}

function verdict(
  type: EmergencyAccessConditionType,
  holds: boolean,
  reason: EmergencyAccessReason,
  message: string,
): Verdict {
  return { type, status: holds ? 'True' : 'False', reason, message: message.slice(0, 1024) };
}
