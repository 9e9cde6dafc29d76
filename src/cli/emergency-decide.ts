/** Deciding about an EmergencyAccess: an annotation, which admission stamps with who set it. */
import { isFinal } from '#access/emergency/decide.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { ANNOTATIONS } from '#api/names.ts';
import { openCluster } from '#cli/cluster.ts';
import { getEmergencyAccess } from '#cli/emergency-access.ts';
import { checkRecorded } from '#cli/emergency-recorded.ts';
import {
  describeEmergency,
  emergencyJson,
  nextStep,
  problemsOf,
  problemText,
} from '#cli/emergency-output.ts';
import type { EmergencyDecideOptions } from '#cli/emergency.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { pollUntil } from '#cli/wait.ts';
import { whoAmI } from '#cli/who-am-i.ts';

type Act = 'approve' | 'deny' | 'end' | 'review';

/** What is said once it is written. */
const DONE: Readonly<Record<Act, string>> = {
  approve: 'approved',
  deny: 'turned down',
  end: 'ended',
  review: 'reviewed',
};

export async function emergencyDecide(
  io: Io,
  act: Act,
  name: string,
  options: EmergencyDecideOptions,
): Promise<void> {
  const reason = options.reason.trim();
  if (reason === '') {
    throw usageError(`${act === 'review' ? '--finding' : '--reason'} is empty; it goes on record`);
  }
  await using cluster = await openCluster(io, options);
  const { client, namespace } = cluster;
  const access = await getEmergencyAccess(cluster, name, io.signal);
  const { username } = await whoAmI(client, io.signal);
  const annotation = ANNOTATIONS[act];
  // The same words of somebody else would change nothing, and so decide nothing.
  const isSaid = access.metadata.annotations?.[annotation] === reason;
  const written = await client.mergePatch<EmergencyAccess>(
    EMERGENCY_ACCESSES,
    { namespace, name },
    {
      metadata: {
        // Names the object that was looked at: one that was deleted and made anew is not meant.
        uid: access.metadata.uid,
        annotations: { [annotation]: isSaid ? `${reason} (${username})` : reason },
      },
    },
    { signal: io.signal, fieldManager: 'strongroom-cli' },
  );
  checkRecorded(act, access, written, username);
  notice(io, `${DONE[act]} EmergencyAccess ${namespace}/${name} as ${username}`);
  if (!options.wait) {
    // Who waits is shown them with all the rest.
    const problems = act === 'approve' ? problemsOf(written) : [];
    for (const problem of problems) notice(io, `problem: ${problemText(problem)}`);
    return;
  }
  const handled = await pollUntil(io, options.timeout, async () => {
    const present = await getEmergencyAccess(cluster, name, io.signal);
    return isHandled(act, present, username) ? present : undefined;
  });
  if (handled === undefined) {
    throw new CliError(
      `the operator has not dealt with it within ${options.timeout} s; it is on record all the same. Is the operator running? "strongroom doctor" says more`,
      EXIT.timedOut,
    );
  }
  const now = io.now();
  print(
    io,
    options.output === 'json'
      ? JSON.stringify(emergencyJson(handled, now), null, 2)
      : describeEmergency(handled, now),
  );
  const next = nextStep(handled, now);
  if (next !== undefined) notice(io, next);
}

function isHandled(act: Act, { status }: EmergencyAccess, username: string): boolean {
  switch (act) {
    case 'approve':
      return (
        isFinal(status?.state) ||
        status?.approvals?.some((one) => one.username === username) === true
      );
    case 'deny':
    case 'end':
      return isFinal(status?.state);
    case 'review':
      return status?.review !== undefined;
  }
}
