import { cniDirectory } from './packages.ts';

const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;

/** All paths under /run are the node's own: it has a file system of its own there. */
const containerdSocket = '/run/containerd/containerd.sock';

export function containerdConfig(options: {
  readonly root: string;
  /** Of the CNI configuration. */
  readonly cniDirectory: string;
  readonly pauseImage: string;
}): string {
  // JSON strings are TOML strings.
  const quote = (value: string): string => JSON.stringify(value);
  const runtime = `plugins.'io.containerd.cri.v1.runtime'`;
  const images = `plugins.'io.containerd.cri.v1.images'`;
  return `version = 3
root = ${quote(`${options.root}/root`)}
state = '/run/containerd'

[grpc]
address = ${quote(containerdSocket)}

[plugins.'io.containerd.internal.v1.opt']
path = ${quote(`${options.root}/opt`)}

[${images}]
snapshotter = 'overlayfs'

[${images}.pinned_images]
sandbox = ${quote(options.pauseImage)}

[${runtime}]
# Lowering the score takes CAP_SYS_RESOURCE, which root in a sandbox may not have.
restrict_oom_score_adj = true

[${runtime}.cni]
bin_dirs = [${quote(cniDirectory)}]
conf_dir = ${quote(options.cniDirectory)}

[${runtime}.containerd]
default_runtime_name = 'runc'

[${runtime}.containerd.runtimes.runc]
runtime_type = 'io.containerd.runc.v2'

[${runtime}.containerd.runtimes.runc.options]
SystemdCgroup = false
`;
}

/** Point to point, not a bridge: so traffic between pods of one node is forwarded and filtered. */
export function cniConfig(podCidr: string, addressDirectory: string): string {
  return text({
    cniVersion: '0.4.0',
    name: 'pods',
    plugins: [
      {
        type: 'ptp',
        ipMasq: false,
        ipam: {
          type: 'host-local',
          dataDir: addressDirectory,
          ranges: [[{ subnet: podCidr }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
      { type: 'portmap', capabilities: { portMappings: true } },
    ],
  });
}

export function kubeletConfig(options: {
  readonly address: string;
  readonly authorityFile: string;
  readonly certificateFile: string;
  readonly keyFile: string;
  readonly resolvConf: string;
  readonly pluginDirectory: string;
}): string {
  return text({
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    address: options.address,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: options.authorityFile },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: options.certificateFile,
    tlsPrivateKeyFile: options.keyFile,
    containerRuntimeEndpoint: `unix://${containerdSocket}`,
    resolvConf: options.resolvConf,
    volumePluginDir: options.pluginDirectory,
    failCgroupV1: false,
    failSwapOn: false,
    cgroupDriver: 'cgroupfs',
    cgroupsPerQOS: false,
    enforceNodeAllocatable: [],
    localStorageCapacityIsolation: false,
    // The machine's disk is not the node's business: a full one is no reason to evict tests.
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '0%',
      'imagefs.available': '0%',
    },
    imageGCHighThresholdPercent: 100,
    // How soon a changed Secret is seen in a mounted volume; a minute is the default.
    syncFrequency: '10s',
  });
}

export function kubeProxyConfig(options: {
  readonly address: string;
  readonly nodeName: string;
  readonly clusterCidr: string;
  readonly kubeconfig: string;
}): string {
  return text({
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    // How long a change of a service may wait for others; a second is the default.
    iptables: { minSyncPeriod: '100ms' },
    clusterCIDR: options.clusterCidr,
    hostnameOverride: options.nodeName,
    clientConnection: { kubeconfig: options.kubeconfig },
    bindAddress: options.address,
    healthzBindAddress: `${options.address}:10256`,
    metricsBindAddress: '127.0.0.1:10249',
    // The table's size is the machine's and cannot be set in a namespace.
    conntrack: { maxPerCore: 0 },
  });
}
