/** Real identities of the cluster: users with client certificates, ServiceAccounts with tokens. */
import 'reflect-metadata';
import * as x509 from '@peculiar/x509';
import { webcrypto } from 'node:crypto';
import { inject } from 'vitest';
import { parse } from 'yaml';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { KubeClient } from '../../src/kube/client.ts';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { createKubeClient } from '../../src/kube/create-client.ts';
import type { KubeObject } from '../../src/kube/objects.ts';
import type { Resource } from '../../src/kube/resource.ts';
import { eventually } from '../eventually.ts';

interface SigningRequest extends KubeObject {
  readonly spec: {
    readonly request: string;
    readonly signerName: string;
    readonly expirationSeconds: number;
    readonly usages: readonly string[];
  };
  readonly status?: { readonly certificate?: string; readonly conditions?: readonly unknown[] };
}

const SIGNING_REQUESTS: Resource<SigningRequest> = {
  group: 'certificates.k8s.io',
  version: 'v1',
  kind: 'CertificateSigningRequest',
  plural: 'certificatesigningrequests',
  namespaced: false,
};

/**
 * A kubeconfig of a user in groups, with a certificate that the cluster itself signed for an hour.
 * Returns the file's path.
 */
export async function userKubeconfig(
  admin: KubeClient,
  username: string,
  groups: readonly string[],
  directory: string,
): Promise<string> {
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: [username] }, ...groups.map((group) => ({ O: [group] }))],
    keys,
    signingAlgorithm: algorithm,
  });
  const { metadata } = await admin.create(SIGNING_REQUESTS, {
    apiVersion: 'certificates.k8s.io/v1',
    kind: 'CertificateSigningRequest',
    metadata: { name: '', generateName: 'strongroom-test-' },
    spec: {
      request: Buffer.from(request.toString('pem')).toString('base64'),
      signerName: 'kubernetes.io/kube-apiserver-client',
      expirationSeconds: 3600,
      usages: ['client auth'],
    },
  });
  const at = { name: metadata.name };
  await admin.mergePatch(
    SIGNING_REQUESTS,
    at,
    {
      status: {
        conditions: [{ type: 'Approved', status: 'True', reason: 'Test', message: 'for a test' }],
      },
    },
    { subresource: 'approval' },
  );
  const certificate = await eventually(
    async () => (await admin.get(SIGNING_REQUESTS, at)).status?.certificate,
    { what: `the certificate of ${username}` },
  );
  await admin.delete(SIGNING_REQUESTS, at);
  const key = await webcrypto.subtle.exportKey('pkcs8', keys.privateKey);
  return writeKubeconfig(path.join(directory, `${username}.kubeconfig`), {
    'client-certificate-data': certificate,
    'client-key-data': Buffer.from(x509.PemConverter.encode(key, 'PRIVATE KEY')).toString('base64'),
  });
}

async function writeKubeconfig(file: string, user: unknown): Promise<string> {
  const admin = parse(await readFile(inject('kubeconfig'), 'utf8')) as {
    clusters: readonly { cluster: unknown }[];
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'c', cluster: admin.clusters[0]?.cluster }],
    users: [{ name: 'u', user }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  };
  await writeFile(file, JSON.stringify(config), { mode: 0o600 });
  return file;
}

export async function clientOf(kubeconfig: string): Promise<KubeClient> {
  return createKubeClient(await loadClusterConfig({ kubeconfig }));
}
