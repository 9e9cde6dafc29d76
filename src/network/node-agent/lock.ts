/**
 * One agent a node: a Unix socket with an abstract name, which the kernel keeps apart by network
 * namespace, as it does with the tables, and takes away when its process ends, in whatever way.
 */
import { createServer } from 'node:net';
import type { Server } from 'node:net';
import type { Clock } from '#runtime/clock.ts';

export const LOCK_NAME = 'strongroom-node-agent';
const RETRY_MS = 500;

/** Undefined: another process holds it. */
export async function tryLock(name: string = LOCK_NAME): Promise<AsyncDisposable | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    await listen(server, `\0${name}`);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return undefined;
    throw error;
  }
  return {
    [Symbol.asyncDispose]: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
      }),
  };
}

/** Waits until it is free. Rejects with the reason of the signal when that is aborted. */
export async function waitForLock(options: {
  readonly name?: string;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onWait: () => void;
}): Promise<AsyncDisposable> {
  const { name = LOCK_NAME, clock, signal, onWait } = options;
  for (let attempt = 0; ; attempt += 1) {
    signal.throwIfAborted();
    const lock = await tryLock(name);
    if (lock !== undefined) return lock;
    if (attempt === 0) onWait();
    await clock.sleep(RETRY_MS, signal);
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, exclusive: true }, resolve);
  });
}
