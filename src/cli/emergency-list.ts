import { isReviewDue } from '#access/emergency/active.ts';
import type { EmergencyAccess } from '#api/emergency-access.ts';
import { EMERGENCY_ACCESSES } from '#api/emergency-access.ts';
import { openCluster } from '#cli/cluster.ts';
import { getEmergencyAccess } from '#cli/emergency-access.ts';
import {
  describeEmergency,
  emergencyJson,
  emergencyTable,
  stateOf,
} from '#cli/emergency-output.ts';
import type { EmergencyListOptions, EmergencyOptions } from '#cli/emergency.ts';
import type { Io } from '#cli/io.ts';
import { print } from '#cli/io.ts';

export async function emergencyList(io: Io, options: EmergencyListOptions): Promise<void> {
  await using cluster = await openCluster(io, options);
  const isOfAll = options.allNamespaces === true;
  const scope = isOfAll ? { allNamespaces: true as const } : { namespace: cluster.namespace };
  const { items } = await cluster.client.list<EmergencyAccess>(EMERGENCY_ACCESSES, scope, {
    signal: io.signal,
  });
  const now = io.now();
  const found = items
    .filter((access) => options.active !== true || stateOf(access, now) === 'Active')
    .filter((access) => options.reviewDue !== true || isReviewDue(access))
    .sort(newestFirst);
  if (options.output === 'json') {
    const json = found.map((access) => emergencyJson(access, now));
    print(io, JSON.stringify(json, null, 2));
  } else {
    print(
      io,
      found.length === 0 ? 'No EmergencyAccesses found.' : emergencyTable(found, now, isOfAll),
    );
  }
}

export async function emergencyShow(
  io: Io,
  name: string,
  options: EmergencyOptions,
): Promise<void> {
  await using cluster = await openCluster(io, options);
  const access = await getEmergencyAccess(cluster, name, io.signal);
  const now = io.now();
  print(
    io,
    options.output === 'json'
      ? JSON.stringify(emergencyJson(access, now), null, 2)
      : describeEmergency(access, now),
  );
}

function newestFirst(a: EmergencyAccess, b: EmergencyAccess): number {
  const [one, other] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  if (one === other) return a.metadata.name < b.metadata.name ? -1 : 1;
  return one < other ? 1 : -1;
}
