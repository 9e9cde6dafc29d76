import type { KeyPair } from './certificates.ts';

export interface Kubeconfig {
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly user: string;
  readonly credentials: KeyPair;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** The text of a kubeconfig; JSON, which is YAML too. */
export function formatKubeconfig({ server, authority, user, credentials }: Kubeconfig): string {
  const cluster = 'strongroom';
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    'current-context': cluster,
    contexts: [{ name: cluster, context: { cluster, user } }],
    clusters: [
      { name: cluster, cluster: { server, 'certificate-authority-data': base64(authority) } },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': base64(credentials.certificate),
          'client-key-data': base64(credentials.key),
        },
      },
    ],
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
