/**
 * Where the exchanges' programming interfaces are reached: REST, WebSocket and, for dYdX, nodes.
 * Names are those of the exchanges' own documentation; the page stands beside each. Websites, FIX
 * and colocation are not in it, nor what is handed out to single customers: those go into
 * `egress.to`.
 */
import type { Exchange } from '#api/exchanges.ts';
import { EXCHANGES } from '#api/exchanges.ts';

interface Hosts {
  readonly production: readonly string[];
  /** Testnets, sandboxes and demo trading; they share no host with production. */
  readonly testnet: readonly string[];
}

const HOSTS: Readonly<Record<Exchange, Hosts>> = {
  // https://hyperliquid.gitbook.io/hyperliquid-docs/for-developers/api (also …/api/websocket).
  Hyperliquid: {
    production: ['api.hyperliquid.xyz'],
    testnet: ['api.hyperliquid-testnet.xyz'],
  },
  // https://github.com/phemex/phemex-api-docs, Public-Contract-API-en.md, "REST API Standards";
  // vapi is the high-rate entrance.
  Phemex: {
    production: ['api.phemex.com', 'vapi.phemex.com', 'ws.phemex.com'],
    testnet: ['testnet-api.phemex.com'],
  },
  // https://github.com/binance/binance-spot-api-docs (rest-api.md, web-socket-api.md,
  // web-socket-streams.md, faqs/market_data_only.md, demo-mode) and
  // https://developers.binance.com/docs (derivatives, general info of each product).
  Binance: {
    production: [
      'api.binance.com',
      'api-gcp.binance.com',
      'api1.binance.com',
      'api2.binance.com',
      'api3.binance.com',
      'api4.binance.com',
      'ws-api.binance.com',
      'stream.binance.com',
      'data-api.binance.vision',
      'data-stream.binance.vision',
      'fapi.binance.com',
      'ws-fapi.binance.com',
      'fstream.binance.com',
      'dapi.binance.com',
      'ws-dapi.binance.com',
      'dstream.binance.com',
      'eapi.binance.com',
      'nbstream.binance.com',
      'papi.binance.com',
    ],
    testnet: [
      'testnet.binance.vision',
      'ws-api.testnet.binance.vision',
      'stream.testnet.binance.vision',
      'testnet.binancefuture.com',
      'stream.binancefuture.com',
      'dstream.binancefuture.com',
      'demo-api.binance.com',
      'demo-ws-api.binance.com',
      'demo-stream.binance.com',
      'demo-fapi.binance.com',
      'demo-fstream.binance.com',
      'demo-dapi.binance.com',
    ],
  },
  // https://bybit-exchange.github.io/docs/v5/guide and …/v5/ws/connect; of the regional companies
  // the European one alone. Demo trading takes its public data from production.
  Bybit: {
    production: [
      'api.bybit.com',
      'api.bytick.com',
      'stream.bybit.com',
      'api.bybit.eu',
      'stream.bybit.eu',
    ],
    testnet: [
      'api-testnet.bybit.com',
      'stream-testnet.bybit.com',
      'api-demo.bybit.com',
      'stream-demo.bybit.com',
    ],
  },
  // https://www.okx.com/docs-v5/en/#overview-production-trading-services and …-demo-trading-services;
  // us and eea are for accounts of those regions. Demo trading shares the REST hosts with
  // production (a header tells them apart), so that only its WebSockets are of the testnet.
  OKX: {
    production: [
      'www.okx.com',
      'openapi.okx.com',
      'ws.okx.com',
      'us.okx.com',
      'wsus.okx.com',
      'eea.okx.com',
      'wseea.okx.com',
    ],
    testnet: ['wspap.okx.com', 'wsuspap.okx.com', 'wseeapap.okx.com'],
  },
  // https://docs.kraken.com/exchange/api-reference/spot-websocket and …/futures-websocket. Spot has
  // no testnet; the beta hosts trade for real.
  Kraken: {
    production: [
      'api.kraken.com',
      'ws.kraken.com',
      'ws-auth.kraken.com',
      'ws-l3.kraken.com',
      'beta-ws.kraken.com',
      'beta-ws-auth.kraken.com',
      'futures.kraken.com',
    ],
    testnet: ['demo-futures.kraken.com'],
  },
  // https://docs.cdp.coinbase.com/coinbase-business/advanced-trade-apis (rest-api, websocket,
  // sandbox): Advanced Trade, not the Exchange, Prime or International products.
  Coinbase: {
    production: [
      'api.coinbase.com',
      'advanced-trade-ws.coinbase.com',
      'advanced-trade-ws-user.coinbase.com',
    ],
    testnet: ['api-sandbox.coinbase.com'],
  },
  // https://docs.deribit.com/articles/deribit-quickstart: WebSocket and HTTP on one host.
  Deribit: {
    production: ['www.deribit.com'],
    testnet: ['test.deribit.com'],
  },
  // https://www.gate.com/docs/developers/apiv4/en/ and …/futures/ws/en/, …/options/ws/en/.
  Gate: {
    production: [
      'api.gateio.ws',
      'fx-api.gateio.ws',
      'fx-ws.gateio.ws',
      'op-ws.gateio.live',
      'ws.gate.com',
    ],
    testnet: [
      'api-testnet.gateapi.io',
      'fx-api-testnet.gateio.ws',
      'fx-ws-testnet.gateio.ws',
      'op-ws-testnet.gateio.live',
      'ws-testnet.gate.com',
    ],
  },
  // https://www.kucoin.com/docs-new/introduction, "Base URL" and "WebSocket": the classic push
  // servers (ws-api-*), the newer ones (x-push-*, wsapi-push) and order entry (wsapi). The sandbox
  // was closed.
  KuCoin: {
    production: [
      'api.kucoin.com',
      'api-futures.kucoin.com',
      'ws-api-spot.kucoin.com',
      'ws-api-futures.kucoin.com',
      'x-push-spot.kucoin.com',
      'x-push-futures.kucoin.com',
      'wsapi.kucoin.com',
      'wsapi-push.kucoin.com',
    ],
    testnet: [],
  },
  // https://docs.dydx.xyz/interaction/endpoints and https://docs.dydx.xyz/nodes/resources: the
  // indexer and the nodes that the documentation puts first. Anyone runs nodes; others go into
  // `egress.to`.
  dYdX: {
    production: [
      'indexer.dydx.trade',
      'oegs.dydx.trade',
      'dydx-ops-grpc.kingnodes.com',
      'dydx-ops-rpc.kingnodes.com',
      'dydx-ops-rest.kingnodes.com',
    ],
    testnet: [
      'indexer.v4testnet.dydx.exchange',
      'oegs-testnet.dydx.exchange',
      'test-dydx-grpc.kingnodes.com',
      'test-dydx-rpc.kingnodes.com',
      'test-dydx-rest.kingnodes.com',
    ],
  },
  // Whatever it is, Strongroom does not know its hosts.
  Other: { production: [], testnet: [] },
};

function column(which: keyof Hosts): Readonly<Record<Exchange, readonly string[]>> {
  return Object.fromEntries(
    EXCHANGES.map((exchange) => [exchange, HOSTS[exchange][which]]),
  ) as Record<Exchange, readonly string[]>;
}

/** Hosts of the exchanges' production interfaces; empty for `Other`. */
export const EXCHANGE_HOSTS: Readonly<Record<Exchange, readonly string[]>> = column('production');

/** Hosts of their testnets, sandboxes and demo trading; empty where there is none. */
export const EXCHANGE_TESTNET_HOSTS: Readonly<Record<Exchange, readonly string[]>> =
  column('testnet');
