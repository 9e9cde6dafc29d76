import type { AuditRecord } from '#audit/audit.ts';
import type { AdmissionAct } from './acts.ts';
import type { AdmissionRequest } from './request.ts';
import type { Verdict } from './verdict.ts';

/** Directories of large firms give a person thousands of groups; a record stays a line. */
const MAX_GROUPS = 100;
const MAX_DETAIL = 1024;

/** `pods/exec`, `deployments.apps`: a resource with group and subresource, as kubectl writes it. */
export function resourceName({
  resource,
  subResource,
}: Pick<AdmissionRequest, 'resource' | 'subResource'>): string {
  const name = groupedName(resource);
  return subResource === undefined ? name : `${name}/${subResource}`;
}

function groupedName({ group, resource }: AdmissionRequest['resource']): string {
  return group === '' ? resource : `${resource}.${group}`;
}

/**
 * The audit record of a decision, joined with log and answer by the uid of the review: names and
 * fixed words, nothing of what the objects hold.
 */
export function decisionRecord(request: AdmissionRequest, verdict: Verdict): AuditRecord {
  const { userInfo, kind, namespace, subResource, operation, dryRun } = request;
  const { allowed, reason, policies = [], emergencyAccess, findings = [] } = verdict;
  const act: AdmissionAct = allowed ? 'AdmissionAllowed' : 'AdmissionRefused';
  const metadata = request.object?.metadata ?? request.oldObject?.metadata;
  const uid = metadata?.uid;
  const more = userInfo.groups.length - MAX_GROUPS;
  const copied = findings.flatMap(({ credential }) => credential ?? []);
  return {
    act,
    actor: {
      kind: 'User',
      name: userInfo.username,
      ...(userInfo.uid === undefined ? {} : { uid: userInfo.uid }),
      groups: userInfo.groups.slice(0, MAX_GROUPS),
    },
    object: {
      apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
      kind: kind.kind,
      ...(namespace === undefined ? {} : { namespace }),
      name: request.name === '' ? (metadata?.generateName ?? '') : request.name,
      ...(uid === undefined ? {} : { uid }),
    },
    decision: allowed ? 'Allow' : 'Deny',
    outcome: 'Succeeded',
    requestId: request.uid,
    details: {
      operation,
      resource: groupedName(request.resource),
      ...(subResource === undefined ? {} : { subResource }),
      dryRun,
      ...(reason === undefined ? {} : { reason }),
      ...(policies.length === 0 ? {} : { policies: textOf(policies) }),
      ...(emergencyAccess === undefined ? {} : { emergencyAccess }),
      ...(findings.length === 0 ? {} : { findings: textOf(findings.map(({ type }) => type)) }),
      ...(copied.length === 0 ? {} : { copied: textOf(copied) }),
      ...(more > 0 ? { groupsLeftOut: more } : {}),
    },
  };
}

/** Each once. */
function textOf(names: readonly string[]): string {
  return [...new Set(names)].join(',').slice(0, MAX_DETAIL);
}
