/** What the operator alone writes: the status of our kinds, and the tables that the twin reads. */
import { describeObject } from '../ask.ts';
import { isClusterDeletion, isCollectorUpdate, isStorageMigration } from '../exemptions.ts';
import { isOperator } from '../requester.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';

/** The subresource `status` of each of our kinds. */
export const statusRule: Rule = (request, { settings }) => {
  if (isOperator(request.userInfo, settings)) return ALLOWED;
  return refuse(
    'NotGranted',
    `${describeObject(request)}: status says what the operator found, and it alone (${settings.operatorUsername}) writes it; change spec instead`,
  );
};

/** NamespaceAccess: whoever could write it, system:masters included, would decide what the twin lets pass. */
export const namespaceAccessRule: Rule = (request, { settings }) => {
  if (isOperator(request.userInfo, settings)) return ALLOWED;
  if (isClusterDeletion(request)) return ALLOWED;
  if (isStorageMigration(request) || isCollectorUpdate(request)) return ALLOWED;
  return refuse(
    'Reserved',
    `${describeObject(request)}: the operator alone (${settings.operatorUsername}) writes it, from the AccessPolicies; change those instead`,
  );
};
