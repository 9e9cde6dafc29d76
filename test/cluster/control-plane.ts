import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type BinaryName,
  type ComponentName,
  type KubernetesVersion,
  type Progress,
  binary,
  controlPlaneBinaries,
  kubernetesVersion,
} from './build.ts';
import { CertificateAuthority, type KeyPair, createSigningKeys } from './certificates.ts';
import { formatKubeconfig } from './kubeconfig.ts';
import { type ClusterNetwork, createNetwork, unusedAddress } from './network.ts';
import { ensureNodeSupport } from './support.ts';
import { type Daemon, startDaemon, tail, until } from './process.ts';
import { type Reply, type RequestOptions, freePorts, request } from './request.ts';
import { type Scratch, createScratch, reapLeftovers } from './scratch.ts';

export interface ControlPlaneOptions {
  /** Default: what the environment variable `K8S` says, else the newest. */
  readonly version?: KubernetesVersion;
  readonly progress?: Progress;
  /** Whether nodes will be started: makes the cluster's network, which takes root. */
  readonly reachableFromNodes?: boolean;
}

/** etcd, the API server, the controller manager and the scheduler as processes on loopback. */
export interface ControlPlane extends AsyncDisposable {
  /** https://127.0.0.1:port */
  readonly server: string;
  /** Admin, of the group system:masters. */
  readonly kubeconfigPath: string;
  readonly caPem: string;
  /** Scratch directory; `logs/<component>.log` is in it. It goes when the control plane stops. */
  readonly directory: string;
  /** A kubeconfig for another identity, signed by the cluster's CA. Returns its path. */
  kubeconfigFor(user: string, groups?: readonly string[]): Promise<string>;
  /**
   * Compacts etcd at its current revision, after which watches, lists and continue tokens of older
   * resource versions answer 410. The API server answers those from its memory for some minutes,
   * so it is restarted too: open connections break.
   */
  compact(): Promise<void>;
  /** Stops and starts one component; resolves when it is ready again. */
  restart(component: ComponentName): Promise<void>;
  /** Stops one component (SIGSTOP): its connections stay open and fall silent. */
  pause(component: ComponentName): void;
  resume(component: ComponentName): void;
  stop(): Promise<void>;
}

/** What a node needs of the control plane that starts it. */
export interface ControlPlaneInternals {
  readonly authority: CertificateAuthority;
  readonly network: ClusterNetwork | undefined;
  /** https://…, for the nodes. */
  readonly serverForNodes: string;
  /** Called before the control plane stops. */
  readonly stopFirst: Set<() => Promise<void>>;
  /** Calls the API server as admin. */
  call(
    path: string,
    options?: Pick<RequestOptions, 'method' | 'body' | 'contentType'>,
  ): Promise<Reply>;
}

const internals = new WeakMap<ControlPlane, ControlPlaneInternals>();

/** @throws Error for a control plane that was not started here. */
export function internalsOf(controlPlane: ControlPlane): ControlPlaneInternals {
  const found = internals.get(controlPlane);
  if (found === undefined) throw new Error('this control plane was not started by this process');
  return found;
}

/** Service addresses; the first one is the API server's. */
export const serviceCidr = '10.96.0.0/16';
const apiServerServiceAddress = '10.96.0.1';

/**
 * Starts a control plane of its own and resolves when it answers and has made the default service
 * account. Binaries are built first if this machine has not built them yet.
 * @throws Error naming the component that failed, with the end of its log.
 */
export async function startControlPlane(options: ControlPlaneOptions = {}): Promise<ControlPlane> {
  const progress = options.progress ?? (() => undefined);
  const version = options.version ?? kubernetesVersion();
  if (options.reachableFromNodes) await ensureNodeSupport(progress);
  const paths: Partial<Record<BinaryName, string>> = {};
  for (const name of controlPlaneBinaries) paths[name] = await binary(name, { version, progress });

  await reapLeftovers();
  for (let attempt = 1; ; attempt++) {
    const scratch = createScratch('control-plane');
    const launch = new Launch(scratch, paths);
    try {
      return await launch.start(options.reachableFromNodes ?? false);
    } catch (error) {
      const lostPort = await launch.lostPort();
      await scratch.remove();
      // Free ports are found by asking; another process may have been faster in using one.
      if (!lostPort || attempt === 3) throw error;
      progress('another process took a port; starting again');
    }
  }
}

class Launch {
  readonly #scratch: Scratch;
  readonly #paths: Partial<Record<BinaryName, string>>;
  readonly #daemons = new Map<ComponentName, Daemon>();

