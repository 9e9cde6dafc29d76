/** Objects and decisions for tests of emergency access. */
import type { EmergencyAccess, EmergencyAccessSpec } from '#api/emergency-access.ts';
import { ANNOTATIONS } from '#api/names.ts';
import type { EmergencyAccessStatus } from '#api/emergency-access.ts';
import type { Decision, DecisionAct } from '#access/emergency/decisions.ts';
import type { EmergencySettings } from '#access/emergency/settings.ts';
import { signDecision } from '#access/emergency/stamp.ts';
import type { EmergencyWorld } from '#access/emergency/world.ts';

export const STAMP_KEY: Uint8Array = new Uint8Array(32).fill(7);
export const UID = '5c9f0d1e-0000-4000-8000-000000000001';
export const CREATED_MS: number = Date.parse('2026-11-26T10:00:00Z');
export const MINUTE_MS = 60_000;

export const SETTINGS: EmergencySettings = {
  maxDurationMs: 60 * MINUTE_MS,
  approvals: { Development: 1, Staging: 1, Production: 1 },
  selfApproval: false,
  approvalTimeoutMs: 60 * MINUTE_MS,
};

export const WORLD: EmergencyWorld = {
  isGuarded: true,
  environment: 'Production',
  admissionGuards: true,
  credentials: [
    { name: 'hedge', deliveredSecret: 'hedge-keys', secrets: ['hedge-keys'], version: 2 },
    { name: 'maker', deliveredSecret: 'maker-keys', secrets: ['maker-keys'], version: 3 },
    { name: 'vault-only', secrets: [] },
  ],
  pods: [
    { name: 'maker-0', secrets: ['maker-keys'] },
    { name: 'hedge-0', secrets: ['hedge-keys', 'other'] },
    { name: 'web-0', secrets: [] },
  ],
};

export function emergencyAccess(
  spec: Partial<EmergencyAccessSpec> = {},
  status?: EmergencyAccessStatus,
  annotations: Readonly<Record<string, string>> = {},
): EmergencyAccess {
  return {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: {
      name: 'night',
      namespace: 'trading',
      uid: UID,
      generation: 1,
      creationTimestamp: toTime(CREATED_MS),
      annotations: {
        [ANNOTATIONS.createdBy]: JSON.stringify({ username: 'carol', uid: 'u-carol' }),
        ...annotations,
      },
    },
    spec: {
      subject: { kind: 'User', name: 'alice' },
      reason: 'orders are stuck and must be cancelled by hand',
      target: { credentials: ['maker'], pods: ['maker-0'] },
      permissions: ['AccessSecrets', 'EmergencyOverride'],
      duration: '30m',
      ...spec,
    },
    ...(status === undefined ? {} : { status }),
  };
}

export function decision(
  act: DecisionAct,
  username: string,
  atMs: number = CREATED_MS + MINUTE_MS,
  reason = `${username} says that it is right to ${act}`,
): Decision {
  return { act, username, uid: `u-${username}`, groups: ['people'], reason, at: toTime(atMs) };
}

/** An entry of the annotation, stamped as admission does it. */
export function stamped(
  made: Decision,
  uid: string = UID,
  key: Uint8Array = STAMP_KEY,
): Decision & { readonly mac: string } {
  const { uid: userUid, ...rest } = made;
  return { ...made, mac: signDecision(key, { ...rest, uid, userUid }) };
}

export function decisionsAnnotation(
  decisions: readonly Decision[],
): Readonly<Record<string, string>> {
  return { [ANNOTATIONS.decisions]: JSON.stringify(decisions.map((one) => stamped(one))) };
}

export function toTime(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z');
}
