import type { LabelSelector } from '#kube/objects.ts';

type Labels = Readonly<Record<string, string>>;
type Requirement = NonNullable<LabelSelector['matchExpressions']>[number];

/**
 * Whether a label selector selects what has these labels. Absent selects nothing, `{}` everything;
 * fields of NetworkPolicies that mean something else when absent say so where they are read.
 * https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
 */
export function matchesSelector(selector: LabelSelector | undefined, labels: Labels): boolean {
  if (selector === undefined) return false;
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (valueOf(labels, key) !== value) return false;
  }
  return (selector.matchExpressions ?? []).every((requirement) => isMet(requirement, labels));
}

function isMet({ key, operator, values = [] }: Requirement, labels: Labels): boolean {
  const value = valueOf(labels, key);
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    default:
      return false;
  }
}

/** `constructor` is a fine label key, which every object seems to have. */
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
