/**
 * Whether two subjects can be the same person. A cluster does not know who is in which group: that
 * is told with each request, by whoever authenticated it. Only of ServiceAccounts the groups are
 * known, since their tokens carry these and no others.
 */
import type { Subject } from '#api/access-policy.ts';
import { parseServiceAccount, serviceAccountIdentity } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';

const ALL_SERVICE_ACCOUNTS = 'system:serviceaccounts';

/** False only where it is certain; whoever withholds a right asks this. */
export function mayBeSamePerson(one: Subject, other: Subject): boolean {
  const account = serviceAccountOf(one);
  if (account !== undefined) return isNamed(account, other);
  const otherAccount = serviceAccountOf(other);
  if (otherAccount !== undefined) return isNamed(otherAccount, one);
  if (one.kind === 'User' && other.kind === 'User') return one.name === other.name;
  if (one.kind === 'Group' && other.kind === 'Group') return mayShareMember(one.name, other.name);
  const group = one.kind === 'Group' ? one.name : other.name;
  return !isOfServiceAccounts(group);
}

function mayShareMember(one: string, other: string): boolean {
  if (one === other) return true;
  const [first, second] = [isOfServiceAccounts(one), isOfServiceAccounts(other)];
  if (first && second) return one === ALL_SERVICE_ACCOUNTS || other === ALL_SERVICE_ACCOUNTS;
  if (!first && !second) return true;
  // One holds nothing but ServiceAccounts, and these are in no group but the built-in ones.
  return (first ? other : one) === 'system:authenticated';
}

function isNamed({ username, groups }: Identity, subject: Subject): boolean {
  if (subject.kind === 'Group') return groups.includes(subject.name);
  return serviceAccountOf(subject)?.username === username;
}

function serviceAccountOf({ kind, name, namespace = '' }: Subject): Identity | undefined {
  if (kind === 'Group') return undefined;
  if (kind === 'ServiceAccount') return serviceAccountIdentity(namespace, name);
  const parsed = parseServiceAccount(name);
  return parsed === undefined ? undefined : serviceAccountIdentity(parsed.namespace, parsed.name);
}

function isOfServiceAccounts(group: string): boolean {
  return group === ALL_SERVICE_ACCOUNTS || group.startsWith(`${ALL_SERVICE_ACCOUNTS}:`);
}
