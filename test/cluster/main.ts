/**
 * The command line of the test cluster; `--help` says how it is used.
 *
 * `up` leaves a process behind, the keeper, that the whole cluster hangs on: it ends with it.
 */
import { spawn } from 'node:child_process';
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs';
import { copyFile, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBaseImages } from './base-images.ts';
import { binary, controlPlaneBinaries, kubernetesVersion, nodeBinaries } from './build.ts';
import { startControlPlane } from './control-plane.ts';
import { testImages } from './image.ts';
import { type ClusterNode, importImage, startNode } from './node.ts';
import { maxNodes } from './network.ts';
import { GivenUp, type ProcessIdentity, identify, isRunning, signal, until } from './process.ts';
import { reapLeftovers } from './scratch.ts';
import { ensureNodeSupport, nodeSupport } from './support.ts';

const help = `A real Kubernetes cluster for tests and the demo, built from source once.

usage: node test/cluster/main.ts <command> [options]

  up [--nodes N]     start a cluster and leave it running (N: 0 to ${maxNodes}, default 0)
  down               end it and remove everything it made
  status             say what is running
  load ARCHIVE…      make the images of OCI archives available to its pods
  build              build the binaries only
  images             make the base images and the images for tests only

  --directory DIR    where the cluster's kubeconfig, bin/ and state are (default .cluster)
  --help             this text

environment: K8S=1.34 picks the oldest supported Kubernetes, else it is the newest.
exit codes: 0 done, 1 failed, 2 wrong usage, 3 (status) no cluster is running.

example:
  node test/cluster/main.ts up --nodes 1
  export KUBECONFIG=$PWD/.cluster/kubeconfig
  .cluster/bin/kubectl get nodes
  node test/cluster/main.ts down
`;

/** Of a running cluster, in `state.json`: written when it is ready, removed when it ends. */
interface State {
  readonly keeper: ProcessIdentity;
  readonly server: string;
  readonly kubernetes: string;
  /** Of the logs of the control plane. */
  readonly logs: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly address: string;
    readonly networkNamespace: string;
    readonly init: ProcessIdentity;
  }[];
}

class UsageError extends Error {
  override readonly name = 'UsageError';
}

const started = performance.now();
function progress(line: string): void {
  console.error(`[${((performance.now() - started) / 1000).toFixed(0).padStart(4)} s] ${line}`);
}

async function up(directory: string, nodes: number): Promise<number> {
  const running = readState(directory);
  if (running !== undefined) {
    if (running.nodes.length !== nodes) {
      throw new Error(
        `a cluster with ${running.nodes.length} nodes is running: end it first, with "down"`,
      );
    }
    progress('the cluster is already running');
    return status(directory);
  }
  await rm(directory, { recursive: true, force: true });
  await mkdir(join(directory, 'bin'), { recursive: true });
  if (nodes > 0) await ensureNodeSupport(progress);
  await buildBinaries(nodes > 0);
  for (const name of ['kubectl', 'helm'] as const) {
    await symlink(await binary(name), join(directory, 'bin', name));
  }

  const logFile = join(directory, 'keeper.log');
  const log = openSync(logFile, 'a', 0o600);
  const keeper = spawn(
    process.execPath,
    [import.meta.filename, 'keep', `--nodes=${nodes}`, `--directory=${directory}`],
    { detached: true, stdio: ['ignore', log, log] },
  );
  closeSync(log);
  const identity = identify(keeper.pid ?? 0);
  let shown = 0;
  await until(
    'the cluster is ready',
    async () => {
      const text = await readFile(logFile);
      process.stderr.write(text.subarray(shown));
      shown = text.length;
      if (readState(directory) !== undefined) return true;
      if (identity !== undefined && isRunning(identity)) return undefined;
      throw new GivenUp(`the cluster did not start; see ${logFile}`);
    },
    { timeout: 600_000, interval: 100 },
  ).catch((error: unknown) => {
    if (identity !== undefined) signal(identity, 'SIGTERM');
    throw error;
  });
  keeper.unref();
  return status(directory);
}

/** Starts the cluster and stays, until a signal, as the process that it hangs on. */
async function keep(directory: string, nodeCount: number): Promise<number> {
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(name, () => end());
  // Promises alone do not keep a process alive.
  const alive = setInterval(() => undefined, 3_600_000);
  try {
    await run(directory, nodeCount, ended);
  } finally {
    clearInterval(alive);
  }
  return 0;
}

