import type { Readable, Writable } from 'node:stream';

/** Everything a command touches outside itself, so that tests run commands in-process. */
export interface Io {
  readonly stdin: Readable & { readonly isTTY?: boolean; setRawMode?(mode: boolean): unknown };
  readonly stdout: Writable & { readonly isTTY?: boolean; readonly columns?: number };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly env: NodeJS.ProcessEnv;
  readonly cwd: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Aborted when the person presses Ctrl-C. */
  readonly signal: AbortSignal;
}

export function print(io: Io, text: string): void {
  io.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** A remark for the person; stdout stays clean for what a script reads. */
export function notice(io: Io, text: string): void {
  io.stderr.write(`${text}\n`);
}
