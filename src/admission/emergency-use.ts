/** The EmergencyAccess by which somebody may do what no policy lets them. */
import { activeFor } from '#access/emergency/active.ts';
import type { AdmissionRequest } from './request.ts';
import type { RuleContext } from './rule.ts';

/**
 * Name of the EmergencyAccess, active now and of the same namespace, that lets the requester change
 * that credential; undefined without one.
 */
export function emergencyUseOfCredential(
  { userInfo }: Pick<AdmissionRequest, 'userInfo'>,
  { world, nowMs }: Pick<RuleContext, 'world' | 'nowMs'>,
  namespace: string,
  credential: string,
): string | undefined {
  const { username } = userInfo;
  const found = activeFor(world.emergencyAccessesOf(username), username, nowMs).find(
    ({ metadata, spec }) =>
      metadata.namespace === namespace &&
      spec.permissions.includes('AccessSecrets') &&
      spec.target.credentials?.includes(credential) === true,
  );
  return found?.metadata.name;
}