  constructor(scratch: Scratch, paths: Partial<Record<BinaryName, string>>) {
    this.#scratch = scratch;
    this.#paths = paths;
  }

  async start(reachableFromNodes: boolean): Promise<ControlPlane> {
    const scratch = this.#scratch;
    const { directory } = scratch;
    await mkdir(join(directory, 'logs'));
    await mkdir(join(directory, 'kubeconfigs'));
    const network = reachableFromNodes ? await createNetwork(scratch) : undefined;
    const advertised = network?.hostAddress ?? unusedAddress;
    const ports = await choosePorts();

    const authority = await CertificateAuthority.create('strongroom-test-cluster');
    const identities = await issueIdentities(authority, advertised);
    const files = await this.#writeFiles(authority, identities);
    const server = `https://127.0.0.1:${ports.apiServer}`;
    const kubeconfig = (to: string, user: string, credentials: KeyPair): Promise<string> => {
      const text = formatKubeconfig({
        server,
        authority: authority.pair.certificate,
        user,
        credentials,
      });
      return this.#write(join('kubeconfigs', to), text);
    };
    const kubeconfigPath = await kubeconfig('admin', 'admin', identities.admin);

    const asAdmin = { authority: authority.pair.certificate, credentials: identities.admin };
    const call: ControlPlaneInternals['call'] = (path, more = {}) =>
      request(`${server}${path}`, { ...asAdmin, ...more });
    const answers = (name: ComponentName, url: string) => async (): Promise<void> => {
      await until(`${name} is ready`, async () => {
        await this.#daemons.get(name)?.mustRun();
        return (await request(url, asAdmin)).status === 200 ? true : undefined;
      });
    };
    const components: Record<ComponentName, Component> = {
      etcd: {
        args: etcdArguments(join(directory, 'etcd'), ports, files),
        ready: answers('etcd', `https://127.0.0.1:${ports.etcd}/health`),
      },
      'kube-apiserver': {
        args: apiServerArguments(advertised, ports, files),
        ready: answers('kube-apiserver', `${server}/readyz`),
      },
      'kube-controller-manager': {
        args: controllerManagerArguments(
          await kubeconfig(
            'controller-manager',
            'system:kube-controller-manager',
            identities.controllerManager,
          ),
          ports.controllerManager,
          files,
          join(directory, 'volume-plugins'),
        ),
        ready: answers(
          'kube-controller-manager',
          `https://127.0.0.1:${ports.controllerManager}/healthz`,
        ),
      },
      'kube-scheduler': {
        args: schedulerArguments(
          await kubeconfig('scheduler', 'system:kube-scheduler', identities.scheduler),
          ports.scheduler,
          files,
        ),
        ready: answers('kube-scheduler', `https://127.0.0.1:${ports.scheduler}/healthz`),
      },
    };
    const startComponent = async (name: ComponentName): Promise<void> => {
      await this.#startDaemon(name, components[name].args);
      await components[name].ready();
    };

    await this.#startDaemon('etcd', components.etcd.args);
    // The API server waits for etcd by itself; only the other two end when they find no one.
    await startComponent('kube-apiserver');
    if (network !== undefined) await this.#forward(network.hostAddress, ports.apiServer);
    await Promise.all([
      startComponent('kube-controller-manager'),
      startComponent('kube-scheduler'),
    ]);
    await until('the default service account exists', async () => {
      const reply = await call('/api/v1/namespaces/default/serviceaccounts/default');
      return reply.status === 200 ? true : undefined;
    });

    const stopFirst = new Set<() => Promise<void>>();
    let stopped: Promise<void> | undefined;
    const stop = (): Promise<void> => {
      stopped ??= (async () => {
        await Promise.all([...stopFirst].map((each) => each()));
        await scratch.remove();
      })();
      return stopped;
    };
    const daemon = (name: ComponentName): Daemon => {
      const found = this.#daemons.get(name);
      if (found === undefined) throw new Error(`${name} is not running`);
      return found;
    };
    const restart = async (name: ComponentName): Promise<void> => {
      // A component that was paused could not act on SIGTERM.
      daemon(name).signal('SIGCONT');
      // etcd first waits for the watches of the API server to end, which they do not.
      await daemon(name).stop(name === 'etcd' ? 0 : 15_000);
      await startComponent(name);
      if (name === 'etcd') await components['kube-apiserver'].ready();
    };
    let count = 0;
    const controlPlane: ControlPlane = {
      server,
      kubeconfigPath,
      caPem: authority.pair.certificate,
      directory,
      kubeconfigFor: async (user, groups = []) => {
        const credentials = await authority.issue({ commonName: user, organizations: groups });
        count += 1;
        return kubeconfig(`user-${count}`, user, credentials);
      },
      compact: async () => {
        await compact(`https://127.0.0.1:${ports.etcd}`, asAdmin);
        await restart('kube-apiserver');
      },
      restart,
      pause: (name) => daemon(name).signal('SIGSTOP'),
      resume: (name) => daemon(name).signal('SIGCONT'),
      stop,
      [Symbol.asyncDispose]: stop,
    };
    internals.set(controlPlane, {
      authority,
      network,
      serverForNodes: `https://${advertised}:${ports.apiServer}`,
      stopFirst,
      call,
    });
    return controlPlane;
  }

