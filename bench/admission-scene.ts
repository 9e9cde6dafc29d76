/** What the caches hold while the webhook is measured, and the reviews that it is sent. */
export const POLICIES = 1_000;
export const CREDENTIALS = 10_000;
export const NAMESPACES = 100;

export function namespaceName(number: number): string {
  return `desk-${number}`;
}

/** Of the 100 in each namespace. */
export function credentialName(number: number): string {
  return `exchange-${number}`;
}

/** Of the 10 in each namespace that a policy gives something. */
export function accountName(number: number): string {
  return `bot-${number}`;
}

/** As the API server writes the create of a pod; half of them use a Secret that they may not. */
export function podReview(number: number): { readonly body: string; readonly isAllowed: boolean } {
  const namespace = namespaceName(number % NAMESPACES);
  const place = Math.floor(number / NAMESPACES) % 10;
  const isAllowed = Math.floor(number / 7) % 2 === 0;
  const secretName = credentialName(isAllowed ? place : place + 10);
  const account = accountName(place);
  const kind = { group: '', version: 'v1', kind: 'Pod' };
  const resource = { group: '', version: 'v1', resource: 'pods' };
  return {
    isAllowed,
    body: JSON.stringify({
      kind: 'AdmissionReview',
      apiVersion: 'admission.k8s.io/v1',
      request: {
        uid: `705ab4f5-6393-11e8-b7cc-${String(number).padStart(12, '0')}`,
        kind,
        resource,
        requestKind: kind,
        requestResource: resource,
        name: `bot-${number}`,
        namespace,
        operation: 'CREATE',
        userInfo: {
          username: `dev-${number % 500}`,
          uid: `uid-${number % 500}`,
          groups: [`team-${number % NAMESPACES}`, 'developers', 'system:authenticated'],
        },
        object: {
          kind: 'Pod',
          apiVersion: 'v1',
          metadata: {
            name: `bot-${number}`,
            namespace,
            labels: { app: 'bot', 'strongroom.dev/service-account': account },
            annotations: { note: 'x'.repeat(1_000) },
          },
          spec: {
            volumes: [
              { name: 'keys', secret: { secretName, defaultMode: 420 } },
              { name: 'tmp', emptyDir: {} },
            ],
            containers: ['bot', 'proxy', 'logs'].map((name) => ({
              name,
              image: `registry.example.com/${name}@sha256:${'0'.repeat(64)}`,
              env: Array.from({ length: 20 }, (_, one) => ({ name: `V${one}`, value: 'value' })),
              resources: { limits: { cpu: '1', memory: '1Gi' } },
              volumeMounts: [{ name: 'keys', mountPath: '/keys', readOnly: true }],
              securityContext: { allowPrivilegeEscalation: false },
            })),
            serviceAccountName: account,
            serviceAccount: account,
            automountServiceAccountToken: false,
            restartPolicy: 'Always',
          },
        },
        oldObject: null,
        dryRun: false,
        options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      },
    }),
  };
}
