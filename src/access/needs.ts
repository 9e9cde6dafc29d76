/** What a request needs, as decisions compare it. */
import { atLeast, neededRank } from './levels.ts';
import { permissionSet } from './permission-set.ts';
import type { Action } from './actions.ts';
import type { AccessRequest, Decision } from './request.ts';

export interface Needs {
  /** One of these is enough. */
  readonly permissions: number;
  readonly rank: number;
  readonly told: Decision['needs'];
}

/** By action, and by the level needed; actions are few, and made once. */
const known = new WeakMap<Action, Map<string, Needs>>();

/** The level is the action's, raised where the credential asks for more. */
export function needsOf({ action, target }: Pick<AccessRequest, 'action' | 'target'>): Needs {
  const isRaised = action.raisedByCredential === true && target.kind === 'Credential';
  const level = isRaised
    ? atLeast(action.level, target.credential.minimumAccessLevel)
    : action.level;
  let byLevel = known.get(action);
  if (byLevel === undefined) {
    byLevel = new Map();
    known.set(action, byLevel);
  }
  const present = byLevel.get(level);
  if (present !== undefined) return present;
  const needs: Needs = {
    permissions: permissionSet(action.anyOf),
    rank: neededRank(level),
    told: { anyOf: action.anyOf, level },
  };
  byLevel.set(level, needs);
  return needs;
}
