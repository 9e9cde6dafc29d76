/** Runs the bundled operator as a process, with the rights of the chart's ServiceAccount and no more. */
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { readFile } from 'node:fs/promises';
import { binary } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';

const root = path.resolve(import.meta.dirname, '../..');
const execute = promisify(execFile);

/** Builds dist/ from the sources; every suite that runs the program calls it first. */
export async function buildProgram(): Promise<string> {
  await execute(process.execPath, [path.join(root, 'tools/build.ts')], { cwd: root });
  return path.join(root, 'dist', 'strongroom.js');
}

/** Installs the chart without its pods: replicas run as processes here. */
export async function installChart(
  kubeconfig: string,
  namespace: string,
  sets: readonly string[] = [],
): Promise<void> {
  const helm = await binary('helm');
  await execute(helm, [
    '--kubeconfig',
    kubeconfig,
    'upgrade',
    '--install',
    'strongroom',
    path.join(root, 'charts/strongroom'),
    '--namespace',
    namespace,
    '--create-namespace',
    '--set',
    'crds.install=false',
    '--set',
    'image.repository=localhost/strongroom',
    ...sets.flatMap((set) => ['--set', set]),
  ]);
}

export async function uninstallChart(kubeconfig: string, namespace: string): Promise<void> {
  const helm = await binary('helm');
  await execute(helm, [
    '--kubeconfig',
    kubeconfig,
    'uninstall',
    'strongroom',
    '--namespace',
    namespace,
  ]);
}

/** A kubeconfig that holds nothing but a ServiceAccount's token. */
export async function kubeconfigOf(
  adminKubeconfig: string,
  namespace: string,
  serviceAccount: string,
  directory: string,
  /** A pod that the token is for, which lets the API server name the pod's node in it. */
  pod?: string,
): Promise<string> {
  const kubectl = await binary('kubectl');
  const { stdout } = await execute(kubectl, [
    '--kubeconfig',
    adminKubeconfig,
    '-n',
    namespace,
    'create',
    'token',
    serviceAccount,
    '--duration=2h',
    ...(pod === undefined ? [] : ['--bound-object-kind=Pod', `--bound-object-name=${pod}`]),
  ]);
  const admin = parse(await readFile(adminKubeconfig, 'utf8')) as {
    clusters: readonly { cluster: unknown }[];
  };
  const file = path.join(directory, `${serviceAccount}${pod ?? ''}.kubeconfig`);
  await writeFile(
    file,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: admin.clusters[0]?.cluster }],
      users: [{ name: 'u', user: { token: stdout.trim() } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace } }],
      'current-context': 'x',
    }),
    { mode: 0o600 },
  );
  return file;
}

export interface OperatorProcess extends AsyncDisposable {
  readonly pid: number;
  /** Everything it has printed. */
  output(): string;
  metrics(): Promise<string>;
  /** SIGKILL, and gone. */
  kill(): Promise<void>;
  /** The exit code of a process that ends; null when a signal ended it. */
  readonly exited: Promise<number | null>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
}

export async function startOperator(options: {
  readonly program: string;
  readonly kubeconfig: string;
  readonly namespace: string;
  readonly identity: string;
  readonly args?: readonly string[];
}): Promise<OperatorProcess> {
  const { program, kubeconfig, namespace, identity, args = [] } = options;
  const child = spawn(
    process.execPath,
    [
      program,
      'operator',
      '--kubeconfig',
      kubeconfig,
      '--namespace',
      namespace,
      '--identity',
      identity,
      '--health-port',
      '0',
      '--log-level',
      'debug',
      ...args,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: process.env['PATH'] } },
  );
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
  const exited = once(child, 'exit').then(([code]) => code as number | null);
  const port = await eventually(
    () => {
      if (child.exitCode !== null)
        throw new Error(`the operator ended (${child.exitCode}): ${text}`);
      return /"healthPort":(\d+)/.exec(text)?.[1] === undefined ? undefined : lastPort(text);
    },
    { what: `the operator to listen; it printed: ${text}`, timeoutMs: 20_000 },
  );
  const end = async (signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null> => {
    child.kill(signal);
    return exited;
  };
  return {
    pid: child.pid ?? 0,
    exited,
    output: () => text,
    metrics: async () => (await fetch(`http://127.0.0.1:${port}/metrics`)).text(),
    kill: async () => void (await end('SIGKILL')),
    stop: () => end('SIGTERM'),
    async [Symbol.asyncDispose]() {
      if (child.exitCode === null && child.signalCode === null) await end('SIGKILL');
    },
  };
}

/** The line "Listening" carries the port that was picked. */
function lastPort(text: string): number | undefined {
  const port = /"listening":(\d+)/.exec(text)?.[1];
  return port === undefined ? undefined : Number(port);
}

/** A directory for files of a suite, private to it. */
export async function scratchDirectory(): Promise<{ readonly path: string } & AsyncDisposable> {
  const directory = await mkdtemp(path.join(tmpdir(), 'strongroom-suite-'));
  await chmod(directory, 0o700);
  return {
    path: directory,
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  };
}

export async function runProgram(
  program: string,
  args: readonly string[],
  options: { readonly kubeconfig?: string; readonly stdin?: string; readonly cwd?: string } = {},
): Promise<{ readonly code: number; readonly stdout: string; readonly stderr: string }> {
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    env: {
      PATH: process.env['PATH'],
      ...(options.kubeconfig === undefined ? {} : { KUBECONFIG: options.kubeconfig }),
    },
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString('utf8')));
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString('utf8')));
  child.stdin.end(options.stdin ?? '');
  const [code] = (await once(child, 'close')) as [number];
  return { code, stdout, stderr };
}
