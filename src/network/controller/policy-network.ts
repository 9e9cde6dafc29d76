/** What became of the network of a policy, for its status. A pure function of what was found. */
import type { PolicyNetwork, PolicyNetworkGap } from '#access/network-status.ts';
import type { NetworkGapType } from '#api/names.ts';
import type { PolicyGrants } from '../grants/network-grants.ts';
import type { NetworkGap } from '../network-gap.ts';
import { accountSetName, isOfSet } from '../compiler/our-policy.ts';
import type { NamespaceOutcome } from './namespace-work.ts';

/** Worth knowing, and nothing that somebody could mend. */
const INFORMATION: readonly NetworkGapType[] = ['NameByAddress', 'NoPods', 'DnsClosed'];

export function policyNetwork(
  name: string,
  { grants, gaps }: PolicyGrants,
  outcomes: ReadonlyMap<string, NamespaceOutcome>,
  missing: readonly string[],
): PolicyNetwork {
  const namespaces = [...new Set(grants.map(({ namespace }) => namespace))];
  const looked = namespaces.flatMap((namespace) => outcomes.get(namespace) ?? []);
  const accounts = new Set(
    grants.map(({ namespace, grant }) => `${namespace}/${grant.serviceAccount}`),
  );
  const isOfPolicy = ({
    serviceAccount,
    namespace,
  }: {
    serviceAccount: string;
    namespace: string;
  }) => accounts.has(`${namespace}/${serviceAccount}`);
  const isApplied =
    missing.length === 0 &&
    namespaces.length > 0 &&
    looked.length === namespaces.length &&
    // What was compiled before this policy came says nothing of it.
    looked.every((one) => one.isApplied && one.grants.some(({ policy }) => policy.name === name));
  return {
    pods: looked.flatMap(({ pods }) => pods).filter(isOfPolicy).length,
    policies: grants.reduce((sum, { namespace, grant }) => {
      const set = accountSetName(grant.serviceAccount);
      const { wanted = [] } = outcomes.get(namespace) ?? {};
      return sum + wanted.filter((policy) => isOfSet(policy, set)).length;
    }, 0),
    isApplied,
    gaps: [
      ...gaps,
      ...looked.flatMap((one) =>
        one.gaps.filter(({ accessPolicies }) => accessPolicies?.includes(name) === true),
      ),
      ...looked.flatMap(({ failure }) =>
        failure === undefined ? [] : [{ type: 'ReconcileFailed', message: failure }],
      ),
      ...missing.map((what) => ({ type: 'FactsMissing', message: `Not known yet: ${what}` })),
    ].map(told),
  };
}

function told(gap: NetworkGap | { type: string; message: string }): PolicyNetworkGap {
  const { accessPolicies: _policies, ...kept } = gap as NetworkGap;
  return {
    ...kept,
    ...(INFORMATION.includes(kept.type) && { isInformation: true }),
  };
}
