import { chmod, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type BinaryName, type Progress, binary, nodeBinaries } from './build.ts';
import {
  type ControlPlane,
  type ControlPlaneInternals,
  internalsOf,
  serviceCidr,
} from './control-plane.ts';
import { formatKubeconfig } from './kubeconfig.ts';
import { type NodeNetwork, maxNodes } from './network.ts';
import { containerdConfig, cniConfig, kubeProxyConfig, kubeletConfig } from './node-config.ts';
import { writeImage } from './oci.ts';
import {
  type Daemon,
  type ProcessIdentity,
  identify,
  isRunning,
  run,
  startDaemon,
  until,
} from './process.ts';
import { createControlGroup } from './control-group.ts';
import { type Scratch, createScratch } from './scratch.ts';

export interface NodeOptions {
  /** Default: node-1, node-2, … */
  readonly name?: string;
  /** Whether NetworkPolicies are enforced. Default: true. */
  readonly networkPolicies?: boolean;
  readonly progress?: Progress;
}

/**
 * A node in namespaces of its own: network, mounts and processes. The kernel takes all of it away
 * when its first process ends, which ends with the launcher.
 */
export interface ClusterNode extends AsyncDisposable {
  readonly name: string;
  /** Name of the network namespace, as in /run/netns and for `ip netns exec`. */
  readonly networkNamespace: string;
  /** Where the node is reached from the host. */
  readonly address: string;
  /** The first process in the node's namespaces, for `nsenter --target`. */
  readonly init: ProcessIdentity;
  /** Makes the images of an OCI archive available to pods (`imagePullPolicy: IfNotPresent`). */
  loadImage(ociArchive: string): Promise<void>;
  /** Ends the node like a power cut: its Node object and its pods stay in the API. */
  stop(): Promise<void>;
}

const pauseImage = 'strongroom.test/pause:1';
/** The packet queue through which kube-network-policies sees new connections. */
const policyQueue = 100;
const usedIndexes = new WeakMap<ControlPlane, Set<number>>();

/**
 * Starts a node (containerd, kubelet, kube-proxy, kube-network-policies) and resolves when it is
 * Ready and pods can be placed on it.
 * @throws Error if the control plane was not started with `reachableFromNodes`.
 */
