import { describe, expect, it } from 'vitest';
import {
  MAKERS,
  isClusterDeletion,
  isCollectorUpdate,
  isKubelet,
  isMadeFromTemplate,
  isMirrorPod,
  isStorageMigration,
  isTokenOfPod,
} from './exemptions.ts';
import type { AdmissionRequest, UserInfo } from './request.ts';
import { MASTER, OPERATOR, controller, kubelet, requestFor } from './testing/core-objects.ts';

const NAMESPACES = controller('namespace-controller');
const COLLECTOR = controller('generic-garbage-collector');
const MIGRATOR = controller('storage-version-migrator-controller');

/** Who has the name of an exempt one, but in a namespace of their own. */
function impostor({ username, groups }: UserInfo): UserInfo {
  return { username: username.replace(':kube-system:', ':trading:'), groups };
}

const NOBODY_ELSE: readonly UserInfo[] = [
  MASTER,
  OPERATOR,
  controller('job-controller'),
  kubelet('node-1'),
  ...[NAMESPACES, COLLECTOR, MIGRATOR].map(impostor),
];

const OBJECT = { metadata: { name: 'a', labels: { a: '1' }, finalizers: ['f'] }, spec: { n: 1 } };

function write(
  operation: AdmissionRequest['operation'],
  userInfo: UserInfo,
  object: Readonly<Record<string, unknown>> = OBJECT,
): AdmissionRequest {
  return requestFor('secrets', { operation, userInfo, object, oldObject: OBJECT });
}

describe('exemptions', () => {
  it('of the namespace controller and the garbage collector: deletions', () => {
    for (const userInfo of [NAMESPACES, COLLECTOR]) {
      expect(isClusterDeletion(write('DELETE', userInfo))).toBe(true);
      expect(isClusterDeletion(write('UPDATE', userInfo))).toBe(false);
      expect(isClusterDeletion(write('CREATE', userInfo))).toBe(false);
    }
    for (const userInfo of [...NOBODY_ELSE, MIGRATOR]) {
      expect(isClusterDeletion(write('DELETE', userInfo))).toBe(false);
    }
  });

  it.each<[string, Readonly<Record<string, unknown>>, boolean, boolean]>([
    ['nothing', OBJECT, true, true],
    [
      'what the server writes',
      { ...OBJECT, metadata: { ...OBJECT.metadata, resourceVersion: '2', managedFields: [] } },
      true,
      true,
    ],
    [
      'owners and finalizers',
      { ...OBJECT, metadata: { name: 'a', labels: { a: '1' }, ownerReferences: [{ uid: 'u' }] } },
      true,
      false,
    ],
    ['labels', { ...OBJECT, metadata: { ...OBJECT.metadata, labels: {} } }, false, false],
    ['annotations', { ...OBJECT, metadata: { ...OBJECT.metadata, annotations: {} } }, false, false],
    ['content', { ...OBJECT, spec: { n: 2 } }, false, false],
    ['more content', { ...OBJECT, data: {} }, false, false],
  ])('of collector and migrator: updates that change %s', (_what, object, collects, migrates) => {
    expect(isCollectorUpdate(write('UPDATE', COLLECTOR, object))).toBe(collects);
    expect(isStorageMigration(write('UPDATE', MIGRATOR, object))).toBe(migrates);
    for (const userInfo of [...NOBODY_ELSE, NAMESPACES]) {
      expect(isCollectorUpdate(write('UPDATE', userInfo, object))).toBe(false);
      expect(isStorageMigration(write('UPDATE', userInfo, object))).toBe(false);
    }
  });

  it('of collector and migrator: no creates, and nothing without both objects', () => {
    const { oldObject: _, ...half } = write('UPDATE', COLLECTOR);
    expect(isCollectorUpdate(half)).toBe(false);
    expect(isCollectorUpdate(write('CREATE', COLLECTOR))).toBe(false);
    expect(isStorageMigration(write('DELETE', MIGRATOR))).toBe(false);
  });

  it('of kubelets: who has both name and group', () => {
    expect(isKubelet(kubelet('node-1'))).toBe(true);
    expect(isKubelet({ username: 'system:node:node-1', groups: [] })).toBe(false);
    expect(isKubelet({ username: 'alice', groups: ['system:nodes'] })).toBe(false);
  });

  it('of kubelets: tokens that are bound to a pod, and mirror pods', () => {
    const token = (boundObjectRef: unknown): AdmissionRequest =>
      requestFor('serviceaccounts', {
        userInfo: kubelet('node-1'),
        subResource: 'token',
        object: { spec: { boundObjectRef } },
      });
    expect(isTokenOfPod(token({ kind: 'Pod', name: 'p' }))).toBe(true);
    for (const bound of [undefined, null, 'Pod', { kind: 'Node' }, { kind: 'pod' }]) {
      expect(isTokenOfPod(token(bound))).toBe(false);
    }
    const annotations = { 'kubernetes.io/config.mirror': 'hash' };
    const pod = (parts: Parameters<typeof requestFor>[1]): boolean =>
      isMirrorPod(requestFor('pods', { userInfo: kubelet('node-1'), ...parts }));
    expect(pod({ object: { metadata: { name: 'p', annotations } } })).toBe(true);
    expect(pod({ object: { metadata: { name: 'p' } } })).toBe(false);
    expect(pod({ object: { metadata: { name: 'p', annotations } }, operation: 'UPDATE' })).toBe(
      false,
    );
    expect(pod({ object: { metadata: { name: 'p', annotations } }, userInfo: MASTER })).toBe(false);
  });

  it.each([...MAKERS])('of the %s: what its own kind of owner has', (name, owner) => {
    const made = (userInfo: UserInfo, change: object = {}): boolean => {
      const ownerReferences = [{ ...owner, name: 'o', uid: 'u', controller: true, ...change }];
      return isMadeFromTemplate(
        requestFor('pods', { userInfo, object: { metadata: { name: 'p', ownerReferences } } }),
      );
    };
    expect(made(controller(name))).toBe(true);
    expect(made(impostor(controller(name)))).toBe(false);
    expect(made(controller(name), { controller: false })).toBe(false);
    expect(made(controller(name), { kind: 'Node' })).toBe(false);
    expect(made(controller(name), { apiVersion: 'example.com/v1' })).toBe(false);
    for (const userInfo of NOBODY_ELSE.filter(({ username }) => !username.endsWith(`:${name}`))) {
      expect(made(userInfo)).toBe(false);
    }
  });
});
