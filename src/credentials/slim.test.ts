import { describe, expect, it } from 'vitest';
import type { Namespace, Pod, Secret } from '#kube/objects.ts';
import { findConsumers, secretsUsedBy } from './consumers.ts';
import { slimNamespace, slimPod, withoutData } from './slim.ts';

const CANARY = 'canary-91c2';

describe('what informers keep', () => {
  it('of a Namespace: that it is guarded, but never of those that admission is left out of', () => {
    const kept = (name: string) => {
      const labels = { 'strongroom.dev/guarded': 'true', team: 'desk' };
      const metadata = { name, labels, annotations: { note: CANARY } };
      const namespace: Namespace = { apiVersion: 'v1', kind: 'Namespace', metadata };
      return slimNamespace(namespace, 'strongroom-system').metadata;
    };
    expect(kept('trading')).toEqual({
      name: 'trading',
      labels: { 'strongroom.dev/guarded': 'true', team: 'desk' },
    });
    for (const name of ['strongroom-system', 'kube-system']) {
      expect(kept(name)).toEqual({ name, labels: { team: 'desk' } });
    }
  });

  it('of a Secret: whose it is, and none of its data', () => {
    const secret: Secret = {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: {
        name: 'maker',
        uid: 'u',
        resourceVersion: '5',
        annotations: { note: CANARY },
        ownerReferences: [{ apiVersion: 'a', kind: 'k', name: 'n', uid: 'o' }],
      },
      data: { KEY: CANARY },
    };
    const kept = withoutData(secret);
    expect(JSON.stringify(kept)).not.toContain(CANARY);
    expect(kept.metadata).toMatchObject({
      uid: 'u',
      resourceVersion: '5',
      ownerReferences: [{ uid: 'o' }],
    });
  });

  it('of a pod: what tells which Secrets it uses, and no plain value', () => {
    const startedAt = '2026-11-24T12:00:00Z';
    const pod: Pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'bot', namespace: 'trading', uid: 'u', annotations: { note: CANARY } },
      spec: {
        containers: [
          {
            name: 'bot',
            env: [
              { name: 'PLAIN', value: CANARY } as never,
              { name: 'KEY', valueFrom: { secretKeyRef: { name: 'maker', key: 'KEY' } } },
            ],
            envFrom: [
              { secretRef: { name: 'other' } },
              { configMapRef: { name: CANARY } } as never,
            ],
            volumeMounts: [{ name: 'keys', mountPath: '/keys', subPath: 'KEY' }],
          },
        ],
        volumes: [
          { name: 'keys', secret: { secretName: 'maker' } },
          { name: 'host', hostPath: { path: CANARY } } as never,
        ],
      },
      status: {
        phase: 'Running',
        startTime: startedAt,
        containerStatuses: [
          { name: 'bot', state: { running: { startedAt } }, imageID: CANARY } as never,
        ],
      },
    };
    const kept = slimPod(pod);
    expect(JSON.stringify(kept)).not.toContain(CANARY);
    expect(secretsUsedBy(kept)).toEqual(secretsUsedBy(pod));
    const input = {
      secretName: 'maker',
      delivered: { version: 1, deliveredAtMs: 0 },
      propagationMs: 0,
      nowMs: 0,
    };
    expect(findConsumers({ ...input, pods: [kept] })).toEqual(
      findConsumers({ ...input, pods: [pod] }),
    );
  });
});
