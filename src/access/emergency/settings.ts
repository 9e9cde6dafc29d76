/** How an installation wants emergency access: from the operator's configuration. */
import type { Environment } from '#api/exchange-credential.ts';

export interface EmergencySettings {
  readonly maxDurationMs: number;
  /** How many people must approve, by environment; one without an environment counts as Production. */
  readonly approvals: Readonly<Record<Environment, number>>;
  /** Whether the subject may approve alone, with a second reason, loudly. */
  readonly selfApproval: boolean;
  /** After this a request that nobody approved is over. */
  readonly approvalTimeoutMs: number;
}

/** How many other people must approve where the namespace is of this environment. */
export function approvalsNeeded(
  settings: EmergencySettings,
  environment: Environment | undefined,
): number {
  return settings.approvals[environment ?? 'Production'];
}
