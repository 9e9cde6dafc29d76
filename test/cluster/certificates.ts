import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { isIP } from 'node:net';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto);

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const { serverAuth, clientAuth } = x509.ExtendedKeyUsage;
const hour = 3_600_000;
const validity = 365 * 24 * hour;

/** A certificate and its private key (PKCS #8), both PEM. */
export interface KeyPair {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** Kubernetes' user name. */
  readonly commonName: string;
  /** Kubernetes' groups. */
  readonly organizations?: readonly string[];
  /** Names and addresses that a server is reached at. */
  readonly hosts?: readonly string[];
}

/** A certificate authority (EC P-256) that is made for one cluster and dies with it. */
export class CertificateAuthority {
  readonly pair: KeyPair;
  readonly #certificate: x509.X509Certificate;
  readonly #privateKey: webcrypto.CryptoKey;

  private constructor(
    pair: KeyPair,
    certificate: x509.X509Certificate,
    privateKey: webcrypto.CryptoKey,
  ) {
    this.pair = pair;
    this.#certificate = certificate;
    this.#privateKey = privateKey;
  }

  static async create(commonName: string): Promise<CertificateAuthority> {
    const keys = await generateKeys();
    const certificate = await x509.X509CertificateGenerator.createSelfSigned({
      serialNumber: serialNumber(),
      name: [{ CN: [commonName] }],
      ...period(),
      signingAlgorithm: algorithm,
      keys,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(
          x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.digitalSignature,
          true,
        ),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    });
    const pair = { certificate: pem(certificate), key: await privatePem(keys.privateKey) };
    return new CertificateAuthority(pair, certificate, keys.privateKey);
  }

  /** Signs a certificate that is good for a server (if it names hosts) and for a client. */
  async issue({
    commonName,
    organizations = [],
    hosts = [],
  }: CertificateOptions): Promise<KeyPair> {
    const keys = await generateKeys();
    const names = hosts.map((host) => ({
      type: isIP(host) === 0 ? ('dns' as const) : ('ip' as const),
      value: host,
    }));
    const certificate = await x509.X509CertificateGenerator.create({
      serialNumber: serialNumber(),
      subject: [{ CN: [commonName] }, ...organizations.map((each) => ({ O: [each] }))],
      issuer: this.#certificate.subject,
      ...period(),
      signingAlgorithm: algorithm,
      publicKey: keys.publicKey,
      signingKey: this.#privateKey,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([serverAuth, clientAuth]),
        await x509.AuthorityKeyIdentifierExtension.create(this.#certificate.publicKey),
        ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
      ],
    });
    return { certificate: pem(certificate), key: await privatePem(keys.privateKey) };
  }
}

/** A key pair that service account tokens are signed and checked with, both PEM. */
export async function createSigningKeys(): Promise<{ publicKey: string; privateKey: string }> {
  const keys = await generateKeys();
  const spki = await webcrypto.subtle.exportKey('spki', keys.publicKey);
  return {
    publicKey: x509.PemConverter.encode(spki, 'PUBLIC KEY') + '\n',
    privateKey: await privatePem(keys.privateKey),
  };
}

function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

async function privatePem(key: webcrypto.CryptoKey): Promise<string> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', key);
  return x509.PemConverter.encode(pkcs8, 'PRIVATE KEY') + '\n';
}

const pem = (certificate: x509.X509Certificate): string => certificate.toString('pem') + '\n';

function serialNumber(): string {
  // Positive, as RFC 5280 wants it: the first bit stays clear, and the first byte is not zero.
  const bytes = webcrypto.getRandomValues(Buffer.alloc(16));
  bytes[0] = 1 + ((bytes[0] ?? 0) % 126);
  return bytes.toString('hex');
}

function period(): { notBefore: Date; notAfter: Date } {
  const now = Date.now();
  // An hour back, for clocks that a test turns.
  return { notBefore: new Date(now - hour), notAfter: new Date(now + validity) };
}
