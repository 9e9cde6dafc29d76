import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, inject, it } from 'vitest';
import { SECRET_PATHS } from '../../src/admission/pods/secret-paths.ts';
import { secretsOf } from '../../src/admission/pods/secrets-of.ts';
import { binary } from '../cluster/index.ts';
import { secretFieldsOf } from './pod-secret-fields.ts';
import type { OpenApiDocument, SecretFields } from './pod-secret-fields.ts';

/** Say Secret, and name none: why. */
const NO_NAMES = new Map([
  ['volumes.[].cephfs.secretFile', 'a file of the node'],
  ['securityContext.fsGroupChangePolicy', 'says that volumes of Secrets are left out'],
  ['volumes.[].image.reference', 'says where pull secrets come from'],
]);

/** What the API server serves is compared with the table: a new field of Kubernetes fails here. */
describe('fields of a PodSpec that can name a Secret', () => {
  let published: SecretFields;

  beforeAll(async () => {
    const { stdout } = await promisify(execFile)(
      await binary('kubectl'),
      ['--kubeconfig', inject('kubeconfig'), 'get', '--raw', '/openapi/v3/api/v1'],
      { maxBuffer: 64 * 1024 * 1024 },
    );
    published = secretFieldsOf(JSON.parse(stdout) as OpenApiDocument);
  });

  const table = SECRET_PATHS.filter(({ byConvention }) => byConvention !== true)
    .map(({ path }) => path.join('.'))
    .sort();

  it('are all in the table, and the search finds all that is in it', () => {
    expect(published.names.filter((path) => !NO_NAMES.has(path))).toEqual(table);
  });

  it('are not hidden under a name that does not say so', () => {
    expect(published.mentions.filter((path) => !NO_NAMES.has(path))).toEqual([]);
  });

  it('are found by the walker, each one', () => {
    const names = published.names.filter((path) => !NO_NAMES.has(path));
    const missed = names.filter((path) => {
      const [use] = secretsOf(specWith(path.split('.'), 'guarded'));
      return use?.secret !== 'guarded' || use.use === 'Unknown';
    });
    expect(missed).toEqual([]);
  });

  it('are found in a document that has a field more', () => {
    const document: OpenApiDocument = {
      components: {
        schemas: {
          'io.k8s.api.core.v1.PodSpec': {
            properties: {
              vault: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.VaultRef' }] },
              tlsSecretName: { type: 'string' },
              quiet: { type: 'string', description: 'Name of a Secret.' },
            },
          },
          'io.k8s.api.core.v1.VaultRef': {
            properties: {
              keySecretRef: {
                $ref: '#/components/schemas/io.k8s.api.core.v1.LocalObjectReference',
              },
            },
          },
          'io.k8s.api.core.v1.LocalObjectReference': { properties: { name: { type: 'string' } } },
        },
      },
    };
    expect(secretFieldsOf(document)).toEqual({
      names: ['tlsSecretName', 'vault.keySecretRef.name'],
      mentions: ['quiet'],
    });
  });
});

function specWith(path: readonly string[], value: string): unknown {
  return path.reduceRight<unknown>(
    (inner, step) => (step === '[]' ? [inner] : { [step]: inner }),
    value,
  );
}
