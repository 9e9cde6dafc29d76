import { describe, expect, it } from 'vitest';
import type { ExchangeCredential } from '#api/exchange-credential.ts';
import { priorityOf } from './controller.ts';

function credential(changes: {
  readonly state?: 'Active' | 'Suspended' | 'Revoked';
  readonly seen?: boolean;
  readonly revoke?: string;
  readonly handled?: string;
}): ExchangeCredential {
  const { state, seen = true, revoke, handled } = changes;
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'ExchangeCredential',
    metadata: {
      name: 'maker',
      namespace: 'trading',
      generation: 2,
      ...(revoke === undefined ? {} : { annotations: { 'strongroom.dev/revoke': revoke } }),
    },
    spec: {
      type: 'Password',
      environment: 'Staging',
      owner: 'test',
      source: { generate: {} },
      delivery: { secret: { name: 'maker' } },
      ...(state === undefined ? {} : { state }),
    },
    status: {
      observedGeneration: seen ? 2 : 1,
      ...(handled === undefined ? {} : { handledRequests: { revoke: handled } }),
    },
  };
}

describe('priorityOf', () => {
  it.each([
    ['a revocation', credential({ state: 'Revoked', seen: false }), true, 'urgent'],
    ['a suspension', credential({ state: 'Suspended', seen: false }), false, 'urgent'],
    ['a request to revoke a version', credential({ revoke: '3' }), true, 'urgent'],
    ['one that was dealt with', credential({ revoke: '3', handled: '3' }), true, 'bulk'],
    ['an old revocation in a relist', credential({ state: 'Revoked' }), true, 'bulk'],
    ['a new object in a first list', credential({ seen: false }), true, 'normal'],
    ['a change', credential({}), false, 'normal'],
    ['what a relist repeats', credential({}), true, 'bulk'],
  ] as const)('gives %s its place', (_, object, initial, priority) => {
    expect(priorityOf({ type: 'Added', object }, initial)).toBe(priority);
  });
});
