/** The EmergencyAccess that somebody asks for on the command line. */
import type { Identity } from '#access/identity.ts';
import { parseServiceAccount } from '#access/identity.ts';
import { isSecondReason } from '#access/emergency/decisions.ts';
import { isDuration, parseDuration } from '#api/duration.ts';
import { SHORTEST_REASON } from '#api/emergency-access-rules.ts';
import type { EmergencyAccess, EmergencySubject } from '#api/emergency-access.ts';
import type { EmergencyRequestOptions } from '#cli/emergency.ts';
import { usageError } from '#cli/errors.ts';

/** Shorter ones end before a token of the shortest kind does. */
const SHORTEST_FOR_TOKENS_MS = 12 * 60_000;

/**
 * @throws CliError that says what is missing; nobody is asked for that
 */
export function checkRequest(options: EmergencyRequestOptions): void {
  const { reason, credential, pod, allPods, self, secondReason } = options;
  if (Array.from(reason.trim()).length < SHORTEST_REASON) {
    throw usageError(
      `--reason has ${Array.from(reason.trim()).length} characters, at least ${SHORTEST_REASON} are needed: say what happened and what has to be done`,
    );
  }
  if (credential === undefined && pod === undefined && allPods !== true) {
    throw usageError('say what it is about: --credential, --pod or --all-pods');
  }
  if (options.for !== undefined && !isDuration(options.for)) {
    throw usageError('--for wants whole hours, minutes and seconds, such as 30m or 1h');
  }
  if (self === true && secondReason === undefined) {
    throw usageError('--self needs --second-reason: say why nobody else can approve it');
  }
  if (self !== true && secondReason !== undefined) {
    throw usageError('--second-reason is for --self; others approve with a reason of theirs');
  }
}

export function emergencyOf(
  options: EmergencyRequestOptions,
  namespace: string,
  me: Identity,
  nowMs: number,
): EmergencyAccess {
  const { credential, pod, allPods, ticket, secondReason } = options;
  const subject = subjectOf(options, namespace, me);
  const pods = allPods === true ? ['*'] : pod;
  const access: EmergencyAccess = {
    apiVersion: 'strongroom.dev/v1alpha1',
    kind: 'EmergencyAccess',
    metadata: { namespace, name: options.name ?? nameFor(subject, nowMs) },
    spec: {
      subject,
      reason: options.reason.trim(),
      ...(ticket === undefined ? {} : { ticket }),
      target: {
        ...(credential === undefined ? {} : { credentials: credential }),
        ...(pods === undefined ? {} : { pods }),
      },
      permissions: [
        ...(credential === undefined ? [] : (['AccessSecrets'] as const)),
        ...(pods === undefined ? [] : (['EmergencyOverride'] as const)),
      ],
      ...(options.for === undefined ? {} : { duration: options.for }),
    },
  };
  if (secondReason !== undefined && !isSecondReason(secondReason, access)) {
    throw usageError(
      `--second-reason needs at least ${SHORTEST_REASON} characters and must not repeat --reason: say why nobody else can approve it`,
    );
  }
  return access;
}

/** What is legal and of little use; undefined: nothing. */
export function remarkOn({ spec }: EmergencyAccess): string | undefined {
  const { duration, permissions } = spec;
  if (duration === undefined || !permissions.includes('AccessSecrets')) return undefined;
  return parseDuration(duration) < SHORTEST_FOR_TOKENS_MS
    ? `within ${duration} no Secret can be read: tokens are for 10 minutes at least, and end a little before the access does; ask for 15m`
    : undefined;
}

function subjectOf(
  { subject, serviceAccount }: EmergencyRequestOptions,
  namespace: string,
  me: Identity,
): EmergencySubject {
  if (serviceAccount !== undefined) return { kind: 'ServiceAccount', name: serviceAccount };
  const username = subject ?? me.username;
  const account = parseServiceAccount(username);
  if (account === undefined) return { kind: 'User', name: username };
  if (account.namespace !== namespace) {
    throw usageError(
      `${username} is a ServiceAccount of another namespace than ${namespace}, and only those of its own get in; name a person with --subject`,
    );
  }
  return { kind: 'ServiceAccount', name: account.name };
}

/** `alice-20261126-151000`; what a name cannot hold is left out. */
function nameFor({ name }: EmergencySubject, nowMs: number): string {
  const slug = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 40)
    .replace(/-+$/, '');
  const [day = '', time = ''] = new Date(nowMs)
    .toISOString()
    .replaceAll(/[-:]|\.\d+Z/g, '')
    .split('T');
  return `${slug === '' ? 'emergency' : slug}-${day}-${time}`;
}
