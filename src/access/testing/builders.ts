/** Policies, credentials and requests for tests: complete ones, and what differs from them. */
import type { AccessPolicy, AccessPolicySpec } from '#api/access-policy.ts';
import type { AccessLevel, Permission } from '#api/roles.ts';
import { ACTIONS } from '../actions.ts';
import type { Action } from '../actions.ts';
import type { Identity } from '../identity.ts';
import type { AccessRequest, CredentialFacts, Target } from '../request.ts';

/** A Tuesday, at noon in UTC. */
export const NOW: number = Date.parse('2026-11-24T12:00:00Z');

export const ALICE: Identity = { username: 'alice', groups: ['desk-mm', 'system:authenticated'] };

/** Alice may read the secrets of everything in Production, unless `spec` says otherwise. */
export function policyOf(spec: Partial<AccessPolicySpec> = {}, name = 'policy'): AccessPolicy {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'AccessPolicy',
    metadata: { name, uid: `${name}-uid`, generation: 1 },
    spec: {
      subjects: [{ kind: 'User', name: 'alice' }],
      permissions: ['AccessSecrets'],
      environments: ['Production'],
      credentials: { namespaces: ['*'] },
      ...spec,
    },
  };
}

/** One that no schema has checked. */
export function uncheckedPolicy(
  spec: Readonly<Record<string, unknown>>,
  name = 'policy',
): AccessPolicy {
  return policyOf(spec, name);
}

export function factsWith(facts: Partial<CredentialFacts> = {}): CredentialFacts {
  return {
    namespace: 'trading',
    name: 'maker',
    labels: { desk: 'mm' },
    exchange: 'Hyperliquid',
    environment: 'Production',
    ...facts,
  };
}

export function credentialTarget(facts: Partial<CredentialFacts> = {}): Target {
  return { kind: 'Credential', credential: factsWith(facts) };
}

/** Alice retrieves the market maker's key, unless `parts` say otherwise. */
export function requestOf(parts: Partial<AccessRequest> = {}): AccessRequest {
  return {
    identity: ALICE,
    action: ACTIONS.retrieve,
    target: credentialTarget(),
    atMs: NOW,
    ...parts,
  };
}

/** An action that needs just this. */
export function actionOf(permission: Permission, level: AccessLevel = 'Read'): Action {
  return { name: 'test', anyOf: [permission], level, description: 'do what is tested' };
}
