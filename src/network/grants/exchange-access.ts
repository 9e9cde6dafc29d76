/** What of the exchanges is opened: by host name, which becomes the addresses that it has now. */
import type { Environment } from '#api/exchange-credential.ts';
import type { Exchange } from '#api/exchanges.ts';
import { addressSet, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { ClusterFacts } from '../cluster-facts.ts';
import { EXCHANGE_HOSTS, EXCHANGE_TESTNET_HOSTS } from '../exchange-hosts/exchange-hosts.ts';
import type { NetworkGap } from '../network-gap.ts';

export interface HostAddresses {
  readonly addresses: AddressSet;
  /** `Stale`: they are those of the last answer, and the grace time is running. */
  readonly state: 'Fresh' | 'Stale' | 'Unresolved';
}

export interface ExchangeAccess {
  readonly addresses: AddressSet;
  readonly gaps: readonly NetworkGap[];
}

/** All of them serve HTTPS and WebSockets on this port. */
export const EXCHANGE_PORT = 443;

const MAX_LISTED = 5;

/** No exchange is there, whatever a name server says: metadata of clouds, the node, everybody. */
const NOBODYS: AddressSet = addressSet([
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '224.0.0.0/3',
  '::/127',
  'fe80::/10',
  'ff00::/8',
]);

/**
 * Hosts of an exchange that pods of these environments need. Those of testnets only beside an
 * environment that is not Production; those of production always, since testnets take market data
 * from there, and some share their hosts with it.
 */
export function hostsOfExchange(
  exchange: Exchange,
  environments: readonly Environment[],
): readonly string[] {
  const isTest = environments.some((environment) => environment !== 'Production');
  // An exchange of a newer version is not in the tables.
  const production = EXCHANGE_HOSTS[exchange] ?? [];
  return isTest ? [...production, ...(EXCHANGE_TESTNET_HOSTS[exchange] ?? [])] : production;
}

export function exchangeAccess(
  exchanges: readonly Exchange[],
  environments: readonly Environment[],
  facts: ClusterFacts,
  addressesOf: (host: string) => HostAddresses,
): ExchangeAccess {
  if (exchanges.length === 0) return { addresses: unionOf([]), gaps: [] };
  const outsideOf = outsideFor(facts);
  const opened: AddressSet[] = [];
  const gaps: NetworkGap[] = [
    {
      type: 'NameByAddress',
      direction: 'Egress',
      message: `${exchanges.join(', ')}: opened by the addresses that the host names have now; whoever shares them is reachable too, and new ones open when they are resolved`,
    },
  ];
  for (const exchange of exchanges) {
    const found = hostsOfExchange(exchange, environments).map((host) => {
      const { addresses, state } = addressesOf(host);
      const outside = outsideOf(addresses);
      return { host, addresses: outside, state, isInside: outside.isEmpty && !addresses.isEmpty };
    });
    opened.push(...found.map(({ addresses }) => addresses));
    const say = (
      type: 'NameUnresolved' | 'NameStale',
      hosts: readonly { readonly host: string }[],
      what: string,
    ): void => {
      if (hosts.length === 0) return;
      const names = listSome(hosts.map(({ host }) => host));
      const message = `${exchange}: ${hosts.length} of ${found.length} host names ${what}: ${names}`;
      gaps.push({ type, direction: 'Egress', message });
    };
    say(
      'NameUnresolved',
      found.filter(({ state }) => state === 'Unresolved'),
      'could not be resolved (yet), so that they are not open',
    );
    say(
      'NameUnresolved',
      found.filter(({ isInside }) => isInside),
      'resolve to addresses of the cluster itself or of nobody, which are not opened; name them in spec.network.egress.to if they are right',
    );
    say(
      'NameStale',
      found.filter(({ state, isInside }) => state === 'Stale' && !isInside),
      'could not be resolved lately; the addresses known last stay open for a grace time',
    );
  }
  return { addresses: unionOf(opened), gaps };
}

type Outside = (addresses: AddressSet) => AddressSet;
const made = new WeakMap<ClusterFacts, Outside>();

/**
 * Takes the cluster's own ranges out of addresses. Private ones beside them are left in: that is
 * where private links lead. Many policies ask for the same hosts, whose sets are kept.
 */
function outsideFor(facts: ClusterFacts): Outside {
  const present = made.get(facts);
  if (present !== undefined) return present;
  const { podRanges, serviceRanges, nodeAddresses, apiServer } = facts;
  const never = unionOf([NOBODYS, podRanges, serviceRanges, nodeAddresses, apiServer.addresses]);
  const known = new WeakMap<AddressSet, AddressSet>();
  const outside: Outside = (addresses) => {
    const found = known.get(addresses) ?? addresses.minus(never);
    known.set(addresses, found);
    return found;
  };
  made.set(facts, outside);
  return outside;
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, MAX_LISTED).join(', ');
  return names.length > MAX_LISTED ? `${shown} and ${names.length - MAX_LISTED} more` : shown;
}
