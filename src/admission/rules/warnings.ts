/** What is legal for a pod, and unwise where credentials are. */
import { isRecord } from '#access/reading.ts';
import type { PodTemplate } from '../pods/pod-template.ts';
import type { SecretUse } from '../pods/secrets-of.ts';
import { warn } from '../warn.ts';

/** Each kind of warning is told once: a pod of a hundred containers gets no hundred of them. */
export function podWarnings(
  template: PodTemplate,
  isPod: boolean,
  guarded: readonly SecretUse[],
): readonly string[] {
  return [
    ...environmentWarning(guarded),
    ...subPathWarning(template, guarded),
    ...(guarded.length > 0 ? tokenWarning(template, isPod) : []),
    ...nodeWarning(template),
  ].map(warn);
}

function environmentWarning(guarded: readonly SecretUse[]): readonly string[] {
  const use = guarded.find((one) => one.use === 'Environment');
  if (use === undefined) return [];
  return [
    `Secret ${use.secret} is in an environment variable (${use.field}): a new version reaches it only when the pod starts anew; mount it as a volume`,
  ];
}

function subPathWarning({ spec }: PodTemplate, guarded: readonly SecretUse[]): readonly string[] {
  const secrets = new Set(guarded.map(({ secret }) => secret));
  if (secrets.size === 0) return [];
  const volumes = new Map(
    records(spec['volumes']).flatMap((volume) => {
      const secret = secretOfVolume(volume, secrets);
      return secret === undefined ? [] : [[volume['name'], secret] as const];
    }),
  );
  for (const list of ['containers', 'initContainers', 'ephemeralContainers']) {
    for (const container of records(spec[list])) {
      for (const mount of records(container['volumeMounts'])) {
        const secret = volumes.get(mount['name']);
        if (secret === undefined || !(isText(mount['subPath']) || isText(mount['subPathExpr']))) {
          continue;
        }
        return [
          `Secret ${secret} is mounted with subPath by container ${textOf(container['name'])}: a new version never reaches it; mount the whole volume`,
        ];
      }
    }
  }
  return [];
}

function secretOfVolume(
  { secret, projected }: Readonly<Record<string, unknown>>,
  guarded: ReadonlySet<string>,
): string | undefined {
  const named = isRecord(secret) ? [secret['secretName']] : [];
  const sources = isRecord(projected) ? records(projected['sources']) : [];
  const names = [
    ...named,
    ...sources.map((source) => (isRecord(source['secret']) ? source['secret']['name'] : undefined)),
  ];
  return names.find((name): name is string => isText(name) && guarded.has(name));
}

function tokenWarning(template: PodTemplate, isPod: boolean): readonly string[] {
  // Of a pod the API server has added the volume already, or left it out as the account asks.
  const isMounted = isPod
    ? holdsToken(template)
    : template.spec['automountServiceAccountToken'] !== false;
  if (!isMounted) return [];
  return [
    'the token of its ServiceAccount is mounted beside a credential: unless the pod talks to the API server, set automountServiceAccountToken: false',
  ];
}

/** Whether a volume holds a token of the pod's ServiceAccount. */
export function holdsToken({ spec }: PodTemplate): boolean {
  return records(spec['volumes']).some(
    ({ projected }) =>
      isRecord(projected) &&
      records(projected['sources']).some((source) => isRecord(source['serviceAccountToken'])),
  );
}

function nodeWarning({ spec }: PodTemplate): readonly string[] {
  const reasons = [
    ...(records(spec['volumes']).some(({ hostPath }) => isRecord(hostPath)) ? ['hostPath'] : []),
    ...(spec['hostPID'] === true ? ['hostPID'] : []),
    ...(isPrivileged(spec) ? ['a privileged container'] : []),
  ];
  if (reasons.length === 0) return [];
  return [
    `${reasons.join(' and ')} can read the Secrets of other pods on the node: enforce a Pod Security Standard here (label pod-security.kubernetes.io/enforce: baseline)`,
  ];
}

function isPrivileged(spec: Readonly<Record<string, unknown>>): boolean {
  return ['containers', 'initContainers', 'ephemeralContainers'].some((list) =>
    records(spec[list]).some(
      ({ securityContext }) => isRecord(securityContext) && securityContext['privileged'] === true,
    ),
  );
}

function records(value: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(value) ? value.filter(isRecord) : [];
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
