/** The one evaluator: everything that ever asks who may do what asks here. */
import type { Permission } from '#api/roles.ts';
import type { CompiledPolicy, PolicyEntry } from './compile.ts';
import { SYSTEM_MASTERS } from './identity.ts';
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
export function decide(index: PolicyIndex, request: AccessRequest): Decision {
  const { identity, target } = request;
  const needs = needsOf(request);
  if (identity.groups.includes(SYSTEM_MASTERS)) {
    return { allowed: true, reason: 'SystemMasters', rules: NONE, needs: needs.told };
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
  const found: Applying = {
    allows: { entries: [], lists: 0 },
    denies: { entries: [], lists: 0 },
    allowed: 0,
    denied: 0,
  };
  for (const list of lists) {
    const [allows, denies] = [found.allows.entries.length, found.denies.entries.length];
    for (const entry of list) {
      const { policy } = entry;
      const permissions = policy.permissions & needs.permissions;
      if (permissions === 0 || !applies(policy, request, needs)) continue;
      if (policy.effect === 'Deny') {
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

/** Whether a policy about the subject, and a permission of the request, applies to it. */
function applies(policy: CompiledPolicy, request: AccessRequest, { rank }: Needs): boolean {
  if (!concernsLevel(policy, rank) || !concerns(policy, request.target)) return false;
  if (!policy.constrained) return true;
  const verdict = policy.constraint(request);
  // What is not known may be just what a Deny is about.
  return policy.effect === 'Deny' ? verdict !== 'NotMet' : verdict === 'Met';
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
    const { policy } = entry;
    const given = policy.permissions & permissions;
    if (given === 0 || policy === last) continue;
    last = policy;
    rules.push(entry.rule(firstIn(given)));
  }
  return rules;
}

function byPolicyThenPlace(a: PolicyEntry, b: PolicyEntry): number {
  if (a.policy === b.policy) return a.place - b.place;
  return a.policy.name < b.policy.name ? -1 : 1;
}
