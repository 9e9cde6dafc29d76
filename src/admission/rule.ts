/** The shape of a rule: a pure function of request, world, clock and settings. */
import type { EmergencySettings } from '#access/emergency/settings.ts';
import type { Subject } from '#api/access-policy.ts';
import type { AdmissionRequest } from './request.ts';
import type { Verdict } from './verdict.ts';
import type { AdmissionWorld } from './world.ts';

export interface AdmissionSettings {
  /** Namespace of the operator: of the vault and the seal keys. */
  readonly operatorNamespace: string;
  /** `system:serviceaccount:<namespace>:<account>`. */
  readonly operatorUsername: string;
  readonly emergency: EmergencySettings;
  /** Of the chart: as long as there is no policy, the first one may be made for them. */
  readonly bootstrapSubjects?: readonly Subject[];
}

export interface RuleContext {
  readonly world: AdmissionWorld;
  readonly settings: AdmissionSettings;
  /** Milliseconds since the epoch. */
  readonly nowMs: number;
}

export type Rule = (request: AdmissionRequest, context: RuleContext) => Verdict;
