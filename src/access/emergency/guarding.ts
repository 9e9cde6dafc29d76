import type { AdmissionReport } from '#access/guard-board.ts';

/** Nobody was let through: either all is refused, or it is not known. */
const UNDECIDED: ReadonlySet<string> = new Set(['WebhookDoesNotAnswer', 'NotTried']);

/**
 * Whether admission narrows what the subject of an EmergencyAccess may do. `undefined`: nothing may
 * begin, and what stands may stay, since whatever only the webhook can decide is refused meanwhile.
 */
export function guardsFor(report: AdmissionReport | undefined): boolean | undefined {
  if (report === undefined || (!report.guards && UNDECIDED.has(report.reason))) return undefined;
  return report.guards;
}
