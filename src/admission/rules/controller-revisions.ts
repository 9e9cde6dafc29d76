/** ControllerRevisions: of them the controller of StatefulSets makes pods, and of no template. */
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import { KUBE_SYSTEM, isCollectorUpdate, isMadeFromTemplate } from '../exemptions.ts';
import type { AdmissionRequest } from '../request.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED } from '../verdict.ts';
import { OTHER_ACCOUNTS, firstBeyond } from '../what-account-may.ts';
import { isUnguarded } from './guarded.ts';
import { accountRefusal } from './refusals.ts';

/**
 * Whoever writes one for a StatefulSet, and its status, has pods made of it that nobody reviewed. It
 * may be a patch of whatever template, so that it can be of any account: it needs what any account
 * may. Of what kind it says that its owner is makes no difference: the controller of StatefulSets
 * takes for its own what nobody owns, and what has the uid of its StatefulSet, and reads no more.
 */
export const controllerRevisionRule: Rule = (request, { world, nowMs }) => {
  const { operation, namespace = '', userInfo, object, oldObject } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (isUnguarded(world, namespace)) return ALLOWED;
  // What it says cannot be changed, but whose it is.
  if (operation === 'UPDATE' && controllerOf(object) === controllerOf(oldObject)) return ALLOWED;
  if (isOfItsController(request) || isCollectorUpdate(request)) return ALLOWED;
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

/** UID of the owner that controls it; undefined where nobody does. */
function controllerOf(revision: KubeObject | undefined): string | undefined {
  return revision?.metadata.ownerReferences?.find(({ controller }) => controller === true)?.uid;
}

/** Of the controllers of Kubernetes these alone write any. */
export const REVISION_WRITERS: readonly string[] = [
  'statefulset-controller',
  'daemon-set-controller',
];

function isOfItsController(request: AdmissionRequest): boolean {
  const { userInfo, object, oldObject } = request;
  if (!REVISION_WRITERS.some((name) => userInfo.username === `${KUBE_SYSTEM}${name}`)) return false;
  // They let go of one whose labels do not fit any more.
  const isReleased = oldObject !== undefined && controllerOf(object) === undefined;
  return isMadeFromTemplate(isReleased ? { ...request, object: oldObject } : request);
}
