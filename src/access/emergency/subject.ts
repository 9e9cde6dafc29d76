import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCOUNT_PREFIX } from '#api/names.ts';
import { serviceAccountUsername } from '#access/identity.ts';
import { createHash } from 'node:crypto';

/** Whom an EmergencyAccess lets in: the username as the API server tells it. */
export function subjectUsername({ metadata, spec }: EmergencyAccess): string {
  const { kind, name } = spec.subject;
  return kind === 'ServiceAccount' ? serviceAccountUsername(metadata.namespace ?? '', name) : name;
}

const MAX_NAME = 253;

/** The ServiceAccount whose tokens read delivered Secrets for the EmergencyAccess of this name. */
export function emergencyAccountName(access: string): string {
  return shortened(`${EMERGENCY_ACCOUNT_PREFIX}${access}`);
}

/** How a shortened name ends. One that ends so by itself could be that of another, and gets its own. */
const SHORTENED = /-[0-9a-f]{16}$/;

/** A name that the API server takes, and that no other name is shortened to. */
export function shortened(name: string): string {
  if (name.length <= MAX_NAME && !SHORTENED.test(name)) return name;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 16);
  return `${name.slice(0, MAX_NAME - digest.length - 1).replace(/[^a-z0-9]+$/, '')}-${digest}`;
}
