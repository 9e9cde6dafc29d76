/**
 * What a rule of RBAC grants, as the API server itself decides it. Three things are easily got wrong:
 * `pods/*` grants nothing; `*` as a resource grants every subresource too; and `resourceNames` do not
 * stop a list or watch, which may name one object by a field selector.
 */
import type { PolicyRule } from '#kube/objects.ts';

export interface ResourcePath {
  /** Empty: the core group. */
  readonly group: string;
  readonly resource: string;
  /** `*`: whichever. */
  readonly subresource?: string;
}

/** The objects that a verb is granted on. */
export type Names = 'every' | ReadonlySet<string>;

export function grantsResource(
  { apiGroups = [], resources = [] }: PolicyRule,
  { group, resource, subresource }: ResourcePath,
): boolean {
  if (!apiGroups.some((granted) => granted === '*' || granted === group)) return false;
  if (subresource === undefined) {
    return resources.some((granted) => granted === '*' || granted === resource);
  }
  if (subresource === '*') {
    return resources.some(
      (granted) =>
        granted === '*' || granted.startsWith('*/') || granted.startsWith(`${resource}/`),
    );
  }
  return resources.some(
    (granted) =>
      granted === '*' || granted === `${resource}/${subresource}` || granted === `*/${subresource}`,
  );
}

/**
 * The verbs, of those asked for, that the rules grant on a resource, and on which objects of it.
 * Verbs that are not granted are not in it.
 */
export function grantedVerbs(
  rules: readonly PolicyRule[],
  path: ResourcePath,
  verbs: readonly string[],
): ReadonlyMap<string, Names> {
  const granted = new Map<string, Names>();
  for (const rule of rules) {
    const wanted = verbs.filter((verb) => grantsVerb(rule, verb));
    if (wanted.length === 0 || !grantsResource(rule, path)) continue;
    for (const verb of wanted) granted.set(verb, union(granted.get(verb), namesOf(rule)));
  }
  if (path.subresource === undefined) withoutVainCreate(rules, path, granted);
  return granted;
}

function grantsVerb({ verbs }: PolicyRule, verb: string): boolean {
  return verbs.some((granted) => granted === '*' || granted === verb);
}

function namesOf({ resourceNames = [] }: PolicyRule): Names {
  return resourceNames.length === 0 ? 'every' : new Set(resourceNames);
}

/**
 * A plain create has no name that RBAC could compare, so that one limited to names never succeeds;
 * but a server-side apply that creates does have it, and needs `patch` of that name too.
 */
function withoutVainCreate(
  rules: readonly PolicyRule[],
  path: ResourcePath,
  granted: Map<string, Names>,
): void {
  const created = granted.get('create');
  if (created === undefined || created === 'every') return;
  const patched =
    granted.get('patch') ??
    rules
      .filter((rule) => grantsVerb(rule, 'patch') && grantsResource(rule, path))
      .map(namesOf)
      .reduce<Names | undefined>(union, undefined);
  const both = [...created].filter((name) => patched === 'every' || patched?.has(name));
  if (both.length === 0) granted.delete('create');
  else granted.set('create', new Set(both));
}

export function union(one: Names | undefined, other: Names): Names {
  if (one === undefined) return other;
  if (one === 'every' || other === 'every') return 'every';
  return new Set([...one, ...other]);
}
