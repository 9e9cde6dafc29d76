import { isFinal } from '#access/emergency/decide.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { ANNOTATIONS } from '#api/names.ts';
import type { OpenCluster } from '#cli/cluster.ts';
import { openCluster } from '#cli/cluster.ts';
import { getEmergencyAccess } from '#cli/emergency-access.ts';
import { checkRequest, emergencyOf, remarkOn } from '#cli/emergency-manifest.ts';
import { describeEmergency, emergencyJson, nextStep } from '#cli/emergency-output.ts';
import { checkCreatorRecorded, checkRecorded } from '#cli/emergency-recorded.ts';
import type { EmergencyRequestOptions } from '#cli/emergency.ts';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { pollUntil } from '#cli/wait.ts';
import { whoAmI } from '#cli/who-am-i.ts';
import { isKubeError } from '#kube/errors.ts';

const FIELD_MANAGER = 'strongroom-cli';

export async function emergencyRequest(io: Io, options: EmergencyRequestOptions): Promise<void> {
  // What is wrong on the command line is said before anybody is asked.
  checkRequest(options);
  await using cluster = await openCluster(io, options);
  const me = await whoAmI(cluster.client, io.signal);
  const wished = emergencyOf(options, cluster.namespace, me, io.now());
  const remark = remarkOn(wished);
  if (remark !== undefined) notice(io, `note: ${remark}`);
  const isDryRun = options.dryRun === true;
  let access = await create(io, cluster, wished, isDryRun);
  const { name } = access.metadata;
  if (isDryRun) {
    notice(io, `EmergencyAccess ${cluster.namespace}/${name} would be taken; nothing was written`);
    return;
  }
  checkCreatorRecorded(access);
  notice(io, `asked for EmergencyAccess ${cluster.namespace}/${name}`);
  if (options.self === true && options.secondReason !== undefined) {
    access = await approveAlone(io, cluster, access, options.secondReason, me.username);
  }
  if (options.wait === true) access = await waitUntilOpen(io, cluster, name, options.timeout);
  const now = io.now();
  print(
    io,
    options.output === 'json'
      ? JSON.stringify(emergencyJson(access, now), null, 2)
      : describeEmergency(access, now),
  );
  const next = nextStep(access, now);
  if (next !== undefined) notice(io, next);
  if (options.wait === true && access.status?.state !== 'Active') {
    throw new CliError(
      `EmergencyAccess ${cluster.namespace}/${name} is ${access.status?.state ?? 'Pending'}, and nobody got in by it`,
    );
  }
}

async function create(
  io: Io,
  { client }: OpenCluster,
  access: EmergencyAccess,
  dryRun: boolean,
): Promise<EmergencyAccess> {
  try {
    return await client.create<EmergencyAccess>(EMERGENCY_ACCESSES, access, {
      signal: io.signal,
      fieldManager: FIELD_MANAGER,
      dryRun,
    });
  } catch (error) {
    if (!isKubeError(error, 'ERR_KUBE_ALREADY_EXISTS')) throw error;
    const { namespace = '', name } = access.metadata;
    throw new CliError(
      `EmergencyAccess ${namespace}/${name} exists; look at it with "strongroom emergency show ${name} -n ${namespace}", or take another --name`,
      EXIT.failed,
      { cause: error },
    );
  }
}

async function approveAlone(
  io: Io,
  { client, namespace }: OpenCluster,
  access: EmergencyAccess,
  secondReason: string,
  username: string,
): Promise<EmergencyAccess> {
  const { metadata } = access;
  try {
    const written = await client.mergePatch<EmergencyAccess>(
      EMERGENCY_ACCESSES,
      { namespace, name: metadata.name },
      {
        metadata: {
          uid: metadata.uid,
          annotations: { [ANNOTATIONS.selfApprove]: secondReason.trim() },
        },
      },
      { signal: io.signal, fieldManager: FIELD_MANAGER },
    );
    checkRecorded('self-approve', access, written, username);
    return written;
  } catch (error) {
    notice(
      io,
      `it stays, and others can approve it: strongroom emergency approve ${metadata.name} -n ${namespace} --reason "…"`,
    );
    throw error;
  }
}

async function waitUntilOpen(
  io: Io,
  cluster: OpenCluster,
  name: string,
  timeoutSeconds: number,
): Promise<EmergencyAccess> {
  const { namespace } = cluster;
  const found = await pollUntil(io, timeoutSeconds, async () => {
    const access = await getEmergencyAccess(cluster, name, io.signal);
    const state = access.status?.state;
    return state === 'Active' || isFinal(state) ? access : undefined;
  });
  if (found !== undefined) return found;
  throw new CliError(
    `EmergencyAccess ${namespace}/${name} is not active after ${timeoutSeconds} s; it goes on waiting. Others approve it with "strongroom emergency approve ${name} -n ${namespace} --reason …"; "strongroom emergency show ${name} -n ${namespace}" says what it waits for`,
    EXIT.timedOut,
  );
}
