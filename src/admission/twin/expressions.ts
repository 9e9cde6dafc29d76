/** Pieces of CEL that the policies are put together from. */
import { SYSTEM_MASTERS } from '#access/identity.ts';
import { MAX_GROUPS, PLAIN_WORD, QUOTABLE_WORD } from '../explain-command.ts';
import { ANYONE } from './compile-access.ts';

/** A string of CEL: its escapes are those of JSON. */
export function text(value: string): string {
  return JSON.stringify(value);
}

export function listOf(values: readonly string[]): string {
  return `[${values.map(text).join(', ')}]`;
}

/** `a && b`, each in its own parentheses. */
export function all(...parts: readonly string[]): string {
  return parts.map((part) => `(${part})`).join(' && ');
}

export function any(...parts: readonly string[]): string {
  return parts.map((part) => `(${part})`).join(' || ');
}

export const USERNAME = 'request.userInfo.username';
export const GROUPS = 'request.userInfo.?groups.orValue([])';

export const IS_MASTER: string = `${text(SYSTEM_MASTERS)} in ${GROUPS}`;

/** A kubelet: the NodeRestriction plugin says what it may do to pods, and so does its authorizer. */
export const IS_KUBELET: string = all(
  `${USERNAME}.startsWith("system:node:")`,
  `"system:nodes" in ${GROUPS}`,
);

export function isUser(...usernames: readonly string[]): string {
  return `${USERNAME} in ${listOf(usernames)}`;
}

/** What a rule is asked by: a list of the keys of an identity, as compile-access.ts writes them. */
export const REQUESTER_KEYS: string = `${any(
  `${USERNAME} == "system:anonymous"`,
  `"system:unauthenticated" in ${GROUPS}`,
)} ? [] : ["User:" + ${USERNAME}, ${text(ANYONE)}] + ${GROUPS}.map(group, "Group:" + group)`;

/** The same of a ServiceAccount of the request's namespace. */
export function accountKeys(account: string): string {
  return `[${[
    `"User:system:serviceaccount:" + request.namespace + ":" + ${account}`,
    text(ANYONE),
    text('Group:system:serviceaccounts'),
    '"Group:system:serviceaccounts:" + request.namespace',
    text('Group:system:authenticated'),
  ].join(', ')}]`;
}

/** Whether a rule does not surely say no: what hangs on times and addresses is the webhook's part. */
export function mayPass(keys: string, subjects: string): string {
  return all(
    `${keys}.exists(key, key in ${subjects})`,
    `${keys}.all(key, !(key in ${subjects}) || ${subjects}[key] != "Deny")`,
  );
}

/** A word as a shell takes it; one that no quotes make harmless is left for the reader to write. */
function shellWord(word: string): string {
  return `${word}.matches(${text(PLAIN_WORD.source)}) ? ${word} : ${word}.matches(${text(QUOTABLE_WORD.source)}) ? "'" + ${word} + "'" : "…"`;
}

/** The options by which the command line asks about the requester. */
export const AS_REQUESTER: string = (() => {
  const groups = `${GROUPS}.filter(group, !group.startsWith("system:"))`;
  const listed = `" --as-group " + ${groups}.map(group, ${shellWord('group')}).join(" ")`;
  return `"--as " + (${shellWord(USERNAME)}) + (${groups}.size() == 0 ? "" : ${groups}.size() > ${MAX_GROUPS} ? " --as-group …" : ${listed})`;
})();

/** The first few of a list of names, as text. */
export function listed(names: string): string {
  return `${names}.size() <= ${MAX_LISTED} ? ${names}.join(", ") : ${names}[0] + ", " + ${names}[1] + ", " + ${names}[2] + " and " + string(${names}.size() - 3) + " more"`;
}

const MAX_LISTED = 4;
