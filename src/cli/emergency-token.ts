/** A token that reads delivered Secrets for as long as an EmergencyAccess lasts. */
import { remainingMs } from '#access/emergency/active.ts';
import { subjectUsername } from '#access/emergency/subject.ts';
import { isDuration, parseDuration } from '#api/duration.ts';
import { openCluster } from '#cli/cluster.ts';
import { getEmergencyAccess } from '#cli/emergency-access.ts';
import { stateOf } from '#cli/emergency-output.ts';
import type { EmergencyTokenOptions } from '#cli/emergency.ts';
import { CliError, EXIT, usageError } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { notice, print } from '#cli/io.ts';
import { whoAmI } from '#cli/who-am-i.ts';
import { TOKEN_REQUESTS } from '#kube/resources.ts';

/** The API server gives no shorter token. */
const SHORTEST_S = 600;
/** It may take each for 75 s after its end, which admission holds back; and the way there takes time. */
const LEEWAY_S = 80;
/** For just this time some API servers give a token for a year instead (of kubelets of old). */
const EXTENDED_S = 3607;

export async function emergencyToken(
  io: Io,
  name: string,
  options: EmergencyTokenOptions,
): Promise<void> {
  if (options.for !== undefined && !isDuration(options.for)) {
    throw usageError('--for wants whole hours, minutes and seconds, such as 15m');
  }
  if (io.stdout.isTTY === true && options.show !== true) {
    throw usageError(
      'stdout is a terminal, and its history would keep the token; redirect it to a file that only you can read, or use --show',
    );
  }
  await using cluster = await openCluster(io, options);
  const { client, namespace } = cluster;
  const access = await getEmergencyAccess(cluster, name, io.signal);
  const what = `EmergencyAccess ${namespace}/${name}`;
  const state = stateOf(access, io.now());
  if (state !== 'Active') {
    throw new CliError(
      `${what} is ${state}; tokens are for one that is Active. "strongroom emergency show ${name} -n ${namespace}" says more`,
    );
  }
  const { serviceAccount } = access.status ?? {};
  if (serviceAccount === undefined) {
    throw new CliError(
      `${what} is not about Secrets (AccessSecrets), so that there is nothing to read; ask for another one with --credential`,
    );
  }
  const { username } = await whoAmI(client, io.signal);
  if (username !== subjectUsername(access)) {
    throw new CliError(
      `${what} lets ${subjectUsername(access)} in, and you are ${username}`,
      EXIT.forbidden,
    );
  }
  const expirationSeconds = secondsFor(
    remainingMs(access, io.now()),
    options.for === undefined ? undefined : parseDuration(options.for),
    what,
  );
  const { status } = await client.create(
    TOKEN_REQUESTS,
    {
      apiVersion: 'authentication.k8s.io/v1',
      kind: 'TokenRequest',
      metadata: { namespace, name: serviceAccount },
      spec: { expirationSeconds },
    },
    { subresource: 'token', signal: io.signal },
  );
  if (status === undefined) throw new CliError('the API server gave no token');
  print(
    io,
    options.format === 'token' ? status.token : await kubeconfigOf(io, options, namespace, status),
  );
  notice(io, `the token ends at ${status.expirationTimestamp}`);
}

/** Whole seconds; so that the token ends before the access does. @throws CliError */
export function secondsFor(leftMs: number, wishedMs: number | undefined, what: string): number {
  const left = Math.floor(leftMs / 1000) - LEEWAY_S;
  if (left < SHORTEST_S) {
    throw new CliError(
      `${what} ends in ${Math.floor(leftMs / 1000)} s, and no token is for less than ${SHORTEST_S} s (and ${LEEWAY_S} s more, for which the API server may take it after its end); ask for another one`,
    );
  }
  if (wishedMs !== undefined && wishedMs < SHORTEST_S * 1000) {
    throw usageError('--for is less than 10m, and the API server gives no shorter token');
  }
  const seconds = Math.min(left, wishedMs === undefined ? left : Math.floor(wishedMs / 1000));
  return seconds === EXTENDED_S ? seconds - 1 : seconds;
}

/** To the same API server as the person's own, in JSON, which is YAML too. */
async function kubeconfigOf(
  io: Io,
  options: EmergencyTokenOptions,
  namespace: string,
  { token }: { readonly token: string },
): Promise<string> {
  const { loadClusterConfig } = await import('#kube/config.ts');
  const config = await loadClusterConfig({
    env: io.env,
    ...(options.kubeconfig === undefined ? {} : { kubeconfig: options.kubeconfig }),
    ...(options.context === undefined ? {} : { context: options.context }),
  });
  const ca = await config.readCa();
  const name = 'strongroom-emergency';
  return JSON.stringify(
    {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [
        {
          name,
          cluster: {
            server: config.server,
            ...(config.tlsServerName === undefined
              ? {}
              : { 'tls-server-name': config.tlsServerName }),
            ...(ca === undefined
              ? {}
              : { 'certificate-authority-data': Buffer.from(ca).toString('base64') }),
          },
        },
      ],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: name, user: name, namespace } }],
      'current-context': name,
    },
    null,
    2,
  );
}
