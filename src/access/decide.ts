/** The one evaluator: everything that ever asks who may do what asks here. */
import type { Permission } from '#api/roles.ts';
import { environmentBit, ruleOf } from './compile.ts';
import type { CompiledPolicy, PolicyEntry } from './compile.ts';
import { SYSTEM_MASTERS, isAnonymous } from './identity.ts';
import { needsOf } from './needs.ts';
import type { Needs } from './needs.ts';
import { firstIn } from './permission-set.ts';
import type { PolicyIndex } from './policy-index.ts';
import type { AccessRequest, DecidingRule, Decision, Target } from './request.ts';

/**
 * Deny by default, and a Deny that applies wins over every Allow. Needs no input but its arguments;
 * the order of policies, subjects and groups does not matter.
 *
 * Where one permission out of several is enough, each is decided by itself. `Denied` then is told
 * when Denies took all of them, or one that an Allow gives.
 */
export function decide(index: Pick<PolicyIndex, 'about'>, request: AccessRequest): Decision {
  const { identity, target } = request;
  const needs = needsOf(request);
  if (identity.groups.includes(SYSTEM_MASTERS)) {
    return { allowed: true, reason: 'SystemMasters', rules: NONE, needs: needs.told };
  }
  if (isAnonymous(identity)) {
    return { allowed: false, reason: 'NotGranted', rules: NONE, needs: needs.told };
  }
  if (target.kind === 'Unknown') {
    return { allowed: false, reason: 'UnknownCredential', rules: NONE, needs: needs.told };
  }
  const { allows, denies, allowed, denied } = applying(
    index.about(identity, namespaceOf(target)),
    request,
    needs,
  );
  const granted = allowed & ~denied;
  if (granted !== 0) {
    const rules = rulesOf(allows, granted);
    return { allowed: true, reason: 'Allowed', rules, needs: needs.told };
  }
  const isDenied = denied !== 0 && (denied === needs.permissions || (denied & allowed) !== 0);
  return isDenied
    ? { allowed: false, reason: 'Denied', rules: rulesOf(denies, denied), needs: needs.told }
    : { allowed: false, reason: 'NotGranted', rules: NONE, needs: needs.told };
}

const NONE: readonly DecidingRule[] = [];

/** Entries that apply, each list's together with the permissions, of those needed, that it gives. */
interface Applying {
  readonly allows: Found;
  readonly denies: Found;
  allowed: number;
  denied: number;
}

interface Found {
  readonly entries: PolicyEntry[];
  /** Out of how many lists; each one is sorted. */
  lists: number;
}

function applying(
  lists: readonly (readonly PolicyEntry[])[],
  request: AccessRequest,
  needs: Needs,
): Applying {
  const { target } = request;
  const found: Applying = {
    allows: { entries: [], lists: 0 },
    denies: { entries: [], lists: 0 },
    allowed: 0,
    denied: 0,
  };
  const bit = target.kind === 'Credential' ? environmentBit(target.credential.environment) : 0;
  const { permissions: needed, rank } = needs;
  for (const list of lists) {
    const [allows, denies] = [found.allows.entries.length, found.denies.entries.length];
    for (const entry of list) {
      const permissions = entry.permissions & needed;
      if (permissions === 0) continue;
      if (entry.isDeny ? rank < entry.level : rank > entry.level) continue;
      if (!isConcerned(entry, target, bit)) continue;
      if (entry.constrained && !isMet(entry, request)) continue;
      if (entry.isDeny) {
        found.denied |= permissions;
        found.denies.entries.push(entry);
      } else {
        found.allowed |= permissions;
        found.allows.entries.push(entry);
      }
    }
    if (found.allows.entries.length > allows) found.allows.lists += 1;
    if (found.denies.entries.length > denies) found.denies.lists += 1;
  }
  return found;
}

/** As `concerns`, for an entry that was found by its namespace: most need no closer look. */
function isConcerned(entry: PolicyEntry, target: Target, environment: number): boolean {
  if (target.kind !== 'Credential') return concerns(entry.policy, target);
  if ((entry.environments & environment) === 0) return false;
  if (entry.names !== undefined && !entry.names.has(target.credential.name)) return false;
  return !entry.isNarrow || entry.policy.matches(target.credential);
}

function isMet({ policy, isDeny }: PolicyEntry, request: AccessRequest): boolean {
  const verdict = policy.constraint(request);
  // What is not known may be just what a Deny is about.
  return isDeny ? verdict !== 'NotMet' : verdict === 'Met';
}

/** An Allow gives its level and those below, a Deny takes its level and those above. */
export function concernsLevel({ effect, level }: CompiledPolicy, rank: number): boolean {
  return effect === 'Deny' ? rank >= level : level >= rank;
}

/** An Allow must be about all of the target, a Deny about some of it. */
export function concerns(policy: CompiledPolicy, target: Target): boolean {
  switch (target.kind) {
    case 'Credential':
      return policy.matches(target.credential);
    case 'Scope':
      return policy.effect === 'Deny'
        ? policy.overlaps(target.namespace, target.environment)
        : policy.covers(target.namespace, target.environment);
    case 'Unknown':
      return false;
  }
}

/** Whether a Deny takes a permission from a request of this rank. */
export function takes(policy: CompiledPolicy, permission: Permission, rank: number): boolean {
  const from = policy.rank(permission);
  return from !== -1 && rank >= from;
}

export function namespaceOf(target: Target): string {
  return target.kind === 'Credential' ? target.credential.namespace : target.namespace;
}

/** One a policy, sorted by its name: of several subjects that fit, the first is told. */
function rulesOf({ entries, lists }: Found, permissions: number): readonly DecidingRule[] {
  if (lists > 1) entries.sort(byPolicyThenPlace);
  const rules: DecidingRule[] = [];
  let last: CompiledPolicy | undefined;
  for (const entry of entries) {
    const given = entry.permissions & permissions;
    if (given === 0 || entry.policy === last) continue;
    last = entry.policy;
    rules.push(ruleOf(entry, firstIn(given)));
  }
  return rules;
}

function byPolicyThenPlace(a: PolicyEntry, b: PolicyEntry): number {
  if (a.policy === b.policy) return a.place - b.place;
  return a.policy.name < b.policy.name ? -1 : 1;
}
