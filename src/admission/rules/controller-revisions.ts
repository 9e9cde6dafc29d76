/** ControllerRevisions: of them the controller of StatefulSets makes pods, and of no template. */
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import { isCollectorUpdate, isMadeFromTemplate, isStorageMigration } from '../exemptions.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED } from '../verdict.ts';
import { OTHER_ACCOUNTS, firstBeyond } from '../what-account-may.ts';
import { isUnguarded } from './guarded.ts';
import { accountRefusal } from './refusals.ts';

/**
 * Whoever writes one for a StatefulSet, and its status, has pods made of it that nobody reviewed. It
 * may be a patch of whatever template, so that it can be of any account: it needs what any account
 * may. Revisions of controllers of others are theirs; their pods are reviewed as those of anybody.
 */
export const controllerRevisionRule: Rule = (request, { world, nowMs }) => {
  const { operation, namespace = '', userInfo, object, oldObject } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (isUnguarded(world, namespace) || !canBeUsed(object)) return ALLOWED;
  // What it says cannot be changed, but whose it is.
  if (operation === 'UPDATE' && canBeUsed(oldObject)) return ALLOWED;
  if (isMadeFromTemplate(request) || isCollectorUpdate(request) || isStorageMigration(request)) {
    return ALLOWED;
  }
  const beyond = firstBeyond(world, userInfo, namespace, nowMs);
  if (beyond === undefined) return ALLOWED;
  const account =
    beyond.account === OTHER_ACCOUNTS ? 'any ServiceAccount' : `ServiceAccount ${beyond.account}`;
  return accountRefusal(
    `of ${describeObject(request)}, which Kubernetes writes by itself when the StatefulSet is changed, pods can be made under ${account}`,
    userInfo.username,
    beyond.right,
  );
};

/** It belongs to a workload of Kubernetes, or to nobody, so that a StatefulSet adopts it. */
function canBeUsed(revision: KubeObject | undefined): boolean {
  const owner = revision?.metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined || owner.apiVersion.startsWith('apps/');
}
