import { describe, expect, it } from 'vitest';
import { secretsOf } from '../pods/secrets-of.ts';
import { podWarnings } from './warnings.ts';

type Json = Readonly<Record<string, unknown>>;

/** `maker` is guarded; nothing else is. */
function warningsOf(spec: Json, isPod = false): readonly string[] {
  const guarded = secretsOf(spec).filter(({ secret }) => secret === 'maker');
  return podWarnings({ labels: {}, spec }, isPod, guarded);
}

const QUIET = { automountServiceAccountToken: false };
const VOLUME = { name: 'key', secret: { secretName: 'maker' } };
const PROJECTED = { name: 'key', projected: { sources: [{ secret: { name: 'maker' } }] } };
const TOKEN = {
  name: 'token',
  projected: { sources: [{ serviceAccountToken: { path: 'token' } }] },
};
const ENV = [{ name: 'K', valueFrom: { secretKeyRef: { name: 'maker', key: 'k' } } }];

describe('podWarnings', () => {
  it.each<[string, Json, RegExp]>([
    ['env', { ...QUIET, containers: [{ env: ENV }] }, /environment variable \(containers\[0\]/],
    [
      'envFrom of an init container',
      { ...QUIET, initContainers: [{ envFrom: [{ secretRef: { name: 'maker' } }] }] },
      /environment variable/,
    ],
    [
      'subPath',
      {
        ...QUIET,
        volumes: [VOLUME],
        containers: [{ name: 'bot', volumeMounts: [{ name: 'key', subPath: 'k' }] }],
      },
      /subPath by container bot/,
    ],
    [
      'subPathExpr of a projected volume',
      {
        ...QUIET,
        volumes: [PROJECTED],
        initContainers: [{ name: 'bot', volumeMounts: [{ name: 'key', subPathExpr: '$(K)' }] }],
      },
      /subPath/,
    ],
    ['a token beside it', { volumes: [VOLUME] }, /automountServiceAccountToken: false/],
    ['hostPath', { volumes: [{ hostPath: { path: '/' } }] }, /^hostPath can read/],
    ['hostPID', { hostPID: true }, /^hostPID can read/],
    [
      'a privileged container',
      { initContainers: [{ securityContext: { privileged: true } }] },
      /^a privileged container can read.*pod-security/,
    ],
  ])('warns of %s', (_what, spec, text) => {
    const warnings = warningsOf(spec);
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(text);
    expect(warnings[0]?.length).toBeLessThanOrEqual(256);
  });

  it.each<[string, Json]>([
    [
      'a whole volume',
      { ...QUIET, volumes: [VOLUME], containers: [{ volumeMounts: [{ name: 'key' }] }] },
    ],
    [
      'subPath of another volume',
      {
        ...QUIET,
        volumes: [VOLUME, { name: 'etc', configMap: {} }],
        containers: [
          {
            volumeMounts: [
              { name: 'etc', subPath: 'a' },
              { name: 'key', subPath: '' },
            ],
          },
        ],
      },
    ],
    ['other Secrets', { containers: [{ envFrom: [{ secretRef: { name: 'other' } }] }] }],
    ['a pod without Secrets', { containers: [{ securityContext: { privileged: false } }] }],
    ['what is no PodSpec', { volumes: 'none', containers: [null, 7], hostPID: 'yes' }],
  ])('says nothing of %s', (_what, spec) => {
    expect(warningsOf(spec)).toEqual([]);
  });

  it('goes by the volume of a pod, which the API server has put there', () => {
    expect(warningsOf({ volumes: [VOLUME] }, true)).toEqual([]);
    expect(warningsOf({ ...QUIET, volumes: [VOLUME, TOKEN] }, true)).toHaveLength(1);
  });

  it('tells each kind once', () => {
    const containers = Array.from({ length: 100 }, () => ({ env: ENV }));
    expect(warningsOf({ containers, hostPID: true })).toHaveLength(3);
  });
});
