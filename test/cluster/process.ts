import { execFile, execFileSync, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';

/** A process, told apart from a later one that happens to get the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, as the system prints it: only good for comparing. */
  readonly startTime: string;
}

/** The identity of a running process; `undefined` once it has ended (a zombie has ended). */
export function identify(pid: number): ProcessIdentity | undefined {
  if (process.platform !== 'linux') return identifyWithPs(pid);
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses and may hold spaces and parentheses itself.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state] = fields;
  const startTime = fields[19];
  if (state === 'Z' || state === 'X' || startTime === undefined) return undefined;
  return { pid, startTime };
}

function identifyWithPs(pid: number): ProcessIdentity | undefined {
  try {
    const started = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], { encoding: 'utf8' });
    const startTime = started.trim().replaceAll(/[^A-Za-z0-9]+/g, '_');
    return startTime === '' ? undefined : { pid, startTime };
  } catch {
    return undefined;
  }
}

export function isRunning(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime;
}

/** Sends a signal to exactly this process; does nothing if it has ended. */
export function signal(identity: ProcessIdentity, name: NodeJS.Signals): void {
  if (!isRunning(identity)) return;
  try {
    process.kill(identity.pid, name);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}

/**
 * Asks until the answer is something, every `interval` milliseconds.
 * @throws Error naming `what` and the last failure after `timeout` milliseconds.
 */
export async function until<T>(
  what: string,
  ask: () => Promise<T | undefined> | T | undefined,
  { timeout = 120_000, interval = 50 }: { timeout?: number; interval?: number } = {},
): Promise<T> {
  const end = performance.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      if (error instanceof GivenUp) throw error;
      last = error;
    }
    if (performance.now() > end) {
      throw new Error(`${what}: not after ${timeout / 1000} s`, { cause: last });
    }
    await delay(interval);
  }
}

/** Thrown inside `until` when asking again cannot help. */
export class GivenUp extends Error {
  override readonly name = 'GivenUp';
}

export interface RunOptions {
  readonly environment?: Readonly<Record<string, string>>;
  readonly directory?: string;
  /** Written to the standard input. */
  readonly input?: string;
  /** Milliseconds; default five minutes. */
  readonly timeout?: number;
}

/**
 * Runs a program to its end and returns its standard output.
 * @throws Error with the command line and the end of what it printed.
 */
export function run(
  program: string,
  args: readonly string[],
  options: RunOptions = {},
): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const child = execFile(
    program,
    args,
    {
      encoding: 'utf8',
      maxBuffer: 64 * 1024 * 1024,
      timeout: options.timeout ?? 300_000,
      env: { ...process.env, ...options.environment },
      ...(options.directory === undefined ? {} : { cwd: options.directory }),
    },
    (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else {
        const printed = `${stdout}${stderr}`.trim().slice(-2000);
        reject(new Error(`${[program, ...args].join(' ')}: ${printed || error.message}`));
      }
    },
  );
  // A program that does not read its input may be gone before it is written.
  child.stdin?.on('error', () => undefined).end(options.input);
  return promise;
}

/** The end of a log file, for error messages; empty if there is none. */
export async function tail(path: string, bytes = 2000): Promise<string> {
  try {
    await using file = await open(path);
    const { size } = await file.stat();
    const buffer = Buffer.alloc(Math.min(size, bytes));
    await file.read(buffer, 0, buffer.length, size - buffer.length);
    return buffer.toString('utf8');
  } catch {
    return '';
  }
}

/** A program of the cluster that keeps running: its output goes to a log file. */
export interface Daemon {
  readonly name: string;
  readonly logFile: string;
  readonly identity: ProcessIdentity;
  /** Resolves when it has ended. */
  readonly ended: Promise<void>;
  isRunning(): boolean;
  signal(name: NodeJS.Signals): void;
  /** Ends it: SIGTERM, then SIGKILL after `grace` milliseconds (0: at once). */
  stop(grace?: number): Promise<void>;
  /** @throws GivenUp with the end of its log if it has ended. */
  mustRun(): Promise<void>;
}

export interface DaemonOptions {
  readonly name: string;
  readonly program: string;
  readonly args: readonly string[];
  readonly logFile: string;
  readonly environment: Readonly<Record<string, string>>;
  readonly directory?: string;
}

/** On Linux the kernel itself ends a daemon whose launcher dies, even by SIGKILL. */
const dieWithParent: readonly string[] =
  process.platform === 'linux' ? ['setpriv', '--pdeathsig', 'KILL'] : [];

export function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { name, logFile } = options;
  const [program = options.program, ...args] = [...dieWithParent, options.program, ...options.args];
  const log = openSync(logFile, 'a', 0o600);
  const child = spawn(program, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...options.environment },
    ...(options.directory === undefined ? {} : { cwd: options.directory }),
  });
  closeSync(log);
  // The launcher may end without stopping its daemons; they then end with it.
  child.unref();
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => resolve());
    child.once('error', () => resolve());
  });
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new Error(`${name} cannot be started`, { cause: error }));
    });
    child.once('spawn', () => {
      const pid = child.pid ?? 0;
      const identity = identify(pid) ?? { pid, startTime: '' };
      const daemon: Daemon = {
        name,
        logFile,
        identity,
        ended,
        isRunning: () => isRunning(identity),
        signal: (signalName) => signal(identity, signalName),
        stop: async (grace = 0) => {
          if (!isRunning(identity)) return;
          signal(identity, grace === 0 ? 'SIGKILL' : 'SIGTERM');
          const abort = new AbortController();
          const killed = delay(grace, undefined, { signal: abort.signal }).then(
            () => signal(identity, 'SIGKILL'),
            () => undefined,
          );
          // Waiting for it, unlike running it, is something to stay alive for.
          child.ref();
          await ended;
          abort.abort();
          await killed;
        },
        mustRun: async () => {
          if (isRunning(identity)) return;
          throw new GivenUp(`${name} has ended; the end of ${logFile}:\n${await tail(logFile)}`);
        },
      };
      resolve(daemon);
    });
  });
}
