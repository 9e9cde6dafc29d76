/**
 * What the operator generates from AccessPolicies, IPBlocks and EmergencyAccesses: NetworkPolicies,
 * Roles, RoleBindings. Whoever changed one would change what those say.
 */
import { FIELD_MANAGER, LABELS } from '#api/names.ts';
import type { KubeObject } from '#kube/objects.ts';
import { describeObject } from '../ask.ts';
import { isClusterDeletion } from '../exemptions.ts';
import { isOperator } from '../requester.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import { isUnguarded } from './guarded.ts';
import { isUnchanged } from './metadata-changes.ts';

/**
 * Not even system:masters: RBAC is theirs to write under other names. The twin says the same, but lets
 * them pass.
 */
export const generatedRule: Rule = (request, { settings, world }) => {
  const { userInfo, namespace = '', object, oldObject } = request;
  const label = labelOf(oldObject) ?? labelOf(object);
  if (label === undefined || isUnguarded(world, namespace)) return ALLOWED;
  if (isOperator(userInfo, settings) || isClusterDeletion(request)) return ALLOWED;
  // Among others the storage-version migrator writes what stands there.
  if (isUnchanged(oldObject, object)) return ALLOWED;
  return refuse(
    'Reserved',
    `${describeObject(request)}: label ${label} marks what the operator generates, and it alone (${settings.operatorUsername}) writes that; change the AccessPolicy, IPBlock or EmergencyAccess that it stands for${oldObject === undefined ? ', or leave the label away' : ''}`,
  );
};

/** The label that says so; by the old one it stays the operator's when somebody takes it off. */
function labelOf(object: KubeObject | undefined): string | undefined {
  const labels = object?.metadata.labels ?? {};
  if (labels[LABELS.managedBy] === FIELD_MANAGER) return LABELS.managedBy;
  return [LABELS.policyUid, LABELS.emergencyAccess].find((label) => (labels[label] ?? '') !== '');
}
