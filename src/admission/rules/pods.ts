/** Pods and their ephemeral containers. */
import { LABELS } from '#api/names.ts';
import { describeObject } from '../ask.ts';
import { isMirrorPod } from '../exemptions.ts';
import { accountNameOf, runsTheSame, templateOf } from '../pods/pod-template.ts';
import type { AdmissionRequest } from '../request.ts';
import { isMaster } from '../requester.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { formerUse, isUnguarded, notUnderstood } from './guarded.ts';
import { foreignLabel, judgeTemplate } from './judge-template.ts';
import type { TemplateInQuestion } from './judge-template.ts';

/** What can bring new labels along, and changes nothing of what runs. */
const LABELLED_ONLY: ReadonlySet<string> = new Set(['status', 'resize']);

/**
 * Pods that are created, and those whose program, Secrets or label change. Eviction and deletion give
 * nobody a Secret; of a binding, of status and of a new size only the label is looked at.
 */
export const podRule: Rule = (request, context) => {
  const { operation, subResource = '', namespace = '', resource } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (isUnguarded(context.world, namespace) || isMirrorPod(request)) return ALLOWED;
  if (subResource === 'binding' || resource.resource === 'bindings') return judgeBinding(request);
  const isLabelOnly = LABELLED_ONLY.has(subResource);
  if (subResource !== '' && subResource !== 'ephemeralcontainers' && !isLabelOnly) return ALLOWED;
  const template = templateOf('pods', request.object);
  if (template === undefined) return notUnderstood(request, 'spec');
  const what = describeObject(request);
  const inQuestion: TemplateInQuestion = { what, namespace, template, isPod: true };
  if (operation === 'CREATE') {
    // Of a name that is too long, and of an emergency account, more is to be said.
    const verdict = judgeTemplate(inQuestion, request, context);
    if (verdict.reason === 'Reserved' || verdict.reason === 'Invalid') return verdict;
    // Members of system:masters pass what else was said, and not this.
    const isAsked = verdict.allowed || isMaster(request.userInfo);
    return isAsked ? (foreignLabel(inQuestion, true) ?? verdict) : verdict;
  }
  const before = templateOf('pods', request.oldObject);
  if (before === undefined) return notUnderstood(request, 'spec of the old object');
  const relabelled =
    template.labels[LABELS.serviceAccount] !== before.labels[LABELS.serviceAccount];
  if (relabelled) {
    const refusal = relabelRefusal(request, inQuestion);
    if (refusal !== undefined) return refusal;
  }
  if (isLabelOnly || runsTheSame(template, before)) return ALLOWED;
  const former = formerUse(context.world, namespace, before);
  if (former !== undefined) {
    // Whose it was cannot be asked any more, so that nobody has the right to it.
    return refuse(
      'NotGranted',
      `${what} still holds what Secret ${former.secret} had in it when it was that of a credential, and another program in it could read that; delete the pod and make it anew`,
    );
  }
  return judgeTemplate(inQuestion, request, context);
};

/** The labels of a binding replace those of the pod. */
function judgeBinding(request: AdmissionRequest): Verdict {
  if (request.object?.metadata.labels?.[LABELS.serviceAccount] === undefined) return ALLOWED;
  return refuse(
    'Reserved',
    `the binding of Pod ${request.namespace ?? ''}/${request.name} has the label ${LABELS.serviceAccount}, which admission alone sets; leave it out`,
  );
}

/** A pod from before the namespace was guarded may get its label; one that has it keeps it. */
function relabelRefusal(
  { oldObject }: AdmissionRequest,
  inQuestion: TemplateInQuestion,
): Verdict | undefined {
  const { what, template } = inQuestion;
  const old = oldObject?.metadata.labels?.[LABELS.serviceAccount];
  if (old === accountNameOf(template)) {
    return refuse(
      'Immutable',
      `${what}: the label ${LABELS.serviceAccount} says which ServiceAccount it runs under, and can neither be changed nor taken off`,
    );
  }
  return foreignLabel(inQuestion, true);
}
