/** The program `nft`, the only way into the kernel's tables; nothing else here starts a process. */
import { spawn } from 'node:child_process';

/** A set of 50,000 ranges takes it a second, on a busy machine several. */
const TIMEOUT_MS = 60_000;
const MAX_MESSAGE = 1_000;

export interface Nft {
  /** What it writes. Text for it goes through stdin, never through an argument. @throws NftError */
  (args: readonly string[], input?: string): Promise<string>;
}

export class NftError extends Error {
  override readonly name = 'NftError';
}

/** `command`: the program, with what comes before its own arguments. */
export function createNft(command: readonly [string, ...string[]] = ['nft']): Nft {
  const [program, ...before] = command;
  return async (args, input) => {
    const child = spawn(program, [...before, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: TIMEOUT_MS,
      killSignal: 'SIGKILL',
    });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => void stdout.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => {
      if (stderr.length < MAX_MESSAGE) stderr += chunk.toString('utf8');
    });
    // It may end before it has read everything; its exit code tells.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input ?? '');
    const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
    child.once('error', (error) => {
      reject(new NftError(`nft cannot be started: ${error.message}`, { cause: error }));
    });
    child.once('close', (code, signal) => {
      resolve(code === 0 ? undefined : `nft ended with ${signal ?? `exit code ${code}`}`);
    });
    const fault = await promise;
    if (fault !== undefined) {
      // Its message repeats the whole line that it does not like, which can be a megabyte.
      throw new NftError(`${fault}: ${stderr.split('\n')[0]?.slice(0, MAX_MESSAGE) ?? ''}`);
    }
    return Buffer.concat(stdout).toString('utf8');
  };
}
