import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { EmergencyAccess, EmergencyAccessSpec } from '#api/emergency-access.ts';
import type { Pod, Service } from '#kube/objects.ts';
import type { AdmissionRequest } from '../request.ts';
import {
  ALICE,
  BOB,
  MASTER,
  OPERATOR,
  SETTINGS,
  credentialOf,
  requestFor,
} from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { WorldParts } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { connectRule } from './connect.ts';

type Json = Readonly<Record<string, unknown>>;

function podOf(name: string, spec: Json = {}, labels: Record<string, string> = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'trading', labels },
    spec: { serviceAccountName: 'maker', nodeName: 'node-1', containers: [], ...spec },
  };
}

function serviceOf(name: string, selector?: Record<string, string>): Service {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'trading' },
    spec: selector === undefined ? {} : { selector },
  };
}

const KEY = { volumes: [{ name: 'key', secret: { secretName: 'maker' } }] };
const TOKEN = {
  volumes: [
    { name: 'token', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
  ],
};

const PARTS: WorldParts = {
  policies: [
    policyOf(
      { subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }] },
      'maker',
    ),
    policyOf({ subjects: [{ kind: 'User', name: 'alice' }], accessLevel: 'Admin' }, 'alice'),
  ],
  credentials: [credentialOf('maker')],
  pods: [
    podOf('maker-1', KEY, { app: 'maker', tier: 'bot' }),
    podOf('maker-2', KEY, { app: 'maker' }),
    podOf('token-1', TOKEN, { app: 'token' }),
    podOf('plain-1', { nodeName: 'node-2' }, { app: 'plain' }),
    podOf('other-token', { ...TOKEN, serviceAccountName: 'poor', nodeName: 'node-2' }),
  ],
  services: [
    serviceOf('maker', { app: 'maker' }),
    serviceOf('bots', { app: 'maker', tier: 'bot' }),
    serviceOf('plain', { app: 'plain' }),
    serviceOf('by-hand'),
    serviceOf('empty', {}),
  ],
};

function accessOf(
  spec: Partial<EmergencyAccessSpec> = {},
  status: EmergencyAccess['status'] = {},
  namespace = 'trading',
): EmergencyAccess {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: { name: 'night', namespace, uid: 'night-uid' },
    spec: {
      subject: { kind: 'User', name: 'alice' },
      reason: 'the market maker does not quote any more',
      target: { pods: ['*'] },
      permissions: ['EmergencyOverride'],
      ...spec,
    },
    status: {
      state: 'Active',
      activatedAt: new Date(NOW - 60_000).toISOString(),
      expiresAt: new Date(NOW + 1_800_000).toISOString(),
      ...status,
    },
  };
}

function judge(request: AdmissionRequest, parts: WorldParts = {}): Verdict {
  const world = worldOf({ ...PARTS, ...parts });
  return connectRule(request, { world, settings: SETTINGS, nowMs: NOW });
}

function connect(
  resource: string,
  name: string,
  subResource: string,
  parts: Partial<AdmissionRequest> = {},
): AdmissionRequest {
  return requestFor(resource, { ...(parts as object), name, subResource, operation: 'CONNECT' });
}

