/** Who may write IPBlocks: ManageNetworkBlocks over all whom they cut off, before and after. */
import { ACTIONS } from '#access/actions.ts';
import type { Decision, Target } from '#access/request.ts';
import { ask, describeAct, describeObject, policiesOf, refusalOf } from '../ask.ts';
import { isClusterDeletion, isCollectorUpdate } from '../exemptions.ts';
import { checkStamps } from '../identity-stamp.ts';
import type { AdmissionRequest } from '../request.ts';
import { isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import { isUnchanged } from './metadata-changes.ts';
import { readBlock } from './read-own.ts';

export const ipBlockRule: Rule = (request, context) => {
  const { operation, userInfo, object, oldObject } = request;
  if (isOperator(userInfo, context.settings)) return ALLOWED;
  if (operation === 'CONNECT') return refuse('NotUnderstood', 'IPBlocks cannot be connected to');
  if (isClusterDeletion(request) || isCollectorUpdate(request)) return ALLOWED;
  if (operation !== 'DELETE') {
    if (readBlock(object) === undefined) {
      return refuse(
        'Invalid',
        `${describeObject(request)}: spec.scope.namespaces must be a list of names`,
        { code: 422 },
      );
    }
    const fault = checkStamps(request);
    if (fault !== undefined) return fault;
    if (operation === 'UPDATE' && isUnchanged(oldObject, object)) return ALLOWED;
  }
  const targets = [
    ...(operation === 'CREATE' ? [] : targetsOf(oldObject, context)),
    ...(operation === 'DELETE' ? [] : targetsOf(object, context)),
  ];
  const decisions: Decision[] = [];
  for (const target of targets) {
    const decision = ask(request, context, ACTIONS['manage-network-blocks'], target);
    if (!decision.allowed) return refusalOf(request, describeAct(request), decision, target);
    decisions.push(decision);
  }
  return { allowed: true, policies: policiesOf(decisions) };
};

/** The gateway serves every namespace, and so does a block without a scope. */
function targetsOf(object: AdmissionRequest['object'], { world }: RuleContext): readonly Target[] {
  const scope = readBlock(object)?.spec.scope;
  const namespaces = scope?.namespaces ?? [];
  if (namespaces.length === 0 || namespaces.includes('*') || scope?.gateway === true) {
    return [{ kind: 'Scope', namespace: '*', environment: '*' }];
  }
  return namespaces.map((namespace) => ({
    kind: 'Scope',
    namespace,
    environment: world.namespace(namespace)?.environment ?? '*',
  }));
}
