/** Real people of the demo's cluster: users and groups that it signs client certificates for. */
import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import * as x509 from '@peculiar/x509';
import { eventually } from '../eventually.ts';
import type { Shell } from './shell.ts';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;

/** A kubeconfig of a user in groups, good for an hour, in `directory`. Returns its path. */
export async function kubeconfigOf(
  { kubectl }: Shell,
  username: string,
  groups: readonly string[],
  directory: string,
): Promise<string> {
  x509.cryptoProvider.set(webcrypto);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [username] }, ...groups.map((group) => ({ O: [group] }))],
    keys,
    signingAlgorithm: algorithm,
  });
  const { stdout: created } = await kubectl(
    ['create', '-f', '-', '-o', 'name'],
    JSON.stringify({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { generateName: `strongroom-demo-${username}-` },
      spec: {
        request: base64(request.toString('pem')),
        signerName: 'kubernetes.io/kube-apiserver-client',
        expirationSeconds: 3600,
        usages: ['client auth'],
      },
    }),
  );
  const name = created.trim();
  await kubectl(['certificate', 'approve', name]);
  const certificate = await eventually(
    async () =>
      (await kubectl(['get', name, '-o', 'jsonpath={.status.certificate}'])).stdout || undefined,
    { what: `the certificate of ${username}`, intervalMs: 250 },
  );
  await kubectl(['delete', name]);
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return writeKubeconfig(kubectl, path.join(directory, `${username}.kubeconfig`), username, {
    'client-certificate-data': certificate,
    'client-key-data': base64(x509.PemConverter.encode(key, 'PRIVATE KEY')),
  });
}

/** The admin's, with another user in it. */
async function writeKubeconfig(
  kubectl: Shell['kubectl'],
  file: string,
  username: string,
  user: Readonly<Record<string, string>>,
): Promise<string> {
  const view = ['config', 'view', '--raw', '--minify', '--flatten', '-o', 'json'];
  const { clusters } = JSON.parse((await kubectl(view)).stdout) as {
    readonly clusters: readonly { readonly cluster: unknown }[];
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'demo', cluster: clusters[0]?.cluster }],
    users: [{ name: username, user }],
    contexts: [{ name: 'demo', context: { cluster: 'demo', user: username } }],
    'current-context': 'demo',
  };
  writeFileSync(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