describe('connectRule: pods', () => {
  it.each(['exec', 'attach', 'portforward', 'proxy'])('keeps everybody out by %s', (way) => {
    for (const userInfo of [ALICE, BOB, OPERATOR]) {
      const verdict = judge(connect('pods', 'maker-1', way, { userInfo }));
      expect(verdict).toMatchObject({ allowed: false, reason: 'EmergencyAccessNeeded', code: 403 });
    }
    expect(judge(connect('pods', 'maker-1', way, { userInfo: MASTER }))).toEqual({ allowed: true });
    expect(judge(connect('pods', 'plain-1', way, { userInfo: BOB }))).toEqual({ allowed: true });
  });

  it('says what it holds, and what is needed', () => {
    expect(judge(connect('pods', 'maker-1', 'exec')).message).toBe(
      'Pod trading/maker-1 holds a credential (Secret maker); to run commands in it, alice needs an active EmergencyAccess with the permission EmergencyOverride for the pod maker-1: ask for one with "strongroom emergency request"',
    );
  });

  it('counts a token of an account that may use a credential', () => {
    expect(judge(connect('pods', 'token-1', 'exec')).message).toContain(
      'holds a token of ServiceAccount maker',
    );
    expect(judge(connect('pods', 'other-token', 'exec')).allowed).toBe(true);
  });

  it('counts what a Secret had in it when it was that of a credential', () => {
    const pods = [podOf('old-1', { volumes: [{ name: 'key', secret: { secretName: 'old' } }] })];
    const services = [serviceOf('old', {})];
    const formerSecrets = ['trading/old'];
    const former = { pods, formerSecrets, services, credentials: [], policies: [] };
    const verdict = judge(connect('pods', 'old-1', 'exec'), former);
    expect(verdict).toMatchObject({ allowed: false, reason: 'EmergencyAccessNeeded' });
    expect(verdict.message).toContain('holds what Secret old had in it');
    expect(judge(connect('services', 'old', 'proxy'), former).allowed).toBe(false);
    const { namespace: _, ...node } = connect('nodes', 'node-1', 'proxy');
    expect(judge(node, former).allowed).toBe(false);
    const emergencyAccesses = [accessOf()];
    expect(
      judge(connect('pods', 'old-1', 'exec'), { ...former, emergencyAccesses }).emergencyAccess,
    ).toBe('night');
    for (const none of [[], ['research/old'], ['trading/other']]) {
      const parts = { ...former, formerSecrets: none };
      expect(judge(connect('pods', 'old-1', 'exec'), parts).allowed).toBe(true);
    }
  });

  it('refuses a pod that it does not know, for the time being', () => {
    const verdict = judge(connect('pods', 'new', 'exec'));
    expect(verdict).toMatchObject({ allowed: false, reason: 'NotKnownYet', code: 503 });
    const namespaces = [{ name: 'trading', isGuarded: false }];
    expect(judge(connect('pods', 'new', 'exec'), { namespaces }).allowed).toBe(true);
    expect(judge(connect('pods', 'new', 'exec'), { namespaces: [] }).allowed).toBe(false);
  });

  it.each(['maker-1', 'maker-1:8080', 'https:maker-1:8080', ':maker-1:'])(
    'finds the pod of the proxy to %s',
    (name) => {
      expect(judge(connect('pods', name, 'proxy')).reason).toBe('EmergencyAccessNeeded');
    },
  );

  it('refuses a pod that it does not understand', () => {
    const pods = [{ ...podOf('odd'), spec: undefined } as unknown as Pod];
    expect(judge(connect('pods', 'odd', 'exec'), { pods }).allowed).toBe(false);
  });

  it('looks at nothing but CONNECT', () => {
    expect(judge(requestFor('pods', { name: 'maker-1', subResource: 'exec' })).allowed).toBe(true);
  });
});

