/** What a pod, or the template of a workload, says about the pods that come of it. */
import { isDeepStrictEqual } from 'node:util';
import { isRecord } from '#access/reading.ts';

export interface PodTemplate {
  readonly labels: Readonly<Record<string, unknown>>;
  readonly spec: Readonly<Record<string, unknown>>;
}

/** Where a workload keeps its template. */
const TEMPLATE_PATHS: ReadonlyMap<string, readonly string[]> = new Map([
  ['pods', []],
  ['podtemplates', ['template']],
  ['replicationcontrollers', ['spec', 'template']],
  ['deployments', ['spec', 'template']],
  ['statefulsets', ['spec', 'template']],
  ['daemonsets', ['spec', 'template']],
  ['replicasets', ['spec', 'template']],
  ['jobs', ['spec', 'template']],
  ['cronjobs', ['spec', 'jobTemplate', 'spec', 'template']],
]);

/** Of a pod: itself. Undefined where there is none, or the resource is not known to have one. */
export function templateOf(resource: string, object: unknown): PodTemplate | undefined {
  let at: unknown = object;
  const path = TEMPLATE_PATHS.get(resource);
  if (path === undefined) return undefined;
  for (const step of path) at = isRecord(at) ? at[step] : undefined;
  if (!isRecord(at)) return undefined;
  const { metadata, spec } = at;
  if (!isRecord(spec)) return undefined;
  const labels = isRecord(metadata) && isRecord(metadata['labels']) ? metadata['labels'] : {};
  return { labels, spec };
}

/** As many characters as the value of a label may have, so that an account's name fits into one. */
export const MAX_LABEL = 63;

/** The ServiceAccount that its pods run under. */
export function accountNameOf({ spec }: PodTemplate): string {
  for (const field of ['serviceAccountName', 'serviceAccount']) {
    const name = spec[field];
    if (typeof name === 'string' && name !== '') return name;
  }
  return 'default';
}

/** Parts of a pod that say what runs in it and what it holds; of the rest little can be changed. */
export const RUNS = [
  'containers',
  'initContainers',
  'ephemeralContainers',
  'volumes',
  'imagePullSecrets',
  'serviceAccountName',
  'serviceAccount',
] as const;

/**
 * Whether a changed pod does what it did. Another image is another program with the same Secrets, and
 * so is another command: it counts as a change like another account.
 */
export function runsTheSame(now: PodTemplate, before: PodTemplate): boolean {
  return RUNS.every((field) => isDeepStrictEqual(now.spec[field], before.spec[field]));
}

/** The same of a template, where anything can be changed: only its labels and annotations may differ. */
export function makesTheSame(now: PodTemplate, before: PodTemplate): boolean {
  return isDeepStrictEqual(now.spec, before.spec);
}
