/**
 * Where a feed may be fetched from. Whoever writes an IPBlock chooses a URL that the operator asks,
 * from inside the cluster: without these rules he could ask the metadata service of the cloud, the
 * API server, or any Service, by the operator's hand (server-side request forgery).
 */
import { isIP } from 'node:net';
import type { AddressSet } from '../cidr/address-set.ts';
import { isPublicAddress } from '../cidr/public-address.ts';
import { FeedError } from './feed-error.ts';

/** All addresses of a host, in the order to try them; rejects where there are none. */
export type LookUp = (host: string, signal: AbortSignal) => Promise<readonly string[]>;

export interface DestinationRules {
  /**
   * Of the operator: `https://lists.example` or `http://crowdsec.crowdsec.svc:8080`. They may be
   * inside the cluster and without TLS.
   */
  readonly allowedOrigins: readonly string[];
  /** Pods, Services, nodes, API server: public or not, never asked. */
  readonly clusterRanges: () => AddressSet;
  readonly lookUp: LookUp;
}

/** What is wrong with a URL before anything is looked up. @throws FeedError */
export function parseFeedUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== 'https:' && url.protocol !== 'http:')) {
    throw new FeedError('Refused', 'has no usable URL: it must begin with https://');
  }
  if (url.username !== '' || url.password !== '') {
    throw new FeedError('Refused', 'has a user name or password in its URL; take them out');
  }
  url.hash = '';
  return url;
}

export function isAllowedOrigin(url: URL, allowedOrigins: readonly string[]): boolean {
  return allowedOrigins.some((allowed) => URL.parse(allowed)?.origin === url.origin);
}

/**
 * The addresses to connect to, each of them checked; connect to no other.
 *
 * @param isExempt the operator allows this origin as it stands, wherever it is
 * @throws FeedError
 */
export async function checkDestination(
  url: URL,
  isExempt: boolean,
  rules: DestinationRules,
  signal: AbortSignal,
): Promise<readonly string[]> {
  if (!isExempt && url.protocol !== 'https:') {
    throw new FeedError(
      'Refused',
      `may not be fetched from ${url.origin}: it is not https, and not among network.feedOrigins`,
    );
  }
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const addresses = isIP(host) === 0 ? await lookUp(host, rules, signal) : [host];
  if (addresses.length === 0)
    throw new FeedError('Unreachable', `has a host without address: ${host}`);
  if (isExempt) return addresses;
  const clusterRanges = rules.clusterRanges();
  const inside = addresses.find(
    (address) => !isPublicAddress(address) || clusterRanges.contains(address),
  );
  if (inside !== undefined) {
    throw new FeedError(
      'Refused',
      `may not be fetched from ${url.origin}: ${inside} is inside the cluster or not public, ` +
        'and the origin is not among network.feedOrigins',
    );
  }
  return addresses;
}

async function lookUp(
  host: string,
  rules: DestinationRules,
  signal: AbortSignal,
): Promise<readonly string[]> {
  try {
    return await rules.lookUp(host, signal);
  } catch (error) {
    signal.throwIfAborted();
    const code = error instanceof Error && 'code' in error ? ` (${String(error.code)})` : '';
    throw new FeedError('Unreachable', `has a host that is not found: ${host}${code}`);
  }
}
