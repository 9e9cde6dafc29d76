/**
 * Pods that were there before the credential: made when its Secret was nobody's, so that no one was
 * asked whether they may use it. The value is kept from them by not being delivered at all.
 */
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import type { Pod } from '#kube/objects.ts';
import { isLive } from './consumers.ts';

/** What admission says of pods; only there where it is switched on. */
export interface PodRights {
  /** Names of all Secrets that a pod uses, in whatever way. */
  secretsOf(pod: Pod): readonly string[];
  /** Whether pods of the account may ever mount the credential: constraints count as met. */
  mayMount(credential: ExchangeCredential, account: string): boolean;
}

/** A live pod that uses the Secret under a ServiceAccount that may not mount the credential. */
export interface PodWithoutRight {
  readonly name: string;
  readonly uid: string;
  readonly account: string;
}

/** `pods` are those that use the Secret. Sorted by name. */
export function findPodsWithoutRight(
  pods: readonly Pod[],
  credential: ExchangeCredential,
  rights: Pick<PodRights, 'mayMount'>,
): readonly PodWithoutRight[] {
  const answers = new Map<string, boolean>();
  const may = (account: string): boolean => {
    const answer = answers.get(account) ?? rights.mayMount(credential, account);
    answers.set(account, answer);
    return answer;
  };
  return pods
    .filter(isLive)
    .map(({ metadata, spec }): PodWithoutRight => ({
      name: metadata.name,
      uid: metadata.uid ?? '',
      account: spec?.serviceAccountName || 'default',
    }))
    .filter(({ account }) => !may(account))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

const MAX_NAMED = 5;

/** What to do about it, for the condition and its Event. */
export function withheldMessage(secret: string, pods: readonly PodWithoutRight[]): string {
  const named = pods
    .slice(0, MAX_NAMED)
    .map(({ name, account }) => `${name} (ServiceAccount ${account})`)
    .join(', ');
  const more = pods.length > MAX_NAMED ? ` and ${pods.length - MAX_NAMED} more` : '';
  const [use, were] = pods.length === 1 ? ['pod uses', 'it was'] : ['pods use', 'they were'];
  return `Secret ${secret} is not delivered: ${pods.length} ${use} that name without the right to mount it, which was not asked when ${were} made: ${named}${more}. Delete what makes them, choose another name in spec.delivery.secret.name, or let the ServiceAccount mount the credential by an AccessPolicy; delivery goes on by itself then.`;
}