export async function startNode(
  controlPlane: ControlPlane,
  options: NodeOptions = {},
): Promise<ClusterNode> {
  const progress = options.progress ?? (() => undefined);
  const cluster = internalsOf(controlPlane);
  const { network } = cluster;
  if (network === undefined) {
    throw new Error('nodes need a control plane that is started with reachableFromNodes: true');
  }
  const paths: Partial<Record<BinaryName, string>> = {};
  for (const name of nodeBinaries) paths[name] = await binary(name, { progress });

  const used = usedIndexes.get(controlPlane) ?? new Set<number>();
  usedIndexes.set(controlPlane, used);
  const index = Array.from({ length: maxNodes }, (_, each) => each).find((each) => !used.has(each));
  if (index === undefined) throw new Error(`a cluster has room for ${maxNodes} nodes`);
  used.add(index);

  const scratch = createScratch('node');
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      await scratch.remove();
      used.delete(index);
      cluster.stopFirst.delete(stop);
    })();
    return stopped;
  };
  cluster.stopFirst.add(stop);
  try {
    const nodeNetwork = await network.addNode(scratch, index);
    const name = options.name ?? `node-${index + 1}`;
    const launch = new Launch(scratch, cluster, nodeNetwork, name, paths);
    await launch.start(network.podCidr, options.networkPolicies ?? true);
    return {
      name,
      networkNamespace: nodeNetwork.namespace,
      address: nodeNetwork.address,
      init: launch.init,
      loadImage: (archive) => launch.loadImage(archive),
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function insideOf(init: ProcessIdentity): string[] {
  return [`--target=${init.pid}`, '--mount', '--pid', '--net', '--ipc', '--uts'];
}

/** Imports an OCI archive into the containerd of a node, whoever started it. */
export async function importImage(
  init: ProcessIdentity,
  ctr: string,
  archive: string,
): Promise<void> {
  if (!isRunning(init)) throw new Error('the node has ended');
  const command = [ctr, '--namespace=k8s.io', 'images', 'import', resolve(archive)];
  await run('nsenter', [...insideOf(init), ...command]);
}

class Launch {
  readonly #scratch: Scratch;
  readonly #cluster: ControlPlaneInternals;
  readonly #network: NodeNetwork;
  readonly #name: string;
  readonly #paths: Partial<Record<BinaryName, string>>;
  #init: ProcessIdentity | undefined;

  constructor(
    scratch: Scratch,
    cluster: ControlPlaneInternals,
    network: NodeNetwork,
    name: string,
    paths: Partial<Record<BinaryName, string>>,
  ) {
    this.#scratch = scratch;
    this.#cluster = cluster;
    this.#network = network;
    this.#name = name;
    this.#paths = paths;
  }

  async start(clusterCidr: string, networkPolicies: boolean): Promise<void> {
    for (const each of ['logs', 'cni', 'containerd', 'kubelet', 'service-account', 'overlay']) {
      await mkdir(this.#file(each));
    }
    await this.#startInit();

    const containerd = await this.#startContainerd();
    await this.loadImage(await pauseArchive(this.#path('pause')));
    if (networkPolicies) await this.#startNetworkPolicies();
    const kubeProxy = await this.#startKubeProxy(clusterCidr);
    const kubelet = await this.#startKubelet();

    await until(`node ${this.#name} is ready`, async () => {
      for (const daemon of [containerd, kubeProxy, kubelet]) await daemon.mustRun();
      const reply = await this.#cluster.call(`/api/v1/nodes/${this.#name}`);
      return reply.status === 200 && acceptsPods(JSON.parse(reply.body) as Node) ? true : undefined;
    });
  }

  get init(): ProcessIdentity {
    if (this.#init === undefined) throw new Error(`${this.#name} has not been started`);
    return this.#init;
  }

  async loadImage(archive: string): Promise<void> {
    await importImage(this.init, this.#path('ctr'), archive);
  }

  /** The first process in the node's namespaces; the others enter them and end with it. */
  async #startInit(): Promise<void> {
    // Interfaces, routes and rules are already those of the node; mounts and processes become so.
    const { namespace } = this.#network;
    this.#scratch.record('control-group', namespace);
    createControlGroup(namespace);
    const script = [
      'set -e',
      'mount -t tmpfs tmpfs /run',
      'mount -t tmpfs tmpfs /var/log',
      // For what is written to fixed places: /var/lib/kubelet, /var/lib/cni.
      'mkdir "$4/upper" "$4/work"',
      'mount -t overlay -o "lowerdir=/var/lib,upperdir=$4/upper,workdir=$4/work" overlay /var/lib',
      'mkdir -p /run/secrets/kubernetes.io/serviceaccount',
      'mount --bind "$2" /run/secrets/kubernetes.io/serviceaccount',
      ...privateControlGroups,
      // Volumes of pods have to appear in containers that are already running.
      'mount --make-rshared /',
      'hostname "$1"',
      'exec "$3"',
    ].join('\n');
    const unshare = [
      '--mount',
      '--pid',
      '--ipc',
      '--uts',
      '--fork',
      '--kill-child',
      '--mount-proc',
    ];
    const init = await this.#startDaemon('init', 'nsenter', [
      `--net=/run/netns/${namespace}`,
      'unshare',
      ...unshare,
      'sh',
      '-c',
      script,
      'sh',
      this.#name,
      this.#file('service-account'),
      this.#path('pause'),
      this.#file('overlay'),
      namespace,
    ]);
    const { pid } = init.identity;
    this.#init = await until(`the namespaces of ${this.#name} are made`, async () => {
      await init.mustRun();
      const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
      const child = Number(children.trim().split(' ')[0]);
      const command = child === 0 ? '' : await readFile(`/proc/${child}/comm`, 'utf8');
      return command.trim() === 'pause' ? identify(child) : undefined;
    });
  }

  async #startContainerd(): Promise<Daemon> {
    const config = containerdConfig({
      root: this.#file('containerd'),
      cniDirectory: this.#file('cni'),
      pauseImage,
    });
    const { podCidr } = this.#network;
    await this.#write('cni/10-ptp.conflist', cniConfig(podCidr, this.#file('cni-addresses')));
    const daemon = await this.#startInside('containerd', [
      `--config=${await this.#write('containerd.toml', config)}`,
    ]);
    const ctr = [this.#path('ctr'), 'version'];
    await until('containerd answers', async () => {
      await daemon.mustRun();
      await run('nsenter', [...this.#inside(), ...ctr]);
      return true;
    });
    return daemon;
  }

  async #startKubelet(): Promise<Daemon> {
    const { address } = this.#network;
    const serving = await this.#cluster.authority.issue({
      commonName: this.#name,
      hosts: [this.#name, address],
    });
    const config = kubeletConfig({
      address,
      authorityFile: await this.#write('ca.crt', this.#cluster.authority.pair.certificate),
      certificateFile: await this.#write('kubelet.crt', serving.certificate),
      keyFile: await this.#write('kubelet.key', serving.key),
      resolvConf: await this.#write('resolv.conf', 'options ndots:1\n'),
      pluginDirectory: this.#file('kubelet-plugins'),
    });
    const kubeconfig = await this.#kubeconfig(`system:node:${this.#name}`, ['system:nodes']);
    return this.#startInside('kubelet', [
      `--config=${await this.#write('kubelet.json', config)}`,
      `--kubeconfig=${kubeconfig}`,
      `--hostname-override=${this.#name}`,
      `--node-ip=${address}`,
      `--root-dir=${this.#file('kubelet')}`,
    ]);
  }

  async #startKubeProxy(clusterCidr: string): Promise<Daemon> {
    // A service that kube-proxy does not know yet: refuse at once, where a packet that nobody
    // answers would let the client wait.
    const reject = ['-j', 'REJECT', '--reject-with', 'icmp-host-unreachable'];
    await this.#iptables('filter', ['--destination', serviceCidr, ...reject]);
    const config = kubeProxyConfig({
      address: this.#network.address,
      nodeName: this.#name,
      clusterCidr,
      kubeconfig: await this.#kubeconfig('system:kube-proxy', []),
    });
    return this.#startInside('kube-proxy', [
      `--config=${await this.#write('kube-proxy.json', config)}`,
    ]);
  }

  /**
   * Starts kube-network-policies as its own manifest does, with the service account where a pod
   * has it, and sends it the packets by a rule of its own: the rules that it makes itself need a
   * kernel feature (NFT_QUEUE) that not every machine has.
   */
  async #startNetworkPolicies(): Promise<void> {
    await this.#write('service-account/ca.crt', this.#cluster.authority.pair.certificate);
    await this.#write('service-account/token', await networkPolicyToken(this.#cluster));
    const server = new URL(this.#cluster.serverForNodes);
    const daemon = await this.#startInside(
      'kube-network-policies',
      [
        `--hostname-override=${this.#name}`,
        `--nfqueue-id=${policyQueue}`,
        '--netfilter-bug-1766-fix=false',
        '--metrics-bind-address=127.0.0.1:9080',
      ],
      { KUBERNETES_SERVICE_HOST: server.hostname, KUBERNETES_SERVICE_PORT: server.port },
    );
    // With the rule but nobody at the queue all packets are dropped: first one, then the other.
    await until('kube-network-policies takes packets', async () => {
      await daemon.mustRun();
      const queues = await readFile(`/proc/${this.init.pid}/net/netfilter/nfnetlink_queue`, 'utf8');
      const numbers = queues.split('\n').map((line) => Number(line.trim().split(/\s+/)[0]));
      return numbers.includes(policyQueue) ? true : undefined;
    });
    const rule = ['-m', 'conntrack', '--ctstate', 'NEW', '-j', 'NFQUEUE'];
    await this.#iptables('mangle', [...rule, `--queue-num=${policyQueue}`]);
  }

  async #iptables(table: string, forwardRule: readonly string[]): Promise<void> {
    const iptables = ['iptables', `--table=${table}`, '--append=FORWARD', ...forwardRule];
    await run('nsenter', [...this.#inside(), ...iptables]);
  }

  #inside(): string[] {
    return insideOf(this.init);
  }

  #startInside(
    name: BinaryName,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Daemon> {
    const program = this.#path(name);
    return this.#startDaemon(name, 'nsenter', [...this.#inside(), program, ...args], environment);
  }

  async #startDaemon(
    name: string,
    program: string,
    args: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): Promise<Daemon> {
    const daemon = await startDaemon({
      name,
      program,
      args,
      logFile: this.#file(`logs/${name}.log`),
      environment: { ...environment, ...this.#scratch.environment },
    });
    this.#scratch.record('process', `${daemon.identity.pid}/${daemon.identity.startTime}`);
    return daemon;
  }

  async #kubeconfig(user: string, groups: readonly string[]): Promise<string> {
    const { authority, serverForNodes } = this.#cluster;
    const credentials = await authority.issue({ commonName: user, organizations: groups });
    const text = formatKubeconfig({
      server: serverForNodes,
      authority: authority.pair.certificate,
      user,
      credentials,
    });
    return this.#write(`${user.replaceAll(':', '-')}.kubeconfig`, text);
  }

  #path(name: BinaryName): string {
    const path = this.#paths[name];
    if (path === undefined) throw new Error(`${name} was not built`);
    return path;
  }

  #file(name: string): string {
    return join(this.#scratch.directory, name);
  }

  async #write(name: string, content: string): Promise<string> {
    await writeFile(this.#file(name), content, { mode: 0o600 });
    return this.#file(name);
  }
}

