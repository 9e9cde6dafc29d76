/** The shape of a rule: a pure function of request, world, clock and settings. */
import type { Environment } from '#api/exchange-credential.ts';
import type { AdmissionRequest } from './request.ts';
import type { Verdict } from './verdict.ts';
import type { AdmissionWorld } from './world.ts';

export interface AdmissionSettings {
  /** Namespace of the operator: of the vault and the seal keys. */
  readonly operatorNamespace: string;
  /** `system:serviceaccount:<namespace>:<account>`. */
  readonly operatorUsername: string;
  readonly emergency: EmergencySettings;
}

export interface EmergencySettings {
  readonly maxDurationMs: number;
  /** How many people must approve, by environment; one without an environment counts as Production. */
  readonly approvals: Readonly<Record<Environment, number>>;
  /** Whether the subject may approve alone, with a second reason, loudly. */
  readonly selfApproval: boolean;
  /** After this a request that nobody approved is over. */
  readonly approvalTimeoutMs: number;
}

export interface RuleContext {
  readonly world: AdmissionWorld;
  readonly settings: AdmissionSettings;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

export type Rule = (request: AdmissionRequest, context: RuleContext) => Verdict;
