/** What one client, or many together, can take of the webhook's server. */
export interface ServerLimits {
  /** Largest body of a review. */
  readonly bodyBytes: number;
  /** All bodies that are being received, together; small ones pass even beyond it. */
  readonly bufferedBytes: number;
  /** Reviews that are being decided at the same time; more are turned away with 503. */
  readonly inFlight: number;
  readonly connections: number;
  /** From the connection to the end of the TLS handshake. */
  readonly handshakeMs: number;
  /** From the handshake, or the last request, to the end of the headers. */
  readonly headersMs: number;
  /** The same to the end of the body. */
  readonly requestMs: number;
  /** How long a connection may lie idle between requests. */
  readonly keepAliveMs: number;
  /** After the stop is asked for, still serving while traffic goes elsewhere. */
  readonly lameDuckMs: number;
  /** After that, for what is under way. */
  readonly drainMs: number;
}

export const SERVER_LIMITS: ServerLimits = {
  bodyBytes: 8 * 1024 * 1024,
  bufferedBytes: 64 * 1024 * 1024,
  inFlight: 256,
  connections: 1000,
  handshakeMs: 5_000,
  headersMs: 5_000,
  requestMs: 15_000,
  // The API server drops idle connections after 90 s. Whoever closes first can cross a request of
  // the other on the way, and a POST is not repeated.
  keepAliveMs: 120_000,
  lameDuckMs: 2_000,
  drainMs: 10_000,
};

/** Bodies up to this size are received even when the sum is used up. */
export const SMALL_BODY_BYTES: number = 64 * 1024;
