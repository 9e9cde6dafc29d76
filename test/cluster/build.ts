import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDirectory, withLock } from './cache.ts';
import { tail } from './process.ts';

export type Progress = (line: string) => void;
export type KubernetesVersion = '1.37' | '1.34';

/** A Go module under `build/` that pins one tool and what is built from it. */
interface Module {
  readonly directory: string;
  readonly version: string;
  readonly tags?: string;
  /** Name of the binary to the package that it is built from. */
  readonly packages: Readonly<Record<string, string>>;
}

const kubernetesPackages = (...names: string[]): Record<string, string> =>
  Object.fromEntries(names.map((name) => [name, `k8s.io/kubernetes/cmd/${name}`]));
const containerd = 'github.com/containerd/containerd/v2/cmd';

const controlPlaneOf: Readonly<Record<KubernetesVersion, Module>> = {
  '1.37': {
    directory: 'kubernetes',
    version: 'v1.37.2',
    packages: kubernetesPackages(
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubectl',
      'kubelet',
      'kube-proxy',
    ),
  },
  '1.34': {
    directory: 'kubernetes-1.34',
    version: 'v1.34.4',
    packages: kubernetesPackages('kube-apiserver', 'kube-controller-manager', 'kube-scheduler'),
  },
};

const modules: readonly Module[] = [
  controlPlaneOf['1.37'],
  { directory: 'etcd', version: 'v3.6.16', packages: { etcd: '.' } },
  {
    directory: 'containerd',
    version: 'v2.4.2',
    tags: 'no_btrfs no_zfs no_aufs no_devmapper',
    packages: {
      containerd: `${containerd}/containerd`,
      'containerd-shim-runc-v2': `${containerd}/containerd-shim-runc-v2`,
      ctr: `${containerd}/ctr`,
    },
  },
  {
    directory: 'kube-network-policies',
    version: 'v0.8.0',
    packages: { 'kube-network-policies': 'sigs.k8s.io/kube-network-policies/cmd' },
  },
  { directory: 'helm', version: 'v4.3.1', packages: { helm: 'helm.sh/helm/v4/cmd/helm' } },
  { directory: 'pause', version: 'v1', packages: { pause: '.' } },
  { directory: 'network-oracle', version: 'v0.5.6', packages: { 'network-oracle': '.' } },
];

export type BinaryName =
  | 'kube-apiserver'
  | 'kube-controller-manager'
  | 'kube-scheduler'
  | 'kubectl'
  | 'kubelet'
  | 'kube-proxy'
  | 'etcd'
  | 'containerd'
  | 'containerd-shim-runc-v2'
  | 'ctr'
  | 'kube-network-policies'
  | 'helm'
  | 'pause'
  | 'network-oracle';

export type ComponentName = Extract<
  BinaryName,
  'etcd' | 'kube-apiserver' | 'kube-controller-manager' | 'kube-scheduler'
>;

export const controlPlaneBinaries: readonly ComponentName[] = [
  'etcd',
  'kube-apiserver',
  'kube-controller-manager',
  'kube-scheduler',
];

export const nodeBinaries: readonly BinaryName[] = [
  'containerd',
  'containerd-shim-runc-v2',
  'ctr',
  'kubelet',
  'kube-proxy',
  'kube-network-policies',
  'pause',
];

/** The version of Kubernetes that the environment asks for: `K8S=1.34`, or the newest. */
export function kubernetesVersion(): KubernetesVersion {
  const asked = process.env['K8S'] ?? '';
  if (asked === '' || asked === '1.37') return '1.37';
  if (asked === '1.34') return '1.34';
  throw new Error(`K8S=${asked}: the versions that can be built are 1.37 and 1.34`);
}

export interface BinaryOptions {
  /** Of the control plane's components; everything else has one version. Default: `K8S`. */
  readonly version?: KubernetesVersion;
  readonly progress?: Progress;
}

/**
 * The path of a binary, which is built if this machine has not built it yet.
 * @throws Error with the name of the component and its log file if the build fails.
 */
export async function binary(name: BinaryName, options: BinaryOptions = {}): Promise<string> {
  const module = moduleOf(name, options.version ?? kubernetesVersion());
  const source = join(import.meta.dirname, 'build', module.directory);
  const digest = (await digestOf(source, flagsOf(module))).slice(0, 12);
  const directory = join(cacheDirectory(), `${module.directory}-${module.version}-${digest}`);
  const path = join(directory, name);
  if (existsSync(path)) return path;

  const progress = options.progress ?? (() => undefined);
  // One build at a time on a machine: the compiler takes all cores by itself.
  return withLock(
    join(cacheDirectory(), 'build.lock'),
    async () => {
      if (!existsSync(path)) await build({ name, module, source, path, progress });
      return path;
    },
    () => progress(`${name}: waiting for another build on this machine`),
  );
}

function moduleOf(name: BinaryName, version: KubernetesVersion): Module {
  const module = [controlPlaneOf[version], ...modules].find((each) => name in each.packages);
  if (module === undefined) throw new Error(`nothing builds ${name}`);
  return module;
}

interface Build {
  readonly name: BinaryName;
  readonly module: Module;
  readonly source: string;
  readonly path: string;
  readonly progress: Progress;
}

async function build({ name, module, source, path, progress }: Build): Promise<void> {
  await mkdir(join(path, '..'), { recursive: true });
  const logFile = `${path}.log`;
  const temporary = `${path}.${process.pid}.tmp`;
  const started = performance.now();
  const elapsed = (): string => `${Math.round((performance.now() - started) / 1000)} s`;

  progress(`${name} ${module.version}: building from source (once on this machine)`);
  const ticker = setInterval(() => progress(`${name}: still building, ${elapsed()}`), 30_000);
  try {
    await using log = await open(logFile, 'w');
    const args = ['go', 'build', ...flagsOf(module), '-o', temporary, module.packages[name] ?? '.'];
    // Niced: a build goes on for minutes, and tests that are under way have their timeouts.
    const child = spawn('nice', args, {
      cwd: source,
      stdio: ['ignore', log.fd, log.fd],
      env: { ...process.env, CGO_ENABLED: '0' },
    });
    const code = await new Promise<number | null>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
    if (code !== 0) throw new Error(`go build ended with ${code ?? 'a signal'}`);
  } catch (error) {
    const printed = await tail(logFile);
    throw new Error(`building ${name} failed; its log is ${logFile}:\n${printed}`, {
      cause: error,
    });
  } finally {
    clearInterval(ticker);
  }
  await rename(temporary, path);
  progress(`${name}: built in ${elapsed()}`);
}

function flagsOf(module: Module): string[] {
  const [major = '', minor = ''] = module.version.slice(1).split('.');
  const version = 'k8s.io/component-base/version';
  // Without these a Kubernetes binary says that it is v0.0.0.
  const variables = module.directory.startsWith('kubernetes')
    ? [`gitVersion=${module.version}`, `gitMajor=${major}`, `gitMinor=${minor}`]
    : [];
  return [
    '-p=2',
    '-trimpath',
    `-tags=${module.tags ?? ''}`,
    `-ldflags=${['-s -w', ...variables.map((each) => `-X ${version}.${each}`)].join(' ')}`,
  ];
}

async function digestOf(directory: string, flags: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([process.arch, ...flags]));
  for (const name of (await readdir(directory)).sort()) {
    hash.update(`\0${name}\0`).update(await readFile(join(directory, name)));
  }
  return hash.digest('hex');
}
