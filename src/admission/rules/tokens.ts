/** Tokens of ServiceAccounts: who has one can read what its account may read. */
import { activeFor, mayStillStand, remainingMs } from '#access/emergency/active.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import { isRecord } from '#access/reading.ts';
import { EMERGENCY_ACCOUNT_PREFIX } from '#api/names.ts';
import { isTokenOfPod } from '../exemptions.ts';
import type { AdmissionRequest } from '../request.ts';
import { isMaster, isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { mayActAs } from '../what-account-may.ts';
import { isUnguarded } from './guarded.ts';
import { accountRefusal } from './refusals.ts';

/** What the API server takes for a request that does not say. */
const DEFAULT_SECONDS = 3600;
const MIN_SECONDS = 600;
/**
 * The API server takes a token for a minute after its end, for clocks that differ, and for ten seconds
 * more what it has looked at before; the rest is for the request itself.
 */
const LEEWAY_SECONDS = 75;

/** TokenRequests, `serviceaccounts/token`. */
export const tokenRule: Rule = (request, context) => {
  const { name, namespace = '', subResource, userInfo, operation } = request;
  const { world, settings } = context;
  if (operation !== 'CREATE' || subResource !== 'token') return ALLOWED;
  if (isTokenOfPod(request) || isMaster(userInfo)) return ALLOWED;
  if (namespace === settings.operatorNamespace) {
    return isOperator(userInfo, settings) ? ALLOWED : operatorsOwn(namespace, name);
  }
  if (isUnguarded(world, namespace)) return ALLOWED;
  return judgeToken(request, context);
};

function operatorsOwn(namespace: string, name: string): Verdict {
  return refuse(
    'Reserved',
    `a token of ServiceAccount ${namespace}/${name} would be one of Strongroom itself; only its own pods get one`,
  );
}

/**
 * What a token of the account needs, also one that is kept in a Secret: the same as running pods
 * under it.
 */
function judgeToken(request: AdmissionRequest, context: RuleContext): Verdict {
  const { name, namespace = '', userInfo } = request;
  const { world } = context;
  const { username } = userInfo;
  if (name.startsWith(EMERGENCY_ACCOUNT_PREFIX)) return judgeEmergencyToken(request, context);
  // In RBAC it lets its subject ask for tokens of every account of the namespace.
  const held = world
    .emergencyAccesses(namespace)
    .find((access) => subjectUsername(access) === username && mayStillStand(access));
  if (held !== undefined) {
    return refuse(
      'EmergencyAccessNeeded',
      `${username} has the EmergencyAccess ${namespace}/${held.metadata.name}, and until its review is closed gets tokens of no other ServiceAccount of ${namespace} than that of it, not of ${name}`,
    );
  }
  return judgeTokenOf(name, request, context);
}

/** Whoever gets a token of this account needs all that the account may. */
export function judgeTokenOf(
  account: string,
  { namespace = '', userInfo }: AdmissionRequest,
  { world, nowMs }: RuleContext,
): Verdict {
  const held = mayActAs(world, userInfo, namespace, account, nowMs);
  if (!held.isAllowed) {
    return accountRefusal(
      `a token of ServiceAccount ${namespace}/${account} lets its holder act as the account`,
      userInfo.username,
      held.right,
    );
  }
  return held.policies.length === 0 ? ALLOWED : { allowed: true, policies: held.policies };
}

/** For the subject of the EmergencyAccess alone, and for no longer than it lasts. */
function judgeEmergencyToken(
  { name, namespace = '', userInfo, object }: AdmissionRequest,
  { world, nowMs }: RuleContext,
): Verdict {
  const access = activeFor(world.emergencyAccesses(namespace), userInfo.username, nowMs).find(
    ({ spec, status }) =>
      status?.serviceAccount === name && spec.permissions.includes('AccessSecrets'),
  );
  if (access === undefined) {
    return refuse(
      'EmergencyAccessNeeded',
      `tokens of ServiceAccount ${namespace}/${name} are for the subject of its EmergencyAccess, while that is active and has the permission AccessSecrets; ${userInfo.username} has no such one`,
    );
  }
  const { spec } = (object ?? {}) as { readonly spec?: unknown };
  const { expirationSeconds = DEFAULT_SECONDS, boundObjectRef } = isRecord(spec) ? spec : {};
  const what = `a token of EmergencyAccess ${namespace}/${access.metadata.name}`;
  // The API server may give a token that is bound to a pod for a year instead of an hour.
  if (isRecord(boundObjectRef) && boundObjectRef['kind'] === 'Pod') {
    return refuse('Invalid', `${what} cannot be bound to a pod: leave out spec.boundObjectRef`, {
      code: 422,
    });
  }
  const remaining = Math.floor(remainingMs(access, nowMs) / 1000) - LEEWAY_SECONDS;
  if (remaining < MIN_SECONDS) {
    return refuse(
      'EmergencyAccessNeeded',
      `${what} would outlive it: it ends in ${Math.max(0, remaining + LEEWAY_SECONDS)} s, and no token is for less than ${MIN_SECONDS} s and the ${LEEWAY_SECONDS} s for which the API server may take it after its end`,
    );
  }
  if (typeof expirationSeconds !== 'number' || !(expirationSeconds <= remaining)) {
    return refuse(
      'Invalid',
      `${what} would outlive it: it ends in ${remaining + LEEWAY_SECONDS} s, so spec.expirationSeconds may be ${remaining} at most (kubectl create token --duration=${remaining}s)`,
      { code: 422 },
    );
  }
  return { allowed: true, emergencyAccess: access.metadata.name };
}
