/**
 * The semantics of policies a second time: one policy after the other, straight from its spec, as
 * slow as it is plain. What the evaluator says has to agree with it; benchmarks compare with it.
 */
import { BlockList, isIPv4 } from 'node:net';
import type { AccessPolicy, AccessPolicySpec, TimeWindow } from '#api/access-policy.ts';
import { ACCESS_LEVELS, ROLE_PERMISSIONS } from '#api/roles.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import type { AccessRequest, CredentialFacts, Target } from '../request.ts';

/** For policies that the schema lets pass, and addresses and times that are some. */
export function naiveDecide(policies: readonly AccessPolicy[], request: AccessRequest): boolean {
  const { identity, action, target } = request;
  if (identity.groups.includes('system:masters')) return true;
  if (identity.groups.includes('system:unauthenticated')) return false;
  if (identity.username === 'system:anonymous') return false;
  if (target.kind === 'Unknown') return false;
  return action.anyOf.some((permission) => {
    const speaking = policies.filter(({ spec }) => speaks(spec, request, permission));
    const isDenied = speaking.some(({ spec }) => spec.effect === 'Deny');
    return !isDenied && speaking.some(({ spec }) => spec.effect !== 'Deny');
  });
}

function speaks(spec: AccessPolicySpec, request: AccessRequest, permission: Permission): boolean {
  const isDeny = spec.effect === 'Deny';
  const constraints = constraintsHold(spec, request);
  return (
    isMeant(spec, request) &&
    holds(spec, permission) &&
    (isDeny
      ? place(neededLevel(request)) >= place(spec.accessLevel)
      : place(spec.accessLevel) >= place(neededLevel(request))) &&
    (isDeny ? constraints !== false : constraints === true) &&
    reaches(spec, request.target, isDeny)
  );
}

function isMeant({ subjects }: AccessPolicySpec, { identity }: AccessRequest): boolean {
  return subjects.some(({ kind, name, namespace }) => {
    if (kind === 'Group') return identity.groups.includes(name);
    return (
      identity.username === (kind === 'User' ? name : `system:serviceaccount:${namespace}:${name}`)
    );
  });
}

function holds(
  { roles = [], permissions = [] }: AccessPolicySpec,
  permission: Permission,
): boolean {
  return (
    permissions.includes(permission) ||
    roles.some((role) => ROLE_PERMISSIONS[role].includes(permission))
  );
}

function place(level: AccessLevel = 'Read'): number {
  return ACCESS_LEVELS.indexOf(level);
}

function neededLevel({ action, target }: AccessRequest): AccessLevel {
  if (target.kind !== 'Credential' || action.raisedByCredential !== true) return action.level;
  const { minimumAccessLevel } = target.credential;
  return place(minimumAccessLevel) > place(action.level)
    ? (minimumAccessLevel ?? 'Read')
    : action.level;
}

function reaches(spec: AccessPolicySpec, target: Target, isDeny: boolean): boolean {
  if (target.kind === 'Credential') return selects(spec, target.credential);
  if (target.kind === 'Unknown') return false;
  const { namespaces, names, exchanges, selector } = spec.credentials;
  const isAll = (list: readonly string[] | undefined) => list === undefined || list.includes('*');
  const isThere = isAll(namespaces) || namespaces?.includes(target.namespace) === true;
  const asked =
    target.environment === '*'
      ? (['Development', 'Staging', 'Production'] as const)
      : [target.environment];
  if (isDeny) {
    return (
      (isThere || target.namespace === '*') && asked.some((one) => spec.environments.includes(one))
    );
  }
  return (
    isThere &&
    isAll(names) &&
    isAll(exchanges) &&
    selector === undefined &&
    asked.every((one) => spec.environments.includes(one))
  );
}

function selects({ environments, credentials }: AccessPolicySpec, facts: CredentialFacts): boolean {
  const { namespaces, names, exchanges, selector = {} } = credentials;
  const among = (list: readonly string[] | undefined, value: string | undefined) =>
    list === undefined || list.includes('*') || (value !== undefined && list.includes(value));
  const { matchLabels = {}, matchExpressions = [] } = selector;
  return (
    environments.includes(facts.environment) &&
    among(namespaces, facts.namespace) &&
    among(names, facts.name) &&
    among(exchanges, facts.exchange) &&
    Object.entries(matchLabels).every(([key, value]) => facts.labels[key] === value) &&
    matchExpressions.every(({ key, operator, values = [] }) => {
      const value = facts.labels[key];
      switch (operator) {
        case 'In':
          return value !== undefined && values.includes(value);
        case 'NotIn':
          return value === undefined || !values.includes(value);
        case 'Exists':
          return value !== undefined;
        case 'DoesNotExist':
          return value === undefined;
      }
    })
  );
}

/** Undefined: not known. */
function constraintsHold(
  { constraints = {} }: AccessPolicySpec,
  { atMs, sourceAddress, country }: AccessRequest,
): boolean | undefined {
  const { sourceRanges, times, countries } = constraints;
  const parts: (boolean | undefined)[] = [];
  if (sourceRanges !== undefined) {
    parts.push(sourceAddress === undefined ? undefined : isInRanges(sourceRanges, sourceAddress));
  }
  if (times !== undefined) parts.push(times.some((window) => isInWindow(window, atMs)));
  if (countries !== undefined) {
    const { allow, deny = [] } = countries;
    parts.push(
      country === undefined
        ? undefined
        : !deny.includes(country) && (allow === undefined || allow.includes(country)),
    );
  }
  if (parts.includes(false)) return false;
  return parts.includes(undefined) ? undefined : true;
}

function isInRanges(ranges: readonly string[], address: string): boolean {
  const list = new BlockList();
  for (const range of ranges) {
    const [network = '', prefix] = range.split('/');
    list.addSubnet(network, Number(prefix), isIPv4(network) ? 'ipv4' : 'ipv6');
  }
  return list.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
}

const MINUTE_MS = 60_000;

/** Goes back minute by minute and looks at the clock. */
function isInWindow({ schedule, duration, timeZone = 'UTC' }: TimeWindow, atMs: number): boolean {
  const span = Temporal.Duration.from(`PT${duration.toUpperCase()}`).total('milliseconds');
  const fields = schedule.replace('SUN', '0').split(' ');
  for (
    let start = Math.floor(atMs / MINUTE_MS) * MINUTE_MS;
    start + span > atMs;
    start -= MINUTE_MS
  ) {
    const clock = Temporal.Instant.fromEpochMilliseconds(start).toZonedDateTimeISO(timeZone);
    const values = [clock.minute, clock.hour, clock.day, clock.month, clock.dayOfWeek % 7];
    if (fields.every((field, index) => isInField(field, values[index] ?? 0))) return true;
  }
  return false;
}

/** Of one part each, and only one of the two kinds of day: no schedule of the tests has more. */
function isInField(field: string, value: number): boolean {
  const [range = '', step = '1'] = field.split('/');
  if (range === '*') return value % Number(step) === 0;
  const [from = '', to = from] = range.split('-');
  return value >= Number(from) && value <= Number(to);
}
