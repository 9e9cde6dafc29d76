import type { LabelRequirement, LabelSelector } from '#api/access-policy.ts';

export type Labels = Readonly<Record<string, string>>;

/**
 * Kubernetes' own meaning of a label selector: all parts must hold; NotIn and DoesNotExist hold for
 * an object without the key. Undefined for an operator that is not known.
 */
export function compileSelector(
  selector: LabelSelector,
): ((labels: Labels) => boolean) | undefined {
  const equal = Object.entries(selector.matchLabels ?? {});
  const tests: ((labels: Labels) => boolean)[] = [];
  for (const requirement of selector.matchExpressions ?? []) {
    const test = compileRequirement(requirement);
    if (test === undefined) return undefined;
    tests.push(test);
  }
  return (labels) =>
    equal.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value) &&
    tests.every((test) => test(labels));
}

function compileRequirement({
  key,
  operator,
  values = [],
}: LabelRequirement): ((labels: Labels) => boolean) | undefined {
  const valueOf = (labels: Labels) => (Object.hasOwn(labels, key) ? labels[key] : undefined);
  switch (operator) {
    case 'In':
      return (labels) => values.includes(valueOf(labels) ?? '') && Object.hasOwn(labels, key);
    case 'NotIn':
      return (labels) => !Object.hasOwn(labels, key) || !values.includes(valueOf(labels) ?? '');
    case 'Exists':
      return (labels) => Object.hasOwn(labels, key);
    case 'DoesNotExist':
      return (labels) => !Object.hasOwn(labels, key);
    default:
      return undefined;
  }
}
