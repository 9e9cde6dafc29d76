/** Who asks, as the API server verified it. */
import type { Subject } from '#api/access-policy.ts';

export interface Identity {
  readonly username: string;
  readonly groups: readonly string[];
}

/** Its members are above every policy: nothing inside of a cluster can hold them back. */
export const SYSTEM_MASTERS = 'system:masters';

const ANONYMOUS = 'system:anonymous';
const UNAUTHENTICATED = 'system:unauthenticated';

/** Whether nobody has said who this is; no policy gives anything to such a one. */
export function isAnonymous({ username, groups }: Identity): boolean {
  return username === ANONYMOUS || groups.includes(UNAUTHENTICATED);
}

const SERVICE_ACCOUNT_PREFIX = 'system:serviceaccount:';

/** Whether it is no person's: everything that begins so is a ServiceAccount's to the API server. */
export function isAccountName(username: string): boolean {
  return username.startsWith(SERVICE_ACCOUNT_PREFIX);
}

/** The identity that a ServiceAccount's token authenticates as. */
export function serviceAccountIdentity(namespace: string, name: string): Identity {
  return {
    username: serviceAccountUsername(namespace, name),
    groups: [
      'system:serviceaccounts',
      `system:serviceaccounts:${namespace}`,
      'system:authenticated',
    ],
  };
}

export function serviceAccountUsername(namespace: string, name: string): string {
  return `${SERVICE_ACCOUNT_PREFIX}${namespace}:${name}`;
}

/** Of a username that is a ServiceAccount's; undefined for others. */
export function parseServiceAccount(
  username: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (!username.startsWith(SERVICE_ACCOUNT_PREFIX)) return undefined;
  const [namespace, name, ...rest] = username.slice(SERVICE_ACCOUNT_PREFIX.length).split(':');
  if (!namespace || !name || rest.length > 0) return undefined;
  return { namespace, name };
}

/** What is known of a subject by its name alone: of a group, that somebody is in it. */
export function identityOf({ kind, name, namespace = '' }: Subject): Identity {
  if (kind === 'ServiceAccount') return serviceAccountIdentity(namespace, name);
  const groups = ['system:authenticated'];
  return kind === 'Group'
    ? { username: '', groups: [name, ...groups] }
    : { username: name, groups };
}

/** `User alice`, `Group desk-mm`, `ServiceAccount trading/maker`: how a subject is told to people. */
export function describeSubject({ kind, name, namespace }: Subject): string {
  return kind === 'ServiceAccount' ? `${kind} ${namespace ?? ''}/${name}` : `${kind} ${name}`;
}
