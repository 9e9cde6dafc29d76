import { execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { basename, join } from 'node:path';
import { removeControlGroup } from './control-group.ts';
import { type ProcessIdentity, identify, isRunning, signal, until } from './process.ts';

/**
 * Everything a cluster leaves on the machine hangs on one scratch directory: its files are in it,
 * what is outside (network namespaces, interfaces, control groups) is written into its record
 * *before* it is made, and its processes carry it in their environment. So whoever finds the
 * directory can take all of it away. The directory's name says which process it belongs to.
 */
export interface Scratch {
  readonly directory: string;
  /** To be given to every process that is started for this directory. */
  readonly environment: Readonly<Record<string, string>>;
  /** Notes something outside the directory that is to go when the directory goes. */
  record(kind: ResourceKind, name: string): void;
  /** Ends the processes and removes everything, the directory included. */
  remove(): Promise<void>;
}

export type ResourceKind = 'network-namespace' | 'link' | 'control-group' | 'process';

const marker = 'STRONGROOM_CLUSTER_SCRATCH';
const recordFile = 'record';

/** Where the scratch directories of this user are. */
export function scratchRoot(): string {
  return join(tmpdir(), `strongroom-cluster-${userInfo().uid}`);
}

const prefixOf = (owner: ProcessIdentity): string => `${owner.pid}-${owner.startTime}-`;

function ownerOf(name: string): ProcessIdentity | undefined {
  const [, pid, startTime] = /^(\d+)-(\w+)-/.exec(name) ?? [];
  return pid === undefined || startTime === undefined ? undefined : { pid: Number(pid), startTime };
}

function self(): ProcessIdentity {
  return identify(process.pid) ?? { pid: process.pid, startTime: '0' };
}

let reaperStarted = false;

/**
 * Starts, once, a process that waits for this one to end, in whatever way, and then takes away
 * what it left.
 */
function startReaper(): void {
  if (reaperStarted) return;
  if (Number(process.versions.node.split('.')[0]) < 24) {
    throw new Error(`the test cluster needs Node 24 or newer: this is ${process.version}`);
  }
  reaperStarted = true;
  const reaper = spawn(
    process.execPath,
    [join(import.meta.dirname, 'reaper.ts'), prefixOf(self())],
    // A session of its own: an interrupt from the terminal is not for it.
    { detached: true, stdio: ['pipe', 'ignore', 'ignore'] },
  );
  reaper.unref();
  // The pipe is never written to: its end tells the reaper that this process is gone.
  if (reaper.stdin !== null && 'unref' in reaper.stdin && typeof reaper.stdin.unref === 'function')
    reaper.stdin.unref();
}

/** A fresh scratch directory of this process. */
export function createScratch(name: string): Scratch {
  startReaper();
  const directory = makeDirectory(`${prefixOf(self())}${name}-`);
  return {
    directory,
    environment: { [marker]: directory },
    record: (kind, resource) => {
      appendFileSync(join(directory, recordFile), `${kind} ${resource}\n`);
    },
    remove: () => reap(directory),
  };
}

function makeDirectory(prefix: string): string {
  const root = scratchRoot();
  for (let attempt = 1; ; attempt++) {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    try {
      return mkdtempSync(join(root, prefix));
    } catch (error) {
      // A reaper has just removed the empty root.
      if (attempt === 5) throw error;
    }
  }
}

/**
 * Takes one of a fixed number of slots, which several clusters on a machine share out among them.
 * It is given back when the scratch directory is removed.
 * @throws Error if all are taken.
 */
export async function takeSlot(scratch: Scratch, count: number): Promise<number> {
  for (let slot = 0; slot < count; slot++) {
    const path = join(scratchRoot(), `slot-${slot}`);
    try {
      // Making a link is atomic, and the link itself tells whose the slot is.
      symlinkSync(scratch.directory, path);
      return slot;
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
    }
  }
  throw new Error(`all ${count} slots for clusters with nodes are taken on this machine`);
}

/** Removes what processes that are gone have left behind. */
export async function reapLeftovers(): Promise<void> {
  for (const name of entries(scratchRoot())) {
    const owner = ownerOf(name);
    if (owner !== undefined && !isRunning(owner)) await reap(join(scratchRoot(), name));
    const target = name.startsWith('slot-') ? linkTarget(join(scratchRoot(), name)) : undefined;
    if (target !== undefined && !existsSync(target)) unlinkSync(join(scratchRoot(), name));
  }
}

/** Removes everything of the process whose directories start with `prefix`. */
export async function reapOwnedBy(prefix: string): Promise<void> {
  for (const name of entries(scratchRoot())) {
    if (name.startsWith(prefix)) await reap(join(scratchRoot(), name));
  }
  try {
    rmdirSync(scratchRoot());
  } catch {
    // Others have their directories in it.
  }
}

async function reap(directory: string): Promise<void> {
  const resources = readRecord(directory);
  const named = (kind: ResourceKind): string[] =>
    resources.filter((each) => each.kind === kind).map((each) => each.name);

  await killAll(directory, named('process'));
  for (const group of named('control-group')) await removeControlGroup(group);
  for (const namespace of named('network-namespace')) {
    if (existsSync(join('/run/netns', namespace))) ip(['netns', 'delete', namespace]);
  }
  for (const link of named('link')) {
    if (existsSync(join('/sys/class/net', link))) ip(['link', 'delete', link]);
  }
  for (const name of entries(scratchRoot())) {
    if (!name.startsWith('slot-')) continue;
    const path = join(scratchRoot(), name);
    if (linkTarget(path) === directory) unlinkSync(path);
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 });
}

function readRecord(directory: string): { kind: string; name: string }[] {
  let text: string;
  try {
    text = readFileSync(join(directory, recordFile), 'utf8');
  } catch {
    return [];
  }
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([kind, name]) => (kind && name ? [{ kind, name }] : []));
}

/** Kills the processes that were started for a directory, until there are none. */
async function killAll(directory: string, recorded: readonly string[]): Promise<void> {
  await until(`the processes of ${basename(directory)} end`, () => {
    const found = [...processesMarked(directory), ...recorded.flatMap(parseProcess)];
    const running = found.filter(isRunning);
    for (const each of running) signal(each, 'SIGKILL');
    return running.length === 0 ? true : undefined;
  });
}

function parseProcess(text: string): ProcessIdentity[] {
  const [pid, startTime] = text.split('/');
  return pid === undefined || startTime === undefined ? [] : [{ pid: Number(pid), startTime }];
}

/** Processes carry their scratch directory in the environment, so that none can be missed. */
function processesMarked(directory: string): ProcessIdentity[] {
  if (process.platform !== 'linux') return [];
  const wanted = `${marker}=${directory}`;
  return entries('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return [];
    const identity = identify(Number(name));
    try {
      const variables = readFileSync(`/proc/${name}/environ`, 'utf8').split('\0');
      return identity !== undefined && variables.includes(wanted) ? [identity] : [];
    } catch {
      return [];
    }
  });
}

function ip(args: readonly string[]): void {
  try {
    execFileSync('ip', args, { stdio: 'ignore' });
  } catch {
    // It went with something else, such as an interface with its namespace.
  }
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function entries(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
