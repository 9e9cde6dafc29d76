import { describe, expect, it } from 'vitest';
import type { Pod } from '#kube/objects.ts';
import { findPodsWithoutRight, withheldMessage } from './pods-without-right.ts';
import { credentialOf } from './testing/views.ts';

function podOf(name: string, account?: string, phase = 'Running'): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'trading', uid: `${name}-uid` },
    spec: { containers: [], ...(account === undefined ? {} : { serviceAccountName: account }) },
    status: { phase },
  };
}

describe('pods without the right to a credential', () => {
  it('are the live ones whose account may not mount it, by name, each account asked once', () => {
    const asked: string[] = [];
    const pods = [podOf('b', 'thief'), podOf('a', 'thief'), podOf('c', 'maker'), podOf('d')];
    const found = findPodsWithoutRight([...pods, podOf('e', 'thief', 'Failed')], credentialOf(), {
      mayMount(_, account) {
        asked.push(account);
        return account === 'maker';
      },
    });
    expect(found.map(({ name, account }) => [name, account])).toEqual([
      ['a', 'thief'],
      ['b', 'thief'],
      ['d', 'default'],
    ]);
    expect(asked.sort()).toEqual(['default', 'maker', 'thief']);
  });

  it('are named with their accounts, and only some of many', () => {
    const many = Array.from({ length: 8 }, (_, place) => ({
      name: `pod-${place}`,
      uid: `${place}`,
      account: 'default',
    }));
    expect(withheldMessage('keys', many.slice(0, 1))).toMatch(
      /^Secret keys is not delivered: 1 pod uses that name .*: pod-0 \(ServiceAccount default\)\. Delete/,
    );
    const text = withheldMessage('keys', many);
    expect(text).toContain('pod-4 (ServiceAccount default) and 3 more');
    expect(text).not.toContain('pod-5');
  });
});
