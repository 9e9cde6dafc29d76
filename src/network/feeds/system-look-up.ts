import { lookup } from 'node:dns/promises';
import type { LookUp } from './destination.ts';

/**
 * The system's own resolver, with its hosts file and search domains, so that short names of Services
 * work as everywhere in the cluster. It takes no notice of the signal; its answer then is not used.
 */
export const systemLookUp: LookUp = async (host) => {
  const found = await lookup(host, { all: true, order: 'verbatim' });
  return found.map(({ address }) => address);
};
