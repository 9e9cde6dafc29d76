/** Reviews as the API server writes them. */

export type Json = Record<string, unknown>;

export interface ReviewParts {
  readonly [member: string]: unknown;
}

/** The create of a pod by alice; `parts` replace members of its request. */
export function reviewOf(parts: ReviewParts = {}): Json {
  return {
    kind: 'AdmissionReview',
    apiVersion: 'admission.k8s.io/v1',
    request: {
      uid: '705ab4f5-6393-11e8-b7cc-42010a800002',
      kind: { group: '', version: 'v1', kind: 'Pod' },
      resource: { group: '', version: 'v1', resource: 'pods' },
      requestKind: { group: '', version: 'v1', kind: 'Pod' },
      requestResource: { group: '', version: 'v1', resource: 'pods' },
      name: 'maker',
      namespace: 'trading',
      operation: 'CREATE',
      userInfo: {
        username: 'alice',
        uid: 'a11ce',
        groups: ['desk', 'system:authenticated'],
        extra: { 'example.com/session': ['7'] },
      },
      object: {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'maker', namespace: 'trading', labels: { app: 'maker' } },
        spec: { containers: [{ name: 'maker', image: 'maker:1' }] },
      },
      oldObject: null,
      dryRun: false,
      options: { kind: 'CreateOptions', apiVersion: 'meta.k8s.io/v1' },
      ...parts,
    },
  };
}

export function bytesOf(review: unknown): Uint8Array {
  return Buffer.from(JSON.stringify(review), 'utf8');
}
