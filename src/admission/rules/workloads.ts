/** What makes pods: Deployments, Jobs and the like, and PodTemplates. */
import { LABELS } from '#api/names.ts';
import { describeObject } from '../ask.ts';
import { makesTheSame, templateOf } from '../pods/pod-template.ts';
import type { Rule } from '../rule.ts';
import { ALLOWED } from '../verdict.ts';
import { isUnguarded, notUnderstood } from './guarded.ts';
import { foreignLabel, judgeTemplate } from './judge-template.ts';

/**
 * Their templates, like pods: a controller makes pods of them under its own name. What leaves the
 * template's spec as it was (scale, status, labels, a restart by annotation) needs nothing.
 */
export const workloadRule: Rule = (request, context) => {
  const { operation, subResource = '', namespace = '', resource, object, oldObject } = request;
  if (operation !== 'CREATE' && operation !== 'UPDATE') return ALLOWED;
  if (subResource !== '' || isUnguarded(context.world, namespace)) return ALLOWED;
  const template = templateOf(resource.resource, object);
  if (template === undefined) return notUnderstood(request, 'pod template');
  const what = `the template of ${describeObject(request)}`;
  const inQuestion = { what, namespace, template, isPod: false };
  const before = templateOf(resource.resource, oldObject);
  const label = LABELS.serviceAccount;
  if (before === undefined || template.labels[label] !== before.labels[label]) {
    const refusal = foreignLabel(inQuestion, false);
    if (refusal !== undefined) return refusal;
  }
  if (before !== undefined && makesTheSame(template, before)) return ALLOWED;
  return judgeTemplate(inQuestion, request, context);
};