describe('connectRule: emergency access', () => {
  it.each<[string, EmergencyAccess, boolean]>([
    ['of all pods', accessOf(), true],
    ['of this pod', accessOf({ target: { pods: ['maker-1'] } }), true],
    ['of another pod', accessOf({ target: { pods: ['maker-2'] } }), false],
    ['of credentials', accessOf({ target: { credentials: ['maker'] } }), false],
    ['to credentials only', accessOf({ permissions: ['AccessSecrets'] }), false],
    ['of somebody else', accessOf({ subject: { kind: 'User', name: 'bob' } }), false],
    [
      'of a ServiceAccount of her name',
      accessOf({ subject: { kind: 'ServiceAccount', name: 'alice' } }),
      false,
    ],
    ['of another namespace', accessOf({}, {}, 'research'), false],
    ['that nobody approved', accessOf({}, { state: 'Pending' }), false],
    ['that was approved and not begun', accessOf({}, { state: 'Approved' }), false],
    ['that ended', accessOf({}, { state: 'Revoked' }), false],
    [
      'whose time is over while its state still says Active',
      accessOf({}, { expiresAt: new Date(NOW).toISOString() }),
      false,
    ],
    [
      'that is being deleted',
      { ...accessOf(), metadata: { name: 'night', deletionTimestamp: '2026-11-24T12:00:00Z' } },
      false,
    ],
  ])('is one %s', (_what, access, isAllowed) => {
    const verdict = judge(connect('pods', 'maker-1', 'exec'), { emergencyAccesses: [access] });
    expect(verdict.allowed).toBe(isAllowed);
    expect(verdict.emergencyAccess).toBe(isAllowed ? 'night' : undefined);
  });

  it('is that of the ServiceAccount that asks', () => {
    const subject = { kind: 'ServiceAccount', name: 'bot' } as const;
    const userInfo = { username: 'system:serviceaccount:trading:bot', groups: [] };
    const emergencyAccesses = [accessOf({ subject })];
    const request = connect('pods', 'maker-1', 'exec', { userInfo });
    expect(judge(request, { emergencyAccesses }).emergencyAccess).toBe('night');
  });

  it('must lead into each pod of a service', () => {
    const to = (name: string, pods: readonly string[]): boolean =>
      judge(connect('services', name, 'proxy'), {
        emergencyAccesses: [accessOf({ target: { pods } })],
      }).allowed;
    expect(to('maker', ['maker-1'])).toBe(false);
    expect(to('maker', ['maker-1', 'maker-2'])).toBe(true);
    expect(to('bots', ['maker-1'])).toBe(true);
  });

  const ENDED = { state: 'Revoked', endedAt: '2026-11-24T11:59:00Z' } as const;
  const REVIEW = { by: 'carol', at: '2026-11-24T11:59:30Z', finding: 'fine' };
  const ready = (status: 'True' | 'False') => ({
    conditions: [
      {
        type: 'Ready',
        status,
        reason: 'x',
        message: '',
        lastTransitionTime: '2026-11-24T12:00:00Z',
      },
    ],
  });
  const neverBegun = ({ status, ...access }: EmergencyAccess): EmergencyAccess => {
    const { activatedAt: _at, ...rest } = status ?? {};
    return { ...access, status: rest };
  };

  it.each<[string, EmergencyAccess, boolean]>([
    ['is active for another pod', accessOf({ target: { pods: ['maker-1'] } }), false],
    ['is active for this pod', accessOf({ target: { pods: ['plain-1'] } }), true],
    ['is active for every pod', accessOf(), true],
    ['was approved and not begun', neverBegun(accessOf({}, { state: 'Approved' })), false],
    ['waits for approval', neverBegun(accessOf({}, { state: 'Pending' })), true],
    ['was denied', neverBegun(accessOf({}, { state: 'Denied' })), true],
    ['ended', accessOf({}, ENDED), false],
    ['is over by the clock', accessOf({}, { expiresAt: new Date(NOW).toISOString() }), false],
    ['ended and was reviewed', accessOf({}, { ...ENDED, review: REVIEW }), true],
    [
      'ended and was reviewed, and nothing stands any more',
      accessOf({}, { ...ENDED, review: REVIEW, ...ready('True') }),
      true,
    ],
    [
      'ended and was reviewed, and what stood could not be taken away',
      accessOf({}, { ...ENDED, review: REVIEW, ...ready('False') }),
      false,
    ],
    ['is about credentials alone', accessOf({ permissions: ['AccessSecrets'] }, ENDED), true],
    ['is of somebody else', accessOf({ subject: { kind: 'User', name: 'bob' } }, ENDED), true],
    ['is of another namespace', accessOf({}, ENDED, 'research'), true],
    [
      'is being deleted',
      {
        ...accessOf(),
        metadata: { ...accessOf().metadata, deletionTimestamp: '2026-11-24T12:00:00Z' },
      },
      false,
    ],
  ])('lets nobody into a pod that holds nothing by one that %s', (_what, access, isAllowed) => {
    const emergencyAccesses = [access];
    for (const way of ['exec', 'attach', 'portforward', 'proxy']) {
      const verdict = judge(connect('pods', 'plain-1', way), { emergencyAccesses });
      expect(verdict.allowed).toBe(isAllowed);
      expect(verdict.reason).toBe(isAllowed ? undefined : 'EmergencyAccessNeeded');
    }
    const { allowed } = judge(connect('services', 'plain', 'proxy'), { emergencyAccesses });
    expect(allowed).toBe(isAllowed);
    const others = judge(connect('pods', 'plain-1', 'exec', { userInfo: MASTER }), {
      emergencyAccesses,
    });
    expect(others.allowed).toBe(true);
  });

  it('says that the access is why, and counts another active one', () => {
    const night = accessOf({ target: { pods: ['maker-1'] } });
    const day = accessOf({ target: { pods: ['plain-1'] } });
    const second = { ...day, metadata: { ...day.metadata, name: 'day' } };
    const request = connect('pods', 'plain-1', 'exec');
    expect(judge(request, { emergencyAccesses: [night] }).message).toBe(
      'alice has the EmergencyAccess trading/night, and until its review is closed connects in trading only to pods that an active one of theirs names, also where they hold no credential; none leads to Pod trading/plain-1: ask for one with "strongroom emergency request", or let somebody else connect',
    );
    expect(judge(request, { emergencyAccesses: [night, second] }).emergencyAccess).toBe('day');
  });

  it('counts every pod of a service, and one that has none not at all', () => {
    const to = (name: string, pods: readonly string[]): boolean =>
      judge(connect('services', name, 'proxy'), {
        emergencyAccesses: [accessOf({ target: { pods } })],
        pods: [podOf('maker-1', KEY, { app: 'maker' }), podOf('helper', {}, { app: 'maker' })],
      }).allowed;
    expect(to('maker', ['maker-1'])).toBe(false);
    expect(to('maker', ['maker-1', 'helper'])).toBe(true);
    expect(to('plain', ['*'])).toBe(false);
  });

  it('leads to no node', () => {
    const emergencyAccesses = [accessOf()];
    const { namespace: _, ...request } = connect('nodes', 'node-1', 'proxy');
    expect(judge(request, { emergencyAccesses }).allowed).toBe(false);
  });
});

