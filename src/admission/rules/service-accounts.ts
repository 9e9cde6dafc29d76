/** ServiceAccounts: the Secrets that they give to their pods, and names that belong to emergency access. */
import { isRecord } from '#access/reading.ts';
import { EMERGENCY_ACCOUNT_PREFIX } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import { isClusterDeletion, isCollectorUpdate, isStorageMigration } from '../exemptions.ts';
import type { AdmissionRequest } from '../request.ts';
import { isMaster, isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { mayMount } from '../who-may-mount.ts';
import { isUnguarded, ownNameOf } from './guarded.ts';
import { mountRefusal, nameOf } from './refusals.ts';

/**
 * Who lets an account's pods pull images with a guarded Secret, or lists one among its Secrets, must
 * be allowed to mount it. What was there already is not asked about again.
 */
export const serviceAccountRule: Rule = (request, context) => {
  const { namespace = '', subResource = '', userInfo, operation } = request;
  const { world, settings } = context;
  if (subResource !== '' || isUnguarded(world, namespace)) return ALLOWED;
  if (isOperator(userInfo, settings)) return ALLOWED;
  if (ownNameOf(request).startsWith(EMERGENCY_ACCOUNT_PREFIX)) return judgeReserved(request);
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  return isMaster(userInfo) ? ALLOWED : judgeSecrets(request, context);
};

function judgeReserved(request: AdmissionRequest): Verdict {
  if (isClusterDeletion(request) || isCollectorUpdate(request) || isStorageMigration(request)) {
    return ALLOWED;
  }
  return refuse(
    'Reserved',
    `${describeObject(request)}: names that begin with ${EMERGENCY_ACCOUNT_PREFIX} are those of emergency access, and only Strongroom makes, changes and deletes such accounts; choose another name`,
  );
}

function judgeSecrets(request: AdmissionRequest, { world, nowMs }: RuleContext): Verdict {
  const { namespace = '', userInfo, object, oldObject } = request;
  const before = new Set(secretNames(oldObject).map(({ secret }) => secret));
  const policies = new Set<string>();
  for (const { secret, field } of secretNames(object)) {
    if (before.has(secret)) continue;
    const answer = mayMount(world, userInfo, world.credentialsOfSecret(namespace, secret), nowMs);
    for (const policy of answer.policies) policies.add(policy);
    if (answer.isAllowed) continue;
    return mountRefusal(
      `${describeObject(request)} would give its pods the Secret ${secret} (${field}), which is that of ${nameOf(answer.credential)}`,
      userInfo.username,
      userInfo,
      answer,
      world,
    );
  }
  return policies.size === 0 ? ALLOWED : { allowed: true, policies: [...policies] };
}

interface NamedSecret {
  readonly secret: string;
  readonly field: string;
}

function secretNames(account: KubeObject | undefined): readonly NamedSecret[] {
  if (!isRecord(account)) return [];
  return ['imagePullSecrets', 'secrets'].flatMap((list) => {
    const entries = account[list];
    if (!Array.isArray(entries)) return [];
    return entries.flatMap((entry: unknown, place): readonly NamedSecret[] => {
      const name = isRecord(entry) ? entry['name'] : undefined;
      return typeof name === 'string' ? [{ secret: name, field: `${list}[${place}].name` }] : [];
    });
  });
}
