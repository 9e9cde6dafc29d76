/**
 * The command that says what somebody lacks. Who was refused may seldom run it, since it reads the
 * AccessPolicies: so it is written out for whoever they ask.
 */
import type { Identity } from '#access/identity.ts';
import { parseServiceAccount } from '#access/identity.ts';

/** What a shell takes as it stands. */
export const PLAIN_WORD: RegExp = /^[A-Za-z0-9_@.:/+=,-]+$/;
/** What single quotes make harmless. */
export const QUOTABLE_WORD: RegExp = /^[^'\n\r]+$/;

/** As many groups as a line still shows. */
export const MAX_GROUPS = 8;

/** `whoever may read those sees what is missing with: strongroom explain mount maker -n trading --as bob` */
export function explainHint(
  credential: { readonly namespace: string; readonly name: string },
  identity: Identity,
): string {
  return `whoever may read those sees what is missing with: strongroom explain mount ${credential.name} -n ${credential.namespace} ${asOptions(identity)}`;
}

function asOptions({ username, groups }: Identity): string {
  const account = parseServiceAccount(username);
  if (account !== undefined) return `--as-service-account ${account.namespace}/${account.name}`;
  const own = groups.filter((group) => !group.startsWith('system:'));
  const as = `--as ${shellWord(username)}`;
  if (own.length === 0) return as;
  return own.length > MAX_GROUPS
    ? `${as} --as-group …`
    : `${as} --as-group ${own.map(shellWord).join(' ')}`;
}

/** One that no quotes make harmless is left for the reader to write. */
function shellWord(word: string): string {
  if (PLAIN_WORD.test(word)) return word;
  return QUOTABLE_WORD.test(word) ? `'${word}'` : '…';
}
