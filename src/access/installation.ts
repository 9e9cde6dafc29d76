/**
 * The status of the installation as a whole: who administers it, and through which RBAC of others
 * one could get round every policy. It stands in a ConfigMap, since no one object is about it.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Condition, Finding } from '#api/access-policy.ts';
import { FIELD_MANAGER, LABELS } from '#api/names.ts';
import type { KubeClient } from '#kube/client.ts';
import { CONFIG_MAPS } from '#kube/resources.ts';
import { setCondition } from '#runtime/conditions.ts';
import { ACCESS_LEVELS } from '#api/roles.ts';
import type { CompiledPolicy } from './compile.ts';
import type { AdmissionReport } from './guard-board.ts';
import { describeSubject } from './identity.ts';

export const INSTALLATION_STATUS = 'strongroom-status';
const MAX_FINDINGS = 500;

export interface InstallationStatus {
  readonly conditions: readonly Condition[];
  readonly findingCount: number;
  readonly findings: readonly Finding[];
}

/** Subjects that may write policies: who holds ManageUsers at Admin, constrained or not. */
export function administrators(policies: readonly CompiledPolicy[]): readonly string[] {
  const admin = ACCESS_LEVELS.indexOf('Admin');
  const holders = policies
    .filter((policy) => policy.effect === 'Allow' && policy.rank('ManageUsers') >= admin)
    .flatMap(({ subjects }) => subjects.map(describeSubject));
  return [...new Set(holders)].sort();
}

export function installationStatus(
  before: InstallationStatus | undefined,
  holders: readonly string[],
  findings: readonly Finding[],
  nowMs: number,
  admission?: AdmissionReport,
): InstallationStatus {
  const isHeld = holders.length > 0;
  const isSound = findings.length === 0;
  const verdicts = [
    {
      type: 'AdministratorPresent',
      status: isHeld ? ('True' as const) : ('False' as const),
      reason: isHeld ? 'ManageUsersHeld' : 'NobodyHoldsManageUsers',
      message: isHeld
        ? `ManageUsers at Admin is held by ${listSome(holders)}`
        : 'No AccessPolicy gives ManageUsers at Admin: only system:masters may write policies; set bootstrapSubjects of the chart, or apply one as system:masters',
    },
    {
      type: 'Undermined',
      status: isSound ? ('False' as const) : ('True' as const),
      reason: isSound ? 'NoWeakness' : 'WeaknessesFound',
      message: isSound
        ? 'No RBAC of others lets anyone round the policies'
        : `RBAC of others lets somebody round the policies in ${findings.length} ${findings.length === 1 ? 'way' : 'ways'}`,
    },
    ...(admission === undefined
      ? []
      : [
          {
            type: 'AdmissionGuards',
            status: admission.guards ? ('True' as const) : ('False' as const),
            reason: admission.reason,
            message: admission.message,
          },
        ]),
  ];
  let conditions = before?.conditions ?? [];
  for (const next of verdicts) conditions = setCondition(conditions, next, nowMs);
  return { conditions, findingCount: findings.length, findings: findings.slice(0, MAX_FINDINGS) };
}

export async function readInstallationStatus(
  client: KubeClient,
  namespace: string,
  signal: AbortSignal,
): Promise<InstallationStatus | undefined> {
  const found = await client.find(
    CONFIG_MAPS,
    { namespace, name: INSTALLATION_STATUS },
    { signal },
  );
  const text = found?.data?.['status'];
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as InstallationStatus;
  } catch {
    // Edited by hand: what stands there is replaced.
    return undefined;
  }
}

/** Whether it had to be written. */
export async function writeInstallationStatus(
  client: KubeClient,
  namespace: string,
  before: InstallationStatus | undefined,
  next: InstallationStatus,
  signal: AbortSignal,
): Promise<boolean> {
  if (isDeepStrictEqual(before, next)) return false;
  await client.apply(
    CONFIG_MAPS,
    {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: {
        namespace,
        name: INSTALLATION_STATUS,
        labels: { [LABELS.component]: 'installation-status' },
      },
      data: { status: JSON.stringify(next, undefined, 2) },
    },
    { fieldManager: FIELD_MANAGER, force: true, signal },
  );
  return true;
}

function listSome(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(', ');
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
