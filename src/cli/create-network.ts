/** The network controller with what it needs of the world: names, feeds, and the configuration. */
import type { OperatorConfig } from '#cli/operator-config.ts';
import { addressSet } from '#network/cidr/address-set.ts';
import { createNetworkController } from '#network/controller/controller.ts';
import type { NetworkController, NetworkDeps } from '#network/controller/deps.ts';
import { createNameResolver } from '#network/exchange-hosts/name-resolver.ts';
import { systemResolve } from '#network/exchange-hosts/system-resolve.ts';
import { createFeedKeyReader } from '#network/feeds/feed-key.ts';
import { createFeedFetcher } from '#network/feeds/fetcher.ts';
import { createFeedStore } from '#network/feeds/store.ts';
import { systemLookUp } from '#network/feeds/system-look-up.ts';

type Provided = 'names' | 'feeds' | 'feedStore' | 'operator' | 'options';

export function createNetwork(
  { namespace, identity, network }: OperatorConfig,
  deps: Omit<NetworkDeps, Provided>,
): NetworkController {
  const { client, clock, log } = deps;
  const { operatorClients, backends, feedOrigins, ...facts } = network;
  return createNetworkController({
    ...deps,
    operator: { namespace, instance: identity },
    names: ({ ranges, families }) =>
      createNameResolver({ resolve: systemResolve, clock, families, refused: ranges }),
    feeds: ({ ranges }) =>
      createFeedFetcher({
        clock,
        lookUp: systemLookUp,
        readKey: createFeedKeyReader({ client, namespace }),
        allowedOrigins: feedOrigins,
        clusterRanges: ranges,
      }),
    feedStore: createFeedStore({
      client,
      namespace,
      onFault: (feed, fault) => log.warn({ feed, fault }, 'A stored copy of a feed is broken'),
    }),
    options: {
      ...facts,
      operatorClients: addressSet(operatorClients),
      ...(backends === undefined ? {} : { backends }),
    },
  });
}
