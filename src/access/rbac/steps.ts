/**
 * The writes that lead from the RBAC that stands to the RBAC that should. After each of them, and
 * so wherever the process may end, nobody has a right that is in neither of the two.
 */
import type { PolicyRule, Role, RoleBinding } from '#kube/objects.ts';
import { hasSameRules, hasSameSubjects, isMarkedAs } from './objects.ts';
import type { RbacPair } from './objects.ts';

export type Step =
  | { readonly act: 'Delete'; readonly kind: 'Role' | 'RoleBinding'; readonly found: Role }
  | { readonly act: 'WriteRole'; readonly wanted: Role; readonly found?: Role }
  | { readonly act: 'WriteBinding'; readonly wanted: RoleBinding; readonly found?: RoleBinding };

export interface StandingRbac {
  readonly roles: readonly Role[];
  readonly bindings: readonly RoleBinding[];
}

export function stepsTo(wanted: readonly RbacPair[], standing: StandingRbac): readonly Step[] {
  const roles = new Map(standing.roles.map((role) => [keyOf(role), role]));
  const bindings = new Map(standing.bindings.map((binding) => [keyOf(binding), binding]));
  const wantedKeys = new Set(wanted.map(({ role }) => keyOf(role)));
  const isLeft = (object: Role) => !wantedKeys.has(keyOf(object));
  return [
    ...standing.bindings.filter(isLeft).map((found) => deletion('RoleBinding', found)),
    ...standing.roles.filter(isLeft).map((found) => deletion('Role', found)),
    ...wanted.flatMap((pair) =>
      stepsToPair(pair, roles.get(keyOf(pair.role)), bindings.get(keyOf(pair.role))),
    ),
  ];
}

function stepsToPair(
  wanted: RbacPair,
  role: Role | undefined,
  binding: RoleBinding | undefined,
): readonly Step[] {
  const isRoleRight =
    role !== undefined && hasSameRules(role, wanted.role) && isMarkedAs(role, wanted.role);
  const isBindingRight =
    binding !== undefined &&
    refersTo(binding, wanted.binding) &&
    hasSameSubjects(binding, wanted.binding) &&
    isMarkedAs(binding, wanted.binding);
  const writeRole: Step = { act: 'WriteRole', wanted: wanted.role, ...(role && { found: role }) };
  const writeBinding: Step = {
    act: 'WriteBinding',
    wanted: wanted.binding,
    ...(binding && { found: binding }),
  };
  if (isBindingRight) return isRoleRight ? [] : [writeRole];
  // A roleRef cannot be changed, and a binding to a Role that is gone cannot be written.
  if (binding !== undefined && (role === undefined || !refersTo(binding, wanted.binding))) {
    return [
      deletion('RoleBinding', binding),
      ...(isRoleRight ? [] : [writeRole]),
      { act: 'WriteBinding', wanted: wanted.binding },
    ];
  }
  if (isRoleRight) return [writeBinding];
  if (binding === undefined || role === undefined) return [writeRole, writeBinding];
  // Neither may the new subjects get the old rules, nor the old subjects the new ones. The Role
  // first and not the binding: a binding to a Role that others made wider than the operator's own
  // rights cannot be written.
  const both: Role = {
    ...wanted.role,
    rules: commonRules(role.rules ?? [], wanted.role.rules ?? []),
  };
  return [
    { act: 'WriteRole', wanted: both, found: role },
    writeBinding,
    { act: 'WriteRole', wanted: wanted.role, found: both },
  ];
}

/** What both give; rules that others made in another shape than ours are left out. */
function commonRules(
  found: readonly PolicyRule[],
  wanted: readonly PolicyRule[],
): readonly PolicyRule[] {
  const shape = ({ apiGroups, resources, verbs }: PolicyRule) =>
    JSON.stringify([apiGroups, resources, verbs]);
  return wanted.flatMap((rule) => {
    const { resourceNames: wantedNames, ...rest } = rule;
    return found
      .filter((other) => shape(other) === shape(rule))
      .flatMap(({ resourceNames }): readonly PolicyRule[] => {
        if (resourceNames === undefined) return [rule];
        if (wantedNames === undefined) return [{ ...rest, resourceNames }];
        const names = wantedNames.filter((name) => resourceNames.includes(name));
        // An empty list of names would mean all of them.
        return names.length === 0 ? [] : [{ ...rest, resourceNames: names }];
      });
  });
}

function deletion(kind: 'Role' | 'RoleBinding', found: Role): Step {
  return { act: 'Delete', kind, found };
}

function refersTo(found: RoleBinding, wanted: RoleBinding): boolean {
  return (
    found.roleRef.kind === wanted.roleRef.kind &&
    found.roleRef.name === wanted.roleRef.name &&
    found.roleRef.apiGroup === wanted.roleRef.apiGroup
  );
}

function keyOf({ metadata }: Role): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`;
}