async function run(directory: string, nodeCount: number, ended: Promise<void>): Promise<void> {
  const version = kubernetesVersion();
  await using controlPlane = await startControlPlane({
    version,
    progress,
    reachableFromNodes: nodeCount > 0,
  });
  progress(`the control plane is ready: ${controlPlane.server}`);
  const nodes: ClusterNode[] = [];
  for (let count = 0; count < nodeCount; count++) {
    const node = await startNode(controlPlane, { progress });
    progress(`${node.name} is ready`);
    nodes.push(node);
  }
  await copyFile(controlPlane.kubeconfigPath, join(directory, 'kubeconfig'));
  const keeper = identify(process.pid);
  if (keeper === undefined) throw new Error('this process cannot be found');
  const state: State = {
    keeper,
    server: controlPlane.server,
    kubernetes: version,
    logs: join(controlPlane.directory, 'logs'),
    nodes: nodes.map(({ name, address, networkNamespace, init }) => ({
      name,
      address,
      networkNamespace,
      init,
    })),
  };
  const temporary = join(directory, 'state.json.tmp');
  await writeFile(temporary, `${JSON.stringify(state, null, 2)}\n`);
  await rename(temporary, join(directory, 'state.json'));

  await ended;
}

async function down(directory: string): Promise<number> {
  const state = readState(directory);
  if (state === undefined) progress('no cluster is running');
  else {
    signal(state.keeper, 'SIGTERM');
    const gone = (): true | undefined => (isRunning(state.keeper) ? undefined : true);
    await until('the cluster ends', gone, { timeout: 30_000 }).catch(async () => {
      signal(state.keeper, 'SIGKILL');
      await until('the keeper is killed', gone);
    });
    progress('the cluster has ended');
  }
  await reapLeftovers();
  await rm(directory, { recursive: true, force: true });
  return 0;
}

function status(directory: string): number {
  const state = readState(directory);
  if (state === undefined) {
    console.log('no cluster is running');
    return 3;
  }
  console.log(`Kubernetes ${state.kubernetes} at ${state.server}, process ${state.keeper.pid}`);
  for (const { name, address, networkNamespace, init } of state.nodes) {
    const condition = isRunning(init) ? 'running' : 'ended';
    console.log(`node ${name}: ${condition}, ${address}, network namespace ${networkNamespace}`);
  }
  console.log(`export KUBECONFIG=${join(directory, 'kubeconfig')}`);
  console.log(`binaries: ${join(directory, 'bin')}; logs: ${state.logs}`);
  return 0;
}

async function load(directory: string, archives: readonly string[]): Promise<number> {
  if (archives.length === 0) throw new UsageError('load: which archives?');
  const state = readState(directory);
  if (state === undefined) throw new Error('no cluster is running: start one with "up --nodes 1"');
  if (state.nodes.length === 0) throw new Error('the cluster has no nodes');
  const ctr = await binary('ctr', { progress });
  for (const archive of archives) {
    for (const node of state.nodes) {
      await importImage(node.init, ctr, archive);
      progress(`${archive}: loaded into ${node.name}`);
    }
  }
  return 0;
}

async function buildBinaries(withNodes: boolean): Promise<void> {
  const version = kubernetesVersion();
  const names = [...controlPlaneBinaries, ...(withNodes ? nodeBinaries : [])];
  for (const name of [...names, 'kubectl', 'helm'] as const) {
    await binary(name, { version, progress });
  }
}

async function build(): Promise<number> {
  const support = nodeSupport();
  if (!support.supported) progress(`without what nodes need: ${support.reason}`);
  await buildBinaries(support.supported);
  return 0;
}

async function images(): Promise<number> {
  await ensureNodeSupport(progress);
  await ensureBaseImages(progress);
  console.log((await testImages(progress)).shell);
  return 0;
}

/** The running cluster of a directory. */
function readState(directory: string): State | undefined {
  const path = join(directory, 'state.json');
  if (!existsSync(path) || statSync(path).size === 0) return undefined;
  const state = JSON.parse(readFileSync(path, 'utf8')) as State;
  return isRunning(state.keeper) ? state : undefined;
}

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parse(args);
  const [command, ...rest] = positionals;
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const directory = resolve(values.directory);
  const nodes = Number(values.nodes);
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > maxNodes) {
    throw new UsageError(`--nodes ${values.nodes}: a number from 0 to ${maxNodes}`);
  }
  if (command !== 'load' && rest.length > 0) throw new UsageError(`what is "${rest.join(' ')}"?`);
  switch (command) {
    case 'up':
      return up(directory, nodes);
    case 'keep':
      return keep(directory, nodes);
    case 'down':
      return down(directory);
    case 'status':
      return status(directory);
    case 'load':
      return load(directory, rest);
    case 'build':
      return build();
    case 'images':
      return images();
    case undefined:
      throw new UsageError('which command?');
    default:
      throw new UsageError(`there is no command "${command}"`);
  }
}

interface Arguments {
  readonly values: { readonly nodes: string; readonly directory: string; readonly help: boolean };
  readonly positionals: readonly string[];
}

function parse(args: readonly string[]): Arguments {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        nodes: { type: 'string', default: '0' },
        directory: { type: 'string', default: '.cluster' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  if (error instanceof Error && error.cause instanceof Error) console.error(error.cause.message);
  if (error instanceof UsageError) console.error('See --help.');
  process.exitCode = error instanceof UsageError ? 2 : 1;
}
