/** Pods and their ephemeral containers. */
import { LABELS } from '#api/names.ts';
import { isMirrorPod } from '../exemptions.ts';
import { accountNameOf, runsTheSame, templateOf } from '../pods/pod-template.ts';
import type { AdmissionRequest } from '../request.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import { isUnguarded, notUnderstood } from './guarded.ts';
import { foreignLabel, judgeTemplate } from './judge-template.ts';
import type { TemplateInQuestion } from './judge-template.ts';
import { describeObject } from './refusals.ts';

/**
 * Pods that are created, and those whose program, Secrets or label change. Binding, status, size and
 * deletion give nobody a Secret.
 */
export const podRule: Rule = (request, context) => {
  const { operation, subResource = '', namespace = '' } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (subResource !== '' && subResource !== 'ephemeralcontainers') return ALLOWED;
  if (isUnguarded(context.world, namespace) || isMirrorPod(request)) return ALLOWED;
  const template = templateOf('pods', request.object);
  if (template === undefined) return notUnderstood(request, 'spec');
  const what = describeObject(request);
  const inQuestion: TemplateInQuestion = { what, namespace, template, isPod: true };
  if (operation === 'CREATE') {
    // Of a name that is too long, and of an emergency account, more is to be said.
    const verdict = judgeTemplate(inQuestion, request, context);
    return verdict.allowed ? (foreignLabel(inQuestion, true) ?? verdict) : verdict;
  }
  const before = templateOf('pods', request.oldObject);
  if (before === undefined) return notUnderstood(request, 'spec of the old object');
  const relabelled =
    template.labels[LABELS.serviceAccount] !== before.labels[LABELS.serviceAccount];
  if (relabelled) {
    const refusal = relabelRefusal(request, inQuestion);
    if (refusal !== undefined) return refusal;
  }
  return runsTheSame(template, before) ? ALLOWED : judgeTemplate(inQuestion, request, context);
};

/** A pod from before the namespace was guarded may get its label; one that has it keeps it. */
function relabelRefusal(
  { oldObject }: AdmissionRequest,
  inQuestion: TemplateInQuestion,
): ReturnType<typeof foreignLabel> {
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
