/** How the commands that ask about access print. */
import type { Subject } from '#api/access-policy.ts';
import { describeSubject } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import type { DecidingRule } from '#access/request.ts';
import type { Action } from '#access/actions.ts';
import type { AccessChange } from '#cli/access-change.ts';
import type { Circumstances } from '#cli/access-options.ts';
import { table, visible } from '#cli/output.ts';

export { conditionText } from '#access/judge.ts';

/** What was asked, as JSON output repeats it. Part of the contract of each command's JSON. */
export interface AskedJson {
  readonly action?: string;
  readonly needs?: { readonly anyOf: readonly string[]; readonly level: string };
  /** `*`: every one. */
  readonly namespace: string;
  /** Absent: everything in the namespace. */
  readonly credential?: string;
  readonly environment?: string;
  /** RFC 3339. */
  readonly at: string;
  readonly sourceAddress?: string;
  readonly country?: string;
}

export function askedJson(
  action: Action | undefined,
  what: { readonly namespace: string; readonly credential?: string; readonly environment?: string },
  { atMs, ...from }: Circumstances,
): AskedJson {
  return {
    ...(action === undefined
      ? {}
      : { action: action.name, needs: { anyOf: action.anyOf, level: action.level } }),
    ...what,
    at: new Date(atMs).toISOString(),
    ...from,
  };
}

/** `permissions AccessSecrets` for a decision that does not depend on which one. */
export function needsText(needs: {
  readonly anyOf: readonly string[];
  readonly level: string;
}): string {
  const { anyOf, level } = needs;
  return `${anyOf.length > 4 ? 'any permission' : anyOf.join(' or ')} at ${level}`;
}

export function targetText(namespace: string, name: string | undefined): string {
  if (name !== undefined && name !== '*') return `${namespace}/${name}`;
  return namespace === '*' ? 'everything in every namespace' : `everything in ${namespace}`;
}

export function identityText(identity: Identity): string {
  const username = visible(identity.username);
  const groups = identity.groups.map(visible);
  const named = groups.length === 0 ? '' : `, in ${groups.join(', ')}`;
  if (username === '') return `anybody in ${groups.join(', ')}`;
  return `${username}${named}`;
}

export function subjectText(subject: Subject): string {
  return describeSubject(subject);
}

/** `AccessPolicy desk gives AccessSecrets at Write to Group desk-mm (permissions)` */
export function ruleText(rule: DecidingRule): string {
  const verb = rule.effect === 'Deny' ? 'denies' : 'gives';
  const from = rule.effect === 'Deny' ? 'from' : 'at';
  return `AccessPolicy ${rule.policy} ${verb} ${rule.permission} ${from} ${rule.level} to ${visible(describeSubject(rule.subject))} (${rule.grantedBy})`;
}

export function changesText(changes: readonly AccessChange[]): string {
  if (changes.length === 0) return 'Would change: nothing of what is asked about';
  // One line for the actions that change alike.
  const rows = new Map<string, { first: AccessChange; actions: string[] }>();
  for (const change of changes) {
    const { subject, credential, before, after } = change;
    const key = JSON.stringify([subject, credential, before, after]);
    const row = rows.get(key) ?? { first: change, actions: [] };
    row.actions.push(change.action);
    rows.set(key, row);
  }
  return `Would change:\n${table(
    ['CHANGE', 'SUBJECT', 'CREDENTIAL', 'BEFORE', 'AFTER', 'ACTIONS'],
    [...rows.values()].map(({ first, actions }) => [
      first.change,
      describeSubject(first.subject),
      `${first.credential.namespace}/${first.credential.name}`,
      first.before,
      first.after,
      actions.join(', '),
    ]),
  )}`;
}

export function notesText(notes: readonly string[]): string {
  return notes.map((note) => `Note: ${visible(note)}`).join('\n');
}

/** Sections that hold something, with an empty line between them. */
export function sections(...texts: readonly (string | undefined)[]): string {
  return texts.filter((text) => text !== undefined && text !== '').join('\n\n');
}
