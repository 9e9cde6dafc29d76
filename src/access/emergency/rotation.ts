/** Which credentials should get a new value, because somebody came to the present one. */
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { isFinal } from './decide.ts';

/**
 * What the annotation `strongroom.dev/rotation-due` of a credential should hold: the
 * EmergencyAccess that ended last of those after which it was not replaced yet; `undefined`: it
 * should be taken off. What names an EmergencyAccess that is gone stays: nobody knows better.
 *
 * @param accesses all of the credential's namespace
 * @param present what the annotation holds now
 */
export function rotationDue(
  accesses: readonly EmergencyAccess[],
  credential: string,
  present: string | undefined,
): string | undefined {
  const concerned = accesses.filter(
    ({ status }) =>
      isFinal(status?.state) && status?.credentials?.some(({ name }) => name === credential),
  );
  const due = concerned
    .filter(({ status }) =>
      status?.credentials?.some(({ name, rotated }) => name === credential && !rotated),
    )
    .sort((a, b) => endMs(b) - endMs(a) || (a.metadata.name < b.metadata.name ? -1 : 1));
  const [last] = due;
  if (last !== undefined) return last.metadata.name;
  if (present === undefined) return undefined;
  // Of one that is gone it is not known whether the value was replaced since.
  return concerned.some(({ metadata }) => metadata.name === present) ? undefined : present;
}

function endMs({ status }: EmergencyAccess): number {
  const ms = Date.parse(status?.endedAt ?? '');
  return Number.isNaN(ms) ? 0 : ms;
}
