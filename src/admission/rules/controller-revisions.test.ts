import { describe, expect, it } from 'vitest';
import { NOW, policyOf } from '#access/testing/builders.ts';
import type { AdmissionRequest, UserInfo } from '../request.ts';
import {
  ALICE,
  BOB,
  MASTER,
  SETTINGS,
  controller,
  credentialOf,
  requestFor,
} from '../testing/core-objects.ts';
import { worldOf } from '../testing/world-of.ts';
import type { Verdict } from '../verdict.ts';
import { controllerRevisionRule } from './controller-revisions.ts';

const world = worldOf({
  policies: [
    policyOf({ subjects: [{ kind: 'User', name: 'alice' }] }, 'alice'),
    policyOf(
      { subjects: [{ kind: 'ServiceAccount', namespace: 'trading', name: 'maker' }] },
      'maker',
    ),
  ],
  credentials: [credentialOf('maker')],
});

function judge(request: AdmissionRequest, in_ = world): Verdict {
  return controllerRevisionRule(request, { world: in_, settings: SETTINGS, nowMs: NOW });
}

const owner = (apiVersion: string, kind: string, uid = 'u') => ({
  apiVersion,
  kind,
  name: 'maker',
  uid,
  controller: true,
});
const STATEFUL_SET = owner('apps/v1', 'StatefulSet');
const DAEMON_SET = owner('apps/v1', 'DaemonSet');
/** Of the uid of the StatefulSet, by which alone its controller knows its own. */
const DISGUISED = owner('example.com/v1', 'StatefulSet');
const OTHER = owner('example.com/v1', 'CloneSet', 'c');

function revision(...ownerReferences: readonly object[]): Readonly<Record<string, unknown>> {
  const containers = [{ name: 'bot', image: 'print-the-key' }];
  return {
    metadata: { name: 'maker-1', namespace: 'trading', ownerReferences },
    data: { spec: { template: { spec: { containers } } } },
    revision: 2,
  };
}

describe('controllerRevisionRule', () => {
  const create = (userInfo: UserInfo, ...owners: readonly object[]): Verdict =>
    judge(requestFor('controllerrevisions', { userInfo, object: revision(...owners) }));
  const update = (userInfo: UserInfo, before: object, after?: object): Verdict =>
    judge(
      requestFor('controllerrevisions', {
        operation: 'UPDATE',
        userInfo,
        oldObject: revision(before),
        object: after === undefined ? revision() : revision(after),
      }),
    );

  it('lets the controllers of Kubernetes write those of their own workloads', () => {
    expect(create(controller('statefulset-controller'), STATEFUL_SET)).toEqual({ allowed: true });
    expect(create(controller('daemon-set-controller'), DAEMON_SET)).toEqual({ allowed: true });
    expect(create(controller('statefulset-controller')).allowed).toBe(false);
    expect(create(controller('job-controller'), STATEFUL_SET).allowed).toBe(false);
  });

  it('refuses others who may not do what some account there may, whoever is said to own it', () => {
    for (const owners of [[STATEFUL_SET], [DAEMON_SET], [DISGUISED], [OTHER], []]) {
      expect(create(BOB, ...owners)).toMatchObject({ allowed: false, reason: 'BeyondOwnRights' });
      expect(create(ALICE, ...owners).allowed).toBe(true);
      expect(create(MASTER, ...owners).allowed).toBe(true);
    }
  });

  it('asks again when one changes hands, and for nothing else', () => {
    expect(update(BOB, STATEFUL_SET, STATEFUL_SET).allowed).toBe(true);
    expect(update(BOB, OTHER, OTHER).allowed).toBe(true);
    for (const [before, after] of [
      [OTHER, STATEFUL_SET],
      [OTHER, DISGUISED],
      [STATEFUL_SET, owner('apps/v1', 'StatefulSet', 'another')],
    ] as const) {
      expect(update(BOB, before, after).allowed).toBe(false);
      expect(update(ALICE, before, after).allowed).toBe(true);
    }
    expect(update(BOB, OTHER).allowed).toBe(false);
    expect(update(controller('generic-garbage-collector'), OTHER).allowed).toBe(true);
  });

  it('lets a controller let go of its own, and of no others', () => {
    expect(update(controller('statefulset-controller'), STATEFUL_SET).allowed).toBe(true);
    expect(update(controller('daemon-set-controller'), DAEMON_SET).allowed).toBe(true);
    expect(update(controller('statefulset-controller'), OTHER).allowed).toBe(false);
    expect(update(controller('statefulset-controller'), OTHER, STATEFUL_SET).allowed).toBe(true);
  });

  it('lets deletions pass, and namespaces whose accounts may do nothing, or that are not guarded', () => {
    const oldObject = revision(STATEFUL_SET);
    const remove = { operation: 'DELETE', userInfo: BOB, oldObject } as const;
    expect(judge(requestFor('controllerrevisions', remove)).allowed).toBe(true);
    const request = requestFor('controllerrevisions', { userInfo: BOB, object: revision() });
    expect(judge(request, worldOf({})).allowed).toBe(true);
    const namespaces = [{ name: 'trading', isGuarded: false }];
    const open = worldOf({ namespaces, credentials: [credentialOf('maker')] });
    expect(judge(request, open).allowed).toBe(true);
  });
});