describe('connectRule: services and nodes', () => {
  it.each([
    ['maker', false],
    ['bots:http', false],
    ['https:maker:443', false],
    ['plain', true],
    ['by-hand', false],
    ['empty', false],
  ])('judges the service %s by the pods behind it', (name, isAllowed) => {
    expect(judge(connect('services', name, 'proxy')).allowed).toBe(isAllowed);
  });

  it('lets nobody through a service whose endpoints somebody writes by hand', () => {
    const request = connect('services', 'by-hand', 'proxy');
    expect(judge(request, { pods: [podOf('plain-1')] }).allowed).toBe(false);
    expect(judge(request, { emergencyAccesses: [accessOf()] }).allowed).toBe(false);
    expect(judge({ ...request, userInfo: MASTER }).allowed).toBe(true);
  });

  it('refuses a service that it does not know, or whose pods it does not know', () => {
    expect(judge(connect('services', 'new', 'proxy')).reason).toBe('NotKnownYet');
    const unknownPods = ['trading'];
    expect(judge(connect('services', 'plain', 'proxy'), { unknownPods }).reason).toBe(
      'NotKnownYet',
    );
  });

  const node = (name: string, parts: WorldParts = {}): Verdict => {
    const { namespace: _, ...request } = connect('nodes', name, 'proxy');
    return judge(request, parts);
  };

  it.each([
    ['node-1', false],
    ['node-1:10250', false],
    ['https:node-1:10250', false],
    ['node-2', true],
  ])('judges %s by the pods on it', (name, isAllowed) => {
    expect(node(name).allowed).toBe(isAllowed);
  });

  it('tells nothing of the pods of a node', () => {
    expect(node('node-1').message).not.toMatch(/trading|maker/);
  });

  it('refuses a node while the pods of some namespace are not known', () => {
    expect(node('node-2', { unknownPods: ['trading'] }).reason).toBe('NotKnownYet');
  });
});
