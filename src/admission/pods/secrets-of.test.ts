import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SECRET_PATHS } from './secret-paths.ts';
import { secretsOf } from './secrets-of.ts';

function at(path: readonly string[], value: unknown): unknown {
  return path.reduceRight((inner, step) => (step === '[]' ? [inner] : { [step]: inner }), value);
}

describe('secretsOf', () => {
  it.each(SECRET_PATHS.map(({ path, use }) => [path.join('.'), path, use] as const))(
    'finds %s',
    (_name, path, use) => {
      const field = path.map((step) => (step === '[]' ? '[0]' : `.${step}`)).join('');
      expect(secretsOf(at(path, 'maker'))).toEqual([
        { secret: 'maker', use, field: field.slice(1) },
      ]);
    },
  );

  it.each([
    [
      'an unknown volume plugin',
      { volumes: [{ name: 'v', newStore: { secretRef: { name: 's' } } }] },
    ],
    [
      'a reference with a longer name',
      { volumes: [{ newStore: { controllerSecretRef: { name: 's' } } }] },
    ],
    ['a bare name', { volumes: [{ newStore: { tlsSecretName: 's' } }] }],
    ['a key reference', { hooks: { secretKeyRef: { name: 's', key: 'k' } } }],
    ['a list of references', { fetchSecrets: [{ name: 's' }] }],
    ['a list of names', { secretNames: ['s'] }],
    [
      'a driver that reads keys in lower case',
      { volumes: [{ csi: { volumeAttributes: { SECRETNAME: 's' } } }] },
    ],
    [
      'a driver that writes its keys in the way of a StorageClass',
      { volumes: [{ csi: { volumeAttributes: { 'example.com/node-publish-secret-name': 's' } } }] },
    ],
    ['words with a line below', { volumes: [{ flexVolume: { options: { secret_name: 's' } } }] }],
    ['an option of a flex volume', { volumes: [{ flexVolume: { options: { secretName: 's' } } }] }],
    ['a reference that is no object', { volumes: [{ iscsi: { secretRef: 's' } }] }],
    ['a list that is none', { imagePullSecrets: { name: 's' } }],
  ])('finds %s beyond the table', (_what, spec) => {
    expect(secretsOf(spec)).toMatchObject([{ secret: 's', use: 'Unknown' }]);
  });

  it.each([
    [
      'names of other things',
      { serviceAccountName: 's', volumes: [{ name: 's', configMap: { name: 's' } }] },
    ],
    ['plain values', { containers: [{ name: 's', env: [{ name: 'secretName', value: 's' }] }] }],
    ['keys and paths', { volumes: [{ secret: { items: [{ key: 's', path: 's' }] } }] }],
    ['namespaces', { volumes: [{ scaleIO: { secretRef: { namespace: 's' } } }] }],
    ['empty names', { volumes: [{ secret: { secretName: '' } }] }],
    ['what is no PodSpec', 7],
    ['nothing', undefined],
  ])('takes %s for none', (_what, spec) => {
    expect(secretsOf(spec)).toEqual([]);
  });

  it('tells a Secret once for each use', () => {
    const secretKeyRef = { name: 'maker', key: 'k' };
    const spec = {
      containers: [{ env: [{ valueFrom: { secretKeyRef } }, { valueFrom: { secretKeyRef } }] }],
      volumes: [{ secret: { secretName: 'maker' } }],
    };
    expect(
      secretsOf(spec)
        .map(({ use }) => use)
        .sort(),
    ).toEqual(['Environment', 'Volume']);
  });

  it('bears any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (json) => {
        const spec = { containers: json, volumes: json, imagePullSecrets: json };
        for (const { secret } of secretsOf(spec)) expect(secret).not.toBe('');
      }),
    );
  });

  it('bears any depth', () => {
    const depth = 100_000;
    const deep: unknown = JSON.parse(
      '{"a":'.repeat(depth) + '{"secretName":"s"}' + '}'.repeat(depth),
    );
    expect(secretsOf(deep)).toMatchObject([{ secret: 's' }]);
  });
});
