import { SHORTEST_EMERGENCY } from '#api/emergency-access-rules.ts';
import type { EmergencyState } from '#api/emergency-access.ts';
import {
  ANNOTATIONS,
  EMERGENCY_ACCESS_CONDITION_TYPES,
  EMERGENCY_ACCESS_REASONS,
} from '#api/names.ts';
import type { EmergencyAccessConditionType } from '#api/names.ts';
import type { KindDefinition } from '#api/schema/kind.ts';
import { emitFieldTables, emitHead, emitRules, meanings } from '#api/schema/reference.ts';

const CONDITIONS: Readonly<Record<EmergencyAccessConditionType, string>> = {
  Ready:
    'What the state asks for holds: what must stand stands, what must be gone is gone. Always present.',
  Reconciling: 'True while the operator is at work on a change. Always present.',
  Stalled: 'True while the operator cannot go on until somebody acts. Always present.',
  Active: 'True while the subject may do what it names.',
  Reviewed: 'True once its review is closed, or where there is nothing to review.',
};

const STATES: Readonly<Record<EmergencyState, string>> = {
  Pending: 'It waits for people who approve it.',
  Approved: 'Enough people approved it; it is being prepared.',
  Active: 'The subject may do what it names, until `expiresAt`.',
  Expired: 'Its time is over, or nobody approved it in time.',
  Revoked: 'Somebody ended it early.',
  Denied: 'Somebody turned it down.',
};

const REQUESTS: readonly (readonly [string, string])[] = [
  [ANNOTATIONS.approve, 'Why it is approved: by others than its creator and its subject.'],
  [
    ANNOTATIONS.selfApprove,
    'The second reason of a subject who approves alone, where that is allowed.',
  ],
  [ANNOTATIONS.deny, 'Why it is turned down.'],
  [ANNOTATIONS.end, 'Why it is ended early.'],
  [ANNOTATIONS.review, 'After its end: what the review found. By others than its subject.'],
  [ANNOTATIONS.decisions, 'Who did which of these, by admission alone.'],
];

/** The reference page of EmergencyAccess, as Markdown. */
export function emitEmergencyReference(kind: KindDefinition): string {
  return `${emitHead(kind)}

The server fills in no field: what an absent one means stands with it. Durations are whole hours, minutes and seconds; \`1h\`, \`60m\` and \`1h0m0s\` are the same, and the shortest one is \`${SHORTEST_EMERGENCY}\`.

## What is asked of it

By annotations; each holds a reason, and admission decides who may set it:

${meanings('Annotation', REQUESTS)}

## spec

${emitFieldTables(kind, 'spec')}

## Rules

Each of these is checked by the API server, and without one by \`strongroom validate\`, which does not see changes. An entry that stands twice in a list is refused too.

${emitRules(kind)}

## status

${emitFieldTables(kind, 'status')}

## States

${meanings('State', Object.entries(STATES))}

## Conditions

${meanings(
  'Condition',
  EMERGENCY_ACCESS_CONDITION_TYPES.map((type) => [type, CONDITIONS[type]]),
)}

${meanings('Reason', Object.entries(EMERGENCY_ACCESS_REASONS))}
`;
}