/**
 * Lines of the script that put the node's control group ($5) where the kernel's root is: the
 * runtime puts containers below the root, and so they are below a group that can be removed. In
 * version 1 every controller has a hierarchy of its own, some under two names.
 */
const privateControlGroups: readonly string[] = [
  'groups=/sys/fs/cgroup',
  'own=/run/control-groups',
  'mkdir "$own"',
  'if [ -e "$groups/cgroup.controllers" ]; then',
  '  mount --bind "$groups/$5" "$own"',
  'else',
  '  mount -t tmpfs tmpfs "$own"',
  '  for each in "$groups"/*; do',
  '    to="$own/${each##*/}"',
  '    if [ -h "$each" ]; then cp -P "$each" "$to"',
  '    elif [ -d "$each/$5" ]; then mkdir "$to"; mount --bind "$each/$5" "$to"; fi',
  '  done',
  'fi',
  'umount --recursive "$groups"',
  'mount --rbind "$own" "$groups"',
  'umount --recursive "$own"',
];

interface Node {
  readonly spec?: { readonly taints?: readonly { readonly key: string }[] };
  readonly status?: {
    readonly conditions?: readonly { readonly type: string; readonly status: string }[];
  };
}

function acceptsPods({ spec, status }: Node): boolean {
  const ready = status?.conditions?.some((each) => each.type === 'Ready' && each.status === 'True');
  return ready === true && (spec?.taints ?? []).length === 0;
}

