/**
 * Requests that must be refused, made as dry runs: whether they are shows that admission guards. The
 * label alone makes the webhook refuse, whoever asks; and no token that stays is ever made for the
 * account of an EmergencyAccess, which the twin says whether or not a webhook answers.
 */
import { EMERGENCY_ACCOUNT_PREFIX, LABELS } from '#api/names.ts';
import type { IPBlock } from '#api/ip-block.ts';
import { KubeError } from '#kube/errors.ts';
import type { Secret } from '#kube/objects.ts';

const NAME = 'strongroom-probe';

/** An address for documentation (RFC 5737), for whom a ban would mean nothing. */
export const WEBHOOK_PROBE: IPBlock = {
  apiVersion: 'strongroom.dev/v1alpha1',
  kind: 'IPBlock',
  metadata: { name: NAME, labels: { [LABELS.probe]: 'true' } },
  spec: {
    cidrs: ['192.0.2.1/32'],
    reason: 'shows that admission refuses what it has to',
    mode: 'Observe',
  },
};

/** Of a guarded namespace. */
export function twinProbe(namespace: string): Secret {
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name: NAME,
      namespace,
      annotations: {
        'kubernetes.io/service-account.name': `${EMERGENCY_ACCOUNT_PREFIX}probe`,
      },
    },
    type: 'kubernetes.io/service-account-token',
  };
}

export type ProbeOutcome =
  /** As it should be. */
  | 'Refused'
  /** Nothing guards. */
  | 'LetThrough'
  /** The webhook is asked and does not answer: what only it decides is refused, for everyone. */
  | 'NoAnswer'
  /** RBAC refused before admission was asked. */
  | 'NotAllowed'
  /** Nobody knows: the API server could not be asked. */
  | 'Unknown';

/**
 * What an attempt means: `error` is what the dry run ended with, undefined when it went through.
 * `mayAsk`: RBAC is known to allow it, so that "forbidden" was said by admission; else the words tell.
 */
export function probeOutcome(error: unknown, mayAsk = false): ProbeOutcome {
  if (error === undefined) return 'LetThrough';
  if (!(error instanceof KubeError)) return 'Unknown';
  const { code, message } = error;
  if (/failed calling webhook/.test(message)) return 'NoAnswer';
  if (code === 'ERR_KUBE_ALREADY_EXISTS') return 'LetThrough';
  const isByAdmission =
    /admission webhook "[^"]*strongroom\.dev" denied|ValidatingAdmissionPolicy 'strongroom-/.test(
      message,
    );
  if (isByAdmission) return 'Refused';
  if (code === 'ERR_KUBE_FORBIDDEN') return mayAsk ? 'Refused' : 'NotAllowed';
  return 'Unknown';
}
