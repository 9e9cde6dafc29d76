/** ControllerRevisions: of them the controller of StatefulSets makes pods, and of no template. */
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import { isCollectorUpdate, isMadeFromTemplate, isStorageMigration } from '../exemptions.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED } from '../verdict.ts';
import { mayMount } from '../who-may-mount.ts';
import { isUnguarded } from './guarded.ts';
import { mountRefusal, nameOf } from './refusals.ts';

/**
 * Whoever writes one for a StatefulSet, and its status, has pods made of it that nobody reviewed. It
 * may be a patch of whatever template, so that it can be of any account: it needs what any account
 * may mount. Revisions of controllers of others are theirs; their pods are reviewed as those of anybody.
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
  const answer = mayMount(world, userInfo, world.credentials(namespace), nowMs);
  if (answer.isAllowed) return ALLOWED;
  return mountRefusal(
    `of ${describeObject(request)} pods can be made under any ServiceAccount, which may mount ${nameOf(answer.credential)}; Kubernetes writes it by itself when the StatefulSet is changed`,
    userInfo.username,
    userInfo,
    answer,
    world,
  );
};

/** It belongs to a workload of Kubernetes, or to nobody, so that a StatefulSet adopts it. */
function canBeUsed(revision: KubeObject | undefined): boolean {
  const owner = revision?.metadata.ownerReferences?.find(({ controller }) => controller === true);
  return owner === undefined || owner.apiVersion.startsWith('apps/');
}
