import { describe, expect, it } from 'vitest';
import type { Consumer } from '#api/exchange-credential.ts';
import type { Container, Pod } from '#kube/objects.ts';
import { findConsumers, secretsUsedBy } from './consumers.ts';

const DELIVERED = Date.parse('2026-11-24T12:00:00.500Z');
const PROPAGATION = 120_000;
const mount = { name: 'keys', mountPath: '/keys' };
const env = { name: 'KEY', valueFrom: { secretKeyRef: { name: 'maker', key: 'KEY' } } };

interface PodParts {
  readonly name?: string;
  readonly container?: Partial<Container>;
  readonly volumes?: NonNullable<Pod['spec']>['volumes'];
  readonly phase?: string;
  readonly startedAt?: string;
}

function podOf(parts: PodParts = {}): Pod {
  const { name = 'bot', startedAt } = parts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, uid: `${name}-uid`, creationTimestamp: '2026-11-24T11:00:00Z' },
    spec: {
      containers: [{ name: 'bot', ...parts.container }],
      volumes: parts.volumes ?? [{ name: 'keys', secret: { secretName: 'maker' } }],
    },
    status: {
      phase: parts.phase ?? 'Running',
      ...(startedAt === undefined
        ? {}
        : {
            startTime: startedAt,
            containerStatuses: [{ name: 'bot', state: { running: { startedAt } } }],
          }),
    },
  };
}

function find(pods: readonly Pod[], nowMs = DELIVERED + PROPAGATION) {
  return findConsumers({
    pods,
    secretName: 'maker',
    delivered: { version: 3, deliveredAtMs: DELIVERED },
    propagationMs: PROPAGATION,
    nowMs,
  });
}

const before = '2026-11-24T11:00:00Z';
const sameSecond = '2026-11-24T12:00:00Z';
const after = '2026-11-24T12:00:01Z';
const mounted = { volumeMounts: [mount] };
const subPath = { volumeMounts: [{ ...mount, subPath: 'KEY' }] };
const late = DELIVERED + PROPAGATION;
const early = late - 1;

describe('findConsumers', () => {
  it.each<
    readonly [
      what: string,
      container: Partial<Container>,
      startedAt: string | undefined,
      nowMs: number,
      use: Consumer['use'],
      evidence: Consumer['evidence'],
      version: number | undefined,
    ]
  >([
    ['a volume, started after', mounted, after, early, 'Volume', 'StartedAfterDelivery', 3],
    ['a volume, started before', mounted, before, early, 'Volume', 'Unknown', undefined],
    ['a volume, given time', mounted, before, late, 'Volume', 'PropagationAssumed', 3],
    ['a volume, not running', mounted, undefined, late, 'Volume', 'Unknown', undefined],
    [
      'an environment, started after',
      { env: [env] },
      after,
      early,
      'Environment',
      'StartedAfterDelivery',
      3,
    ],
    [
      'an environment never changes',
      { env: [env] },
      before,
      late,
      'Environment',
      'Stale',
      undefined,
    ],
    [
      'an environment of the same second',
      { env: [env] },
      sameSecond,
      late,
      'Environment',
      'Unknown',
      undefined,
    ],
    [
      'envFrom',
      { envFrom: [{ secretRef: { name: 'maker' } }] },
      before,
      late,
      'Environment',
      'Stale',
      undefined,
    ],
    ['a subPath never changes', subPath, before, late, 'SubPath', 'Stale', undefined],
    ['a subPath, started after', subPath, after, late, 'SubPath', 'StartedAfterDelivery', 3],
  ])('%s', (_, container, startedAt, nowMs, use, evidence, version) => {
    const volumes = container.volumeMounts === undefined ? [] : undefined;
    const pod = podOf({
      container,
      ...(startedAt === undefined ? {} : { startedAt }),
      ...(volumes === undefined ? {} : { volumes }),
    });
    expect(find([pod], nowMs).consumers).toEqual([
      {
        pod: 'bot',
        podUid: 'bot-uid',
        container: 'bot',
        use,
        evidence,
        since: startedAt ?? before,
        ...(version === undefined ? {} : { version }),
      },
    ]);
  });

  it('counts a projected volume, and one that no container mounts', () => {
    const volumes = [{ name: 'all', projected: { sources: [{ secret: { name: 'maker' } }] } }];
    expect(find([podOf({ volumes, startedAt: after })]).consumers).toMatchObject([
      { pod: 'bot', use: 'ProjectedVolume', evidence: 'StartedAfterDelivery' },
    ]);
  });

  it.each(['Succeeded', 'Failed'])('leaves out a pod that has %s', (phase) => {
    expect(find([podOf({ phase })])).toEqual({ consumers: [], count: 0 });
  });

  it('leaves out pods that use other Secrets', () => {
    const volumes = [{ name: 'keys', secret: { secretName: 'other' } }];
    expect(find([podOf({ volumes, container: mounted })]).consumers).toEqual([]);
  });

  it('lists at most 100 in a stable order, and counts all pods', () => {
    const pods = Array.from({ length: 150 }, (_, i) =>
      podOf({ name: `bot-${String(i).padStart(3, '0')}`, container: { ...mounted, env: [env] } }),
    );
    const forth = find(pods);
    const back = find([...pods].reverse());
    expect(forth.count).toBe(150);
    expect(forth.consumers).toHaveLength(100);
    expect(back).toEqual(forth);
  });

  it('says when to look again: once volumes have had their time', () => {
    expect(find([podOf({ container: mounted, startedAt: before })], early).nextMs).toBe(late);
    expect(find([podOf({ container: mounted, startedAt: before })], late).nextMs).toBeUndefined();
  });

  it('knows no version while nothing is delivered', () => {
    const found = findConsumers({
      pods: [podOf({ container: mounted, startedAt: after })],
      secretName: 'maker',
      delivered: undefined,
      propagationMs: PROPAGATION,
      nowMs: late,
    });
    expect(found.consumers).toMatchObject([{ evidence: 'Unknown' }]);
  });
});

describe('secretsUsedBy', () => {
  it('finds volumes, projections and environments of all kinds of containers, once', () => {
    const pod: Pod = {
      ...podOf({
        volumes: [
          { name: 'a', secret: { secretName: 'a' } },
          { name: 'b', projected: { sources: [{ secret: { name: 'b' } }, {}] } },
        ],
      }),
    };
    const spec = {
      ...pod.spec,
      containers: [{ name: 'x', env: [{ name: 'PLAIN' }, env] }],
      initContainers: [{ name: 'y', envFrom: [{ secretRef: { name: 'c' } }, {}] }],
      ephemeralContainers: [{ name: 'z', env: [env] }],
    };
    expect([...secretsUsedBy({ ...pod, spec })].sort()).toEqual(['a', 'b', 'c', 'maker']);
  });
});
