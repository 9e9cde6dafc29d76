/** Who asks, as rules tell the few apart that are not judged by policies. */
import { SYSTEM_MASTERS } from '#access/identity.ts';
import type { Identity } from '#access/identity.ts';
import type { AdmissionSettings } from './rule.ts';
import type { UserInfo } from './request.ts';

export function identityOf({ username, groups }: UserInfo): Identity {
  return { username, groups };
}

export function isMaster({ groups }: UserInfo): boolean {
  return groups.includes(SYSTEM_MASTERS);
}

export function isOperator({ username }: UserInfo, settings: AdmissionSettings): boolean {
  return username === settings.operatorUsername;
}
