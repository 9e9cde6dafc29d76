import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { identify, signal, until } from './process.ts';

const root = '/sys/fs/cgroup';

/** Version 2 has one hierarchy, at the root; version 1 has one a controller, below it. */
function hierarchies(): string[] {
  if (existsSync(join(root, 'cgroup.procs'))) return [root];
  return subdirectories(root).filter((each) => existsSync(join(each, 'cgroup.procs')));
}

/** Makes a control group in every hierarchy. */
export function createControlGroup(name: string): void {
  for (const hierarchy of hierarchies()) {
    const group = join(hierarchy, name);
    mkdirSync(group, { recursive: true });
    // In version 1 nothing can run in a new group before it is given processors and memory.
    for (const file of ['cpuset.cpus', 'cpuset.mems']) {
      if (hierarchy !== root && existsSync(join(group, file))) {
        writeFileSync(join(group, file), readFileSync(join(hierarchy, file)));
      }
    }
  }
}

/** Kills what runs in a control group and the groups in it, and removes them. */
export async function removeControlGroup(name: string): Promise<void> {
  for (const hierarchy of hierarchies()) {
    const group = join(hierarchy, name);
    await until(`the control group ${group} is removed`, () => {
      if (existsSync(group)) removeTree(group);
      return existsSync(group) ? undefined : true;
    });
  }
}

function removeTree(group: string): void {
  for (const child of subdirectories(group)) removeTree(child);
  try {
    for (const pid of readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n')) {
      const identity = pid === '' ? undefined : identify(Number(pid));
      if (identity !== undefined) signal(identity, 'SIGKILL');
    }
    rmdirSync(group);
  } catch {
    // Still busy, or gone meanwhile: the caller looks again.
  }
}

function subdirectories(directory: string): string[] {
  try {
    const paths = readdirSync(directory).map((name) => join(directory, name));
    return paths.filter((each) => lstatSync(each, { throwIfNoEntry: false })?.isDirectory());
  } catch {
    return [];
  }
}
