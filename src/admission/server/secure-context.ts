import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import type { SecureContextOptions } from 'node:tls';

/** PEM; `cert` may bring its chain. */
export interface ServingPair {
  readonly cert: string;
  readonly key: string;
}

/** Where the server's certificate comes from, now and later. */
export interface ServingCertificates {
  /** Undefined: there is none yet, and no handshake succeeds. */
  current(): ServingPair | undefined;
  onChange(listener: () => void): void;
}

/** PEM bundle of the authorities, and the common names, that a client may come with. */
export interface ClientAuth {
  readonly bundle: string;
  readonly allowedNames: readonly string[];
}

export type SecureOptions =
  | { readonly ok: true; readonly options: SecureContextOptions }
  | { readonly ok: false; readonly message: string };

/**
 * The TLS options of a pair, tried out: certificate and key belong together and OpenSSL takes them.
 * A message says what is wrong and holds nothing of the key.
 */
export function secureOptions(pair: ServingPair, clientAuth?: ClientAuth): SecureOptions {
  try {
    const certificate = new X509Certificate(pair.cert);
    if (!certificate.checkPrivateKey(createPrivateKey(pair.key))) {
      return { ok: false, message: 'certificate and private key do not belong together' };
    }
  } catch {
    return { ok: false, message: 'certificate or private key cannot be read' };
  }
  const options: SecureContextOptions = {
    cert: pair.cert,
    key: pair.key,
    minVersion: 'TLSv1.2',
    ...(clientAuth === undefined ? {} : { ca: clientAuth.bundle }),
  };
  try {
    createSecureContext(options);
    return { ok: true, options };
  } catch {
    return { ok: false, message: 'the TLS library does not take the certificate' };
  }
}
