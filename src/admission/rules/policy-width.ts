/** Whether one policy says no more than another: what only narrows gives nobody anything new. */
import { isDeepStrictEqual } from 'node:util';
import { compilePolicy } from '#access/compile.ts';
import { describeSubject } from '#access/identity.ts';
import type { AccessPolicy } from '#api/access-policy.ts';

/** Whether an Allow gives nothing that `outer`, an Allow too, does not give. False where in doubt. */
export function givesNoMore(inner: AccessPolicy, outer: AccessPolicy): boolean {
  const [one, other] = [compilePolicy(inner), compilePolicy(outer)];
  return (
    one.effect === 'Allow' &&
    other.effect === 'Allow' &&
    one.level <= other.level &&
    isWithin(inner, outer)
  );
}

/** Whether a Deny takes all that `former`, a Deny too, took. False where in doubt. */
export function deniesNoLess(policy: AccessPolicy, former: AccessPolicy): boolean {
  const [one, other] = [compilePolicy(policy), compilePolicy(former)];
  return (
    one.effect === 'Deny' &&
    other.effect === 'Deny' &&
    one.level <= other.level &&
    isWithin(former, policy)
  );
}

/** All but effect and level. */
function isWithin(inner: AccessPolicy, outer: AccessPolicy): boolean {
  const [one, other] = [compilePolicy(inner), compilePolicy(outer)];
  if (one.faults.length > 0 || other.faults.length > 0) {
    return isDeepStrictEqual(inner.spec, outer.spec);
  }
  const subjects = new Set(other.subjects.map(describeSubject));
  return (
    (one.permissions & ~other.permissions) === 0 &&
    one.environments.every((environment) => other.environments.includes(environment)) &&
    one.subjects.every((subject) => subjects.has(describeSubject(subject))) &&
    isSelectionWithin(inner.spec.credentials, outer.spec.credentials) &&
    (!other.constrained || isDeepStrictEqual(inner.spec.constraints, outer.spec.constraints))
  );
}

function isSelectionWithin(
  inner: AccessPolicy['spec']['credentials'],
  outer: AccessPolicy['spec']['credentials'],
): boolean {
  return (
    isListWithin(inner.namespaces, outer.namespaces) &&
    isListWithin(inner.names, outer.names) &&
    isListWithin(inner.exchanges, outer.exchanges) &&
    (outer.selector === undefined || isDeepStrictEqual(inner.selector, outer.selector))
  );
}

function isListWithin(
  inner: readonly string[] | undefined,
  outer: readonly string[] | undefined,
): boolean {
  if (outer === undefined || outer.includes('*')) return true;
  return inner !== undefined && inner.every((one) => outer.includes(one));
}
