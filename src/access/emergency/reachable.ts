/** Which credentials an EmergencyAccess brings its subject to, and which of them are still the same. */
import type { EmergencyAccess, EmergencyCredential } from '#api/emergency-access.ts';
import type { EmergencyWorld, TargetCredential } from './world.ts';

/**
 * Names of the credentials that are reachable now: those of the target, and those that a target pod
 * holds or has a token for, since whoever runs commands in a pod reads what it mounts, and acts as its
 * account. Sorted.
 */
export function reachableCredentials(
  { spec }: EmergencyAccess,
  { credentials, pods = [] }: EmergencyWorld,
): readonly string[] {
  const { target, permissions } = spec;
  const named = new Set(permissions.includes('AccessSecrets') ? target.credentials : []);
  const entered = permissions.includes('EmergencyOverride')
    ? pods.filter(({ name }) => isTargetPod(target.pods, name))
    : [];
  const held = new Set(entered.flatMap(({ secrets }) => secrets));
  const read = new Set(entered.flatMap(({ reads = [] }) => reads));
  return credentials
    .filter(
      ({ name, secrets }) =>
        named.has(name) || read.has(name) || secrets.some((secret) => held.has(secret)),
    )
    .map(({ name }) => name)
    .sort();
}

export function isTargetPod(pods: readonly string[] | undefined, name: string): boolean {
  return pods !== undefined && (pods.includes('*') || pods.includes(name));
}

/** As many as the status holds; what was recorded stays. */
const MAX_RECORDED = 1000;

/** While it is active: what was reachable at any time, with the newest version that was. */
export function withReachable(
  recorded: readonly EmergencyCredential[],
  reachable: readonly string[],
  credentials: readonly TargetCredential[],
): readonly EmergencyCredential[] {
  const before = new Map(recorded.map((one) => [one.name, one]));
  const now = new Map(credentials.map((one) => [one.name, one]));
  const names = [...new Set([...before.keys(), ...reachable])].slice(0, MAX_RECORDED).sort();
  return names.map((name) => {
    const versions = [before.get(name)?.version, now.get(name)?.version].filter(
      (version) => version !== undefined,
    );
    return {
      name,
      ...(versions.length === 0 ? {} : { version: Math.max(...versions) }),
      rotated: false,
    };
  });
}

/** After the end: whether a newer version is current. Of one without any version nothing was read. */
export function withRotated(
  recorded: readonly EmergencyCredential[],
  credentials: readonly TargetCredential[],
): readonly EmergencyCredential[] {
  const now = new Map(credentials.map((one) => [one.name, one]));
  return recorded.map((one) => {
    if (one.version === undefined) return { ...one, rotated: true };
    const current = now.get(one.name)?.version;
    // Of a credential that is gone, or has no current version, the exchange may still take the key.
    return current === undefined ? one : { ...one, rotated: current > one.version };
  });
}
