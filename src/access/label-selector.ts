import { isRecord } from './reading.ts';

export type Labels = Readonly<Record<string, string>>;

type Test = (labels: Labels) => boolean;

/**
 * Kubernetes' own meaning of a label selector: all parts must hold; NotIn and DoesNotExist hold for
 * an object without the key; an empty one selects everything. Undefined for what is none.
 */
export function compileSelector(selector: unknown): Test | undefined {
  if (!isRecord(selector)) return undefined;
  const { matchLabels = {}, matchExpressions = [], ...rest } = selector;
  if (!isRecord(matchLabels) || !Array.isArray(matchExpressions)) return undefined;
  if (Object.keys(rest).length > 0) return undefined;
  const tests: Test[] = [];
  for (const [key, value] of Object.entries(matchLabels)) {
    if (typeof value !== 'string') return undefined;
    tests.push((labels) => valueOf(labels, key) === value);
  }
  for (const requirement of matchExpressions as readonly unknown[]) {
    const test = compileRequirement(requirement);
    if (test === undefined) return undefined;
    tests.push(test);
  }
  return (labels) => tests.every((test) => test(labels));
}

function compileRequirement(requirement: unknown): Test | undefined {
  if (!isRecord(requirement)) return undefined;
  const { key, operator, values = [], ...rest } = requirement;
  if (typeof key !== 'string' || key === '' || Object.keys(rest).length > 0) return undefined;
  if (!Array.isArray(values) || !values.every((one) => typeof one === 'string')) return undefined;
  const among: ReadonlySet<string | undefined> = new Set(values as readonly string[]);
  const takesValues = operator === 'In' || operator === 'NotIn';
  if (takesValues !== among.size > 0) return undefined;
  switch (operator) {
    case 'In':
      return (labels) => among.has(valueOf(labels, key));
    case 'NotIn':
      return (labels) => !among.has(valueOf(labels, key));
    case 'Exists':
      return (labels) => valueOf(labels, key) !== undefined;
    case 'DoesNotExist':
      return (labels) => valueOf(labels, key) === undefined;
    default:
      return undefined;
  }
}

/** Own properties alone: every object has a `constructor`. */
function valueOf(labels: Labels, key: string): string | undefined {
  return Object.hasOwn(labels, key) ? labels[key] : undefined;
}