async function pauseArchive(pause: string): Promise<string> {
  const archive = join(dirname(pause), 'pause.tar');
  if (existsSync(archive)) return archive;
  const root = join(dirname(pause), `root-${process.pid}`);
  await mkdir(root, { recursive: true });
  await copyFile(pause, join(root, 'pause'));
  await chmod(join(root, 'pause'), 0o755);
  await writeImage({
    tag: pauseImage,
    rootFileSystem: { directory: root },
    entrypoint: ['/pause'],
    output: archive,
  });
  return archive;
}

/** Makes the service account of kube-network-policies, unless it is there, and a token for it. */
async function networkPolicyToken(cluster: ControlPlaneInternals): Promise<string> {
  const name = 'kube-network-policies';
  const namespace = 'kube-system';
  const rbac = '/apis/rbac.authorization.k8s.io/v1';
  const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
  const create = async (path: string, body: unknown): Promise<string> => {
    const reply = await cluster.call(path, { method: 'POST', body });
    // 409: another node has made it.
    if (reply.status < 300 || reply.status === 409) return reply.body;
    throw new Error(`making ${name}: ${reply.status} ${reply.body}`);
  };
  const read = ['get', 'list', 'watch'];
  await create(accounts, { metadata: { name } });
  await create(`${rbac}/clusterroles`, {
    metadata: { name },
    rules: [
      { apiGroups: [''], resources: ['pods', 'namespaces', 'nodes'], verbs: read },
      { apiGroups: ['networking.k8s.io'], resources: ['networkpolicies'], verbs: read },
      { apiGroups: ['', 'events.k8s.io'], resources: ['events'], verbs: ['create', 'patch'] },
    ],
  });
  await create(`${rbac}/clusterrolebindings`, {
    metadata: { name },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ kind: 'ServiceAccount', name, namespace }],
  });
  const answer = await create(`${accounts}/${name}/token`, {
    // Nothing renews it: as long as the certificates.
    spec: { expirationSeconds: 365 * 24 * 3600 },
  });
  return (JSON.parse(answer) as { status: { token: string } }).status.token;
}
