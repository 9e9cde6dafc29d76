import type { Io } from '#cli/io.ts';

/** The process' own streams and clock; Ctrl-C aborts the signal, a second one ends the process. */
export function systemIo(): Io {
  const controller = new AbortController();
  process.once('SIGINT', () => controller.abort(new Error('interrupted')));
  return {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
    signal: controller.signal,
  };
}
