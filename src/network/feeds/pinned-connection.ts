import { isIPv6 } from 'node:net';
import type { LookupFunction } from 'node:net';
import { Agent } from 'undici';
import type { Dispatcher } from 'undici';

/**
 * Connections to these addresses and no others, whatever DNS says by the time of connecting (DNS
 * rebinding). The name still goes into SNI and is checked against the certificate. It takes no proxy
 * from the environment.
 *
 * @param tls for tests: further CAs
 */
export function createPinnedDispatcher(
  addresses: readonly string[],
  tls: { readonly ca?: string } = {},
): Dispatcher {
  return new Agent({
    connect: { ...tls, lookup: answerWith(addresses) },
    connections: 1,
    pipelining: 1,
    allowH2: false,
  });
}

function answerWith(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));
  return (host, options, callback) => {
    const fitting = found.filter(
      ({ family }) => (options.family ?? 0) === 0 || options.family === family,
    );
    const [first] = fitting;
    if (first === undefined) {
      callback(new Error(`no checked address of ${host} is of that family`), '', 0);
    } else if (options.all === true) {
      callback(null, fitting);
    } else {
      callback(null, first.address, first.family);
    }
  };
}
