import { NODATA, Resolver } from 'node:dns/promises';
import type { Resolve } from './name-resolver.ts';

/**
 * Asks name servers: unlike `lookup`, they tell how long an answer holds. Names are taken as they
 * are, without search domains.
 *
 * @param servers `address:port`; those of the system unless told
 */
export function createDnsResolve(servers?: readonly string[]): Resolve {
  return async (name, family, signal) => {
    const resolver = new Resolver();
    if (servers !== undefined) resolver.setServers(servers);
    const cancel = (): void => resolver.cancel();
    signal.addEventListener('abort', cancel, { once: true });
    try {
      const records =
        family === 'IPv4'
          ? await resolver.resolve4(name, { ttl: true })
          : await resolver.resolve6(name, { ttl: true });
      return records.map(({ address, ttl }) => ({ address, ttlSeconds: ttl }));
    } catch (error) {
      // The name exists and has no address of this family, as is usual.
      if (error instanceof Error && 'code' in error && error.code === NODATA) return [];
      throw error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  };
}

/** Those that `/etc/resolv.conf` names. */
export const systemResolve: Resolve = createDnsResolve();
