import type { HostGrant } from '../backends/cilium-fqdn.ts';
import { accountSetName, isOfSet } from '../compiler/our-policy.ts';
import { EXCHANGE_PORT } from '../grants/exchange-access.ts';
import type { GrantBook } from './grant-book.ts';
import type { NamespaceOutcome } from './namespace-work.ts';

/** What is opened by name, for the same pods that NetworkPolicies select for the account. */
export function hostGrants(
  outcomes: ReadonlyMap<string, NamespaceOutcome>,
  book: Pick<GrantBook, 'hostsIn'>,
): readonly HostGrant[] {
  return [...outcomes]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .flatMap(([namespace, { wanted }]) =>
      [...book.hostsIn(namespace)].flatMap(([account, hosts]) => {
        const set = accountSetName(account);
        const podLabels = wanted.find((policy) => isOfSet(policy, set))?.spec?.podSelector
          ?.matchLabels;
        return podLabels === undefined
          ? []
          : [{ namespace, podLabels, hosts, ports: [{ port: EXCHANGE_PORT, protocol: 'TCP' }] }];
      }),
    );
}
