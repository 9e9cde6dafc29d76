import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { identify, isRunning, until } from './process.ts';

/** What is built once for all checkouts lies here: binaries, base images, image archives. */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'strongroom', 'cluster');
}

/**
 * Runs `work` while no other process runs work under the same lock file; waits for its turn.
 * A lock whose holder has died does not count.
 */
export async function withLock<T>(
  path: string,
  work: () => Promise<T>,
  waiting: () => void = () => undefined,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const self = identify(process.pid);
  const content = `${process.pid} ${self?.startTime ?? ''}`;
  let told = false;
  await until(
    `the lock ${path}`,
    async () => {
      try {
        await writeFile(path, content, { flag: 'wx' });
        return true;
      } catch {
        const [pid, startTime] = (await readFile(path, 'utf8').catch(() => '')).split(' ');
        // Empty: its holder is just writing it, or has just removed it.
        if (pid && startTime && !isRunning({ pid: Number(pid), startTime })) await rm(path);
        else if (!told) {
          told = true;
          waiting();
        }
        return undefined;
      }
    },
    { timeout: 3_600_000, interval: 200 },
  );
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}
