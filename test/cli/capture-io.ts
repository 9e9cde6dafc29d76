import { PassThrough, Readable } from 'node:stream';
import type { Io } from '../../src/cli/io.ts';

export interface CapturedIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
}

/** An Io for one command in a test: stdin from a string, stdout and stderr kept. */
export function captureIo(options: {
  readonly cwd: string;
  readonly stdin?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly stdoutIsTerminal?: boolean;
  readonly now?: number;
}): CapturedIo {
  const [stdout, out] = capture(options.stdoutIsTerminal ?? false);
  const [stderr, err] = capture(false);
  return {
    stdin: Readable.from(options.stdin === undefined ? [] : [Buffer.from(options.stdin)]),
    stdout,
    stderr,
    env: options.env ?? {},
    cwd: options.cwd,
    now: () => options.now ?? Date.now(),
    signal: new AbortController().signal,
    out,
    err,
  };
}

function capture(isTTY: boolean): [PassThrough & { isTTY: boolean }, () => string] {
  const chunks: Buffer[] = [];
  const stream = Object.assign(new PassThrough(), { isTTY });
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  return [stream, () => Buffer.concat(chunks).toString('utf8')];
}
