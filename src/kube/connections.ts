import { Agent } from 'undici';
import type { ClientCertificate, ClusterConfig } from '#kube/config.ts';

/** Kubelets swap a projected token long before it ends; a minute keeps us well inside that. */
const CREDENTIALS_MAX_AGE_MS = 60_000;
const CONNECTIONS = 32;
const CONNECT_TIMEOUT_MS = 10_000;

/** The connections to use, and the login to send over them, as of the last reading. */
export interface Session {
  readonly requests: Agent;
  /** A socket a watch, so that a dead connection costs one watch and not all of them. */
  readonly watches: Agent;
  /** Value of the Authorization header. */
  readonly authorization: string | undefined;
}

export interface Connections extends AsyncDisposable {
  /**
   * The session as of at most a minute ago. `refused` is one that the server answered 401 to: it is
   * not returned again before token, certificate and CA have been read anew.
   */
  current(refused?: Session): Promise<Session>;
}

export interface MonotonicClock {
  monotonicMs(): number;
}

/** Connections to one API server; new TLS material means new ones, old ones finish their calls. */
export function createConnections(config: ClusterConfig, clock: MonotonicClock): Connections {
  let session: Session | undefined;
  let readAtMs = 0;
  let tlsMaterial = '';
  /** Shared, so that a hundred calls refused at once read the token once. */
  let reading: Promise<Session> | undefined;

  async function read(fresh: boolean): Promise<Session> {
    const [ca, certificate, authorization] = await Promise.all([
      config.readCa(),
      config.readClientCertificate(fresh),
      config.readAuthorization(fresh),
    ]);
    const material = JSON.stringify([ca, certificate]);
    const previous = session;
    if (previous !== undefined && tlsMaterial === material) {
      session = { ...previous, authorization };
    } else {
      session = { ...openAgents(ca, certificate, config.tlsServerName), authorization };
      if (previous !== undefined) {
        closeLater(previous);
      }
    }
    tlsMaterial = material;
    readAtMs = clock.monotonicMs();
    return session;
  }

  return {
    async current(refused) {
      const known = session;
      if (
        known !== undefined &&
        known !== refused &&
        clock.monotonicMs() - readAtMs < CREDENTIALS_MAX_AGE_MS
      ) {
        return known;
      }
      reading ??= read(refused !== undefined).finally(() => {
        reading = undefined;
      });
      try {
        return await reading;
      } catch (error) {
        // A file that is missing for a moment must not stop calls that would still succeed.
        if (known === undefined || known === refused) throw error;
        return known;
      }
    },

    async [Symbol.asyncDispose]() {
      // A reading that still runs is not waited for: a plug-in may never end.
      void reading?.then(destroyAgents, () => undefined);
      if (session !== undefined) await destroyAgents(session);
    },
  };
}

/** Lets running calls finish; calls that were just handed these agents have yet to begin. */
function closeLater({ requests, watches }: Session): void {
  setImmediate(() => void Promise.all([requests.close(), watches.close()]));
}

async function destroyAgents({ requests, watches }: Session): Promise<void> {
  await Promise.all([requests.destroy(), watches.destroy()]);
}

function openAgents(
  ca: string | undefined,
  certificate: ClientCertificate | undefined,
  servername: string | undefined,
): Pick<Session, 'requests' | 'watches'> {
  const connect = {
    timeout: CONNECT_TIMEOUT_MS,
    ...(ca === undefined ? {} : { ca }),
    ...certificate,
    ...(servername === undefined ? {} : { servername }),
  };
  // Every call has a signal with a deadline of its own, and a quiet watch is no dead one.
  const shared = { connect, allowH2: false, headersTimeout: 0, bodyTimeout: 0 } as const;
  return {
    requests: new Agent({ ...shared, connections: CONNECTIONS }),
    watches: new Agent({ ...shared, pipelining: 0 }),
  };
}
