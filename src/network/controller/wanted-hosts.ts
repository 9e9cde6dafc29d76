/** Which host names of exchanges are looked up: those that policies open, and those traded on. */
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { EXCHANGES } from '#api/exchanges.ts';
import { EMPTY_SET, unionOf } from '../cidr/address-set.ts';
import type { AddressSet } from '../cidr/address-set.ts';
import type { NameResolver } from '../exchange-hosts/name-resolver.ts';
import { hostsOfExchange } from '../grants/exchange-access.ts';

export interface WantedHosts {
  /** What all of them have now: whoever trades must not be cut off by a block. */
  addresses(): AddressSet;
  /** Those that policies open. */
  open(hosts: readonly string[]): void;
  /** Credentials changed. */
  recheck(): void;
}

export function createWantedHosts(
  names: NameResolver,
  credentials: { list(): readonly ExchangeCredential[] },
): WantedHosts {
  let opened: readonly string[] = [];
  let wanted: readonly string[] = [];
  let traded: ReadonlySet<string> = new Set();

  function want(): void {
    const hosts = [...traded].flatMap((key) => {
      const [name, environment] = key.split('/');
      const exchange = EXCHANGES.find((one) => one === name);
      return exchange === undefined
        ? []
        : hostsOfExchange(exchange, environment === 'Production' ? ['Production'] : ['Staging']);
    });
    const next = [...new Set([...opened, ...hosts])].sort();
    if (next.join() === wanted.join()) return;
    wanted = next;
    names.want(wanted);
  }

  return {
    addresses: () =>
      wanted.length === 0
        ? EMPTY_SET
        : unionOf(wanted.map((host) => names.addressesOf(host).addresses)),
    open(hosts) {
      opened = hosts;
      want();
    },
    recheck() {
      traded = new Set(
        credentials
          .list()
          .flatMap(({ spec }) =>
            spec.exchange === undefined ? [] : [`${spec.exchange}/${spec.environment}`],
          ),
      );
      want();
    },
  };
}