  /** Whether a component could not start because its port was taken. */
  async lostPort(): Promise<boolean> {
    const logs = await Promise.all([...this.#daemons.values()].map((each) => tail(each.logFile)));
    return logs.some((each) => each.includes('address already in use'));
  }

  async #startDaemon(name: ComponentName, args: readonly string[]): Promise<void> {
    const { directory, environment } = this.#scratch;
    const program = this.#paths[name];
    if (program === undefined) throw new Error(`${name} was not built`);
    const logFile = join(directory, 'logs', `${name}.log`);
    const daemon = await startDaemon({ name, program, args, logFile, environment, directory });
    this.#scratch.record('process', `${daemon.identity.pid}/${daemon.identity.startTime}`);
    this.#daemons.set(name, daemon);
  }

  async #forward(address: string, port: number): Promise<void> {
    const { directory, environment } = this.#scratch;
    const daemon = await startDaemon({
      name: 'forward',
      program: process.execPath,
      args: [join(import.meta.dirname, 'forward.ts'), address, String(port), String(port)],
      logFile: join(directory, 'logs', 'forward.log'),
      environment,
      directory,
    });
    this.#scratch.record('process', `${daemon.identity.pid}/${daemon.identity.startTime}`);
  }

  async #writeFiles(authority: CertificateAuthority, identities: Identities): Promise<Files> {
    const signing = await createSigningKeys();
    return {
      authority: await this.#write('ca.crt', authority.pair.certificate),
      authorityKey: await this.#write('ca.key', authority.pair.key),
      server: await this.#write('server.crt', identities.server.certificate),
      serverKey: await this.#write('server.key', identities.server.key),
      kubeletClient: await this.#write('kubelet-client.crt', identities.kubeletClient.certificate),
      kubeletClientKey: await this.#write('kubelet-client.key', identities.kubeletClient.key),
      accounts: await this.#write('service-accounts.pub', signing.publicKey),
      accountsKey: await this.#write('service-accounts.key', signing.privateKey),
    };
  }

  async #write(name: string, content: string): Promise<string> {
    const path = join(this.#scratch.directory, name);
    await writeFile(path, content, { mode: 0o600 });
    await chmod(path, 0o600);
    return path;
  }
}

interface Component {
  readonly args: readonly string[];
  readonly ready: () => Promise<void>;
}

interface Ports {
  readonly etcd: number;
  readonly etcdPeer: number;
  readonly apiServer: number;
  readonly controllerManager: number;
  readonly scheduler: number;
}

async function choosePorts(): Promise<Ports> {
  const [etcd = 0, etcdPeer = 0, apiServer = 0, controllerManager = 0, scheduler = 0] =
    await freePorts(5);
  return { etcd, etcdPeer, apiServer, controllerManager, scheduler };
}

interface Identities {
  readonly server: KeyPair;
  readonly admin: KeyPair;
  readonly kubeletClient: KeyPair;
  readonly controllerManager: KeyPair;
  readonly scheduler: KeyPair;
}

async function issueIdentities(
  authority: CertificateAuthority,
  advertised: string,
): Promise<Identities> {
  const kubernetes = [
    'kubernetes',
    'kubernetes.default',
    'kubernetes.default.svc',
    'kubernetes.default.svc.cluster.local',
  ];
  const [server, admin, kubeletClient, controllerManager, scheduler] = await Promise.all([
    // etcd, which takes clients of this CA only, and the two others serve with it as well.
    authority.issue({
      commonName: 'kube-apiserver',
      hosts: ['127.0.0.1', 'localhost', apiServerServiceAddress, advertised, ...kubernetes],
    }),
    authority.issue({ commonName: 'admin', organizations: ['system:masters'] }),
    authority.issue({
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
    }),
    authority.issue({ commonName: 'system:kube-controller-manager' }),
    authority.issue({ commonName: 'system:kube-scheduler' }),
  ]);
  return { server, admin, kubeletClient, controllerManager, scheduler };
}

