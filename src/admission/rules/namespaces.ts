/**
 * What makes a namespace guarded, of which environment it is, and that it stays: whoever takes the
 * label off has taken off every rule about what is in there.
 */
import { ACTIONS } from '#access/actions.ts';
import type { Decision, Target } from '#access/request.ts';
import { LABELS } from '#api/names.ts';
import { ENVIRONMENTS } from '#api/roles.ts';
import type { KubeObject } from '#kube/objects.ts';
import { ask, policiesOf, refusalOf } from '../ask.ts';
import type { AdmissionRequest } from '../request.ts';
import { isOperator } from '../requester.ts';
import type { Rule, RuleContext } from '../rule.ts';
import { ALLOWED, refuse } from '../verdict.ts';
import type { Verdict } from '../verdict.ts';
import { reportBreaches } from './namespace-breaches.ts';

/**
 * Looks at labels alone, so that it also holds for the subresources of a namespace. Taking a label
 * off, changing it, and deleting the namespace need AccessSecrets at Admin over all of it as it was;
 * becoming guarded, as it would be.
 */
export const namespaceRule: Rule = (request, context) => {
  const { operation, object, oldObject, userInfo } = request;
  if (operation === 'CONNECT') return refuse('NotUnderstood', 'Namespaces cannot be connected to');
  if (isOperator(userInfo, context.settings)) return ALLOWED;
  const before = operation === 'CREATE' ? undefined : labelsOf(oldObject);
  const after = operation === 'DELETE' ? undefined : labelsOf(object);
  if (before?.isGuarded !== true && after?.isGuarded !== true) return ALLOWED;
  const acts = actsOf(before, after);
  if (acts.length === 0) return ALLOWED;
  const name = oldObject?.metadata.name ?? object?.metadata.name ?? request.name;
  const decisions: Decision[] = [];
  for (const { what, environment } of acts) {
    const target: Target = { kind: 'Scope', namespace: name, environment };
    const decision = ask(request, context, ACTIONS.delete, target);
    if (!decision.allowed)
      return refusalOf(request, `Namespace ${name}: to ${what}`, decision, target);
    decisions.push(decision);
  }
  const verdict: Verdict = { allowed: true, policies: policiesOf(decisions) };
  return after?.isGuarded === true ? withBreaches(request, context, name, after, verdict) : verdict;
};

interface GuardLabels {
  readonly isGuarded: boolean;
  /** As it stands. */
  readonly label: string | undefined;
  /** What is asked about: `*` where the label is no environment. */
  readonly environment: (typeof ENVIRONMENTS)[number] | '*';
}

function labelsOf(object: KubeObject | undefined): GuardLabels {
  const labels = object?.metadata.labels ?? {};
  const label = labels[LABELS.environment];
  const known = ENVIRONMENTS.find((environment) => environment === label);
  return { isGuarded: labels[LABELS.guarded] === 'true', label, environment: known ?? '*' };
}

interface GuardAct {
  readonly what: string;
  readonly environment: GuardLabels['environment'];
}

/** What is done to it as it was, and to what it would be. */
function actsOf(
  before: GuardLabels | undefined,
  after: GuardLabels | undefined,
): readonly GuardAct[] {
  const acts: GuardAct[] = [];
  if (before?.isGuarded === true) {
    const { environment, label } = before;
    if (after === undefined) acts.push({ what: 'delete it while it is guarded', environment });
    else if (!after.isGuarded) {
      acts.push({ what: `take the label ${LABELS.guarded}: "true" off`, environment });
    } else if (after.label !== label) {
      acts.push({
        what:
          label === undefined
            ? `give it the label ${LABELS.environment}, without which it may hold credentials of every environment`
            : `take it out of ${describe(label)}`,
        environment,
      });
      acts.push({
        what:
          after.label === undefined
            ? `take off its label ${LABELS.environment}, so that it may hold credentials of every environment`
            : `put it into ${describe(after.label)}`,
        environment: after.environment,
      });
    }
  } else if (after?.isGuarded === true) {
    acts.push({ what: 'make it guarded', environment: after.environment });
  }
  return acts;
}

function describe(label: string): string {
  return `environment ${JSON.stringify(label)} (label ${LABELS.environment})`;
}

/** What does not fit is refused; what is known to stop working, and what cannot be known, is told. */
function withBreaches(
  { kind }: AdmissionRequest,
  { world }: RuleContext,
  name: string,
  after: GuardLabels,
  verdict: Verdict,
): Verdict {
  const { mismatches, warnings } = reportBreaches(world, name, after.label);
  if (mismatches.length > 0) {
    return refuse(
      'BreaksRules',
      `${kind.kind} ${name}: label ${LABELS.environment} is ${JSON.stringify(after.label)}, but of another environment are ${mismatches.join(', ')}, and nothing of them would be delivered. Delete them there first, or choose their environment`,
      { warnings },
    );
  }
  return warnings.length === 0 ? verdict : { ...verdict, warnings };
}
