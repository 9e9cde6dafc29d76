/** Whether admission put on record what was written: without its stamp, an annotation is no decision. */
import { createdBy } from '#access/emergency/decisions.ts';
import type { DecisionAct } from '#access/emergency/decisions.ts';
import { decidedBy } from '#admission/emergency-decisions.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { CliError } from '#cli/errors.ts';

/**
 * @param before as it was read before the annotation was set
 * @param written as the API server answered
 * @throws CliError where no decision of that kind by `username` was added
 */
export function checkRecorded(
  act: DecisionAct,
  before: EmergencyAccess,
  written: EmergencyAccess,
  username: string,
): void {
  const count = (access: EmergencyAccess): number =>
    decidedBy(access, act).filter((one) => one === username).length;
  if (count(written) > count(before)) return;
  const { namespace = '', name } = written.metadata;
  throw new CliError(
    `admission did not record "${act}" of ${username} on EmergencyAccess ${namespace}/${name}, so it counts for nothing: ${ANNOTATIONS.decisions} has no new entry. The mutating webhook was not asked, and is probably gone; "strongroom doctor" says what is missing. Once it is back, say it again`,
  );
}

/** @throws CliError where admission did not stamp who created it, so that it can never begin */
export function checkCreatorRecorded(access: EmergencyAccess): void {
  if (createdBy(access) !== undefined) return;
  const { namespace = '', name } = access.metadata;
  throw new CliError(
    `admission did not record who created EmergencyAccess ${namespace}/${name}, so it can never begin: ${ANNOTATIONS.createdBy} is missing. The mutating webhook was not asked, and is probably gone; "strongroom doctor" says what is missing. Once it is back, end this one and ask anew: strongroom emergency end ${name} -n ${namespace} --reason …`,
  );
}