interface Files {
  readonly authority: string;
  readonly authorityKey: string;
  readonly server: string;
  readonly serverKey: string;
  readonly kubeletClient: string;
  readonly kubeletClientKey: string;
  readonly accounts: string;
  readonly accountsKey: string;
}

function etcdArguments(dataDirectory: string, ports: Ports, files: Files): string[] {
  const client = `https://127.0.0.1:${ports.etcd}`;
  const peer = `https://127.0.0.1:${ports.etcdPeer}`;
  return [
    '--name=etcd',
    `--data-dir=${dataDirectory}`,
    // The data does not outlive the process.
    '--unsafe-no-fsync',
    `--listen-client-urls=${client}`,
    `--advertise-client-urls=${client}`,
    `--listen-peer-urls=${peer}`,
    `--initial-advertise-peer-urls=${peer}`,
    `--initial-cluster=etcd=${peer}`,
    '--client-cert-auth',
    `--trusted-ca-file=${files.authority}`,
    `--cert-file=${files.server}`,
    `--key-file=${files.serverKey}`,
    '--peer-client-cert-auth',
    `--peer-trusted-ca-file=${files.authority}`,
    `--peer-cert-file=${files.server}`,
    `--peer-key-file=${files.serverKey}`,
    '--log-level=warn',
  ];
}

function apiServerArguments(advertised: string, ports: Ports, files: Files): string[] {
  return [
    `--etcd-servers=https://127.0.0.1:${ports.etcd}`,
    `--etcd-cafile=${files.authority}`,
    `--etcd-certfile=${files.server}`,
    `--etcd-keyfile=${files.serverKey}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${ports.apiServer}`,
    `--advertise-address=${advertised}`,
    `--tls-cert-file=${files.server}`,
    `--tls-private-key-file=${files.serverKey}`,
    `--client-ca-file=${files.authority}`,
    '--authorization-mode=Node,RBAC',
    '--enable-admission-plugins=NodeRestriction',
    '--allow-privileged=true',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${files.accounts}`,
    `--service-account-signing-key-file=${files.accountsKey}`,
    `--service-cluster-ip-range=${serviceCidr}`,
    // Webhooks in the cluster are called at their pods: the host has no service addresses.
    '--enable-aggregator-routing=true',
    `--kubelet-certificate-authority=${files.authority}`,
    `--kubelet-client-certificate=${files.kubeletClient}`,
    `--kubelet-client-key=${files.kubeletClientKey}`,
    '--kubelet-preferred-address-types=InternalIP',
    '--profiling=false',
    '--shutdown-send-retry-after=true',
    '--shutdown-watch-termination-grace-period=1s',
  ];
}

function controllerManagerArguments(
  kubeconfig: string,
  port: number,
  files: Files,
  pluginDirectory: string,
): string[] {
  return [
    // It makes the directory, which by default is one of the machine's.
    `--flex-volume-plugin-dir=${pluginDirectory}`,
    ...controllerArguments(kubeconfig, port, files),
    '--use-service-account-credentials=true',
    `--service-account-private-key-file=${files.accountsKey}`,
    `--root-ca-file=${files.authority}`,
    `--cluster-signing-cert-file=${files.authority}`,
    `--cluster-signing-key-file=${files.authorityKey}`,
  ];
}

const schedulerArguments = controllerArguments;

function controllerArguments(kubeconfig: string, port: number, files: Files): string[] {
  return [
    `--kubeconfig=${kubeconfig}`,
    `--authentication-kubeconfig=${kubeconfig}`,
    `--authorization-kubeconfig=${kubeconfig}`,
    '--authentication-skip-lookup=true',
    `--client-ca-file=${files.authority}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--tls-cert-file=${files.server}`,
    `--tls-private-key-file=${files.serverKey}`,
    '--leader-elect=false',
    '--profiling=false',
    // The defaults, 20 a second and bursts of 30, make the first start take six seconds longer.
    '--kube-api-qps=500',
    '--kube-api-burst=1000',
  ];
}

async function compact(
  etcd: string,
  identity: Pick<RequestOptions, 'authority' | 'credentials'>,
): Promise<void> {
  const call = async (path: string, body: unknown): Promise<unknown> => {
    const reply = await request(`${etcd}${path}`, { ...identity, method: 'POST', body });
    if (reply.status !== 200) throw new Error(`etcd: ${path}: ${reply.status} ${reply.body}`);
    return JSON.parse(reply.body);
  };
  // Any key will do: the answer's header says which revision etcd is at.
  const range = (await call('/v3/kv/range', { key: 'AA==' })) as { header: { revision: string } };
  await call('/v3/kv/compaction', { revision: range.header.revision, physical: true });
}
