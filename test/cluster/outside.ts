import { spawn } from 'node:child_process';
import { type ControlPlane, internalsOf } from './control-plane.ts';
import { run } from './process.ts';
import { createScratch } from './scratch.ts';

/** A host outside of the cluster that its pods can reach and that can reach them. */
export interface OutsideHost extends AsyncDisposable {
  readonly address: string;
  /** Runs a program there. Rejects, with stderr in the message, when it fails. */
  run(command: readonly string[]): Promise<string>;
  /** Starts a program there that runs until it is ended, or until the host is. */
  start(command: readonly string[]): OutsideProcess;
}

export interface OutsideProcess {
  /** All that it has printed. */
  output(): string;
  write(text: string): void;
  end(): Promise<void>;
}

/**
 * Puts a host of that address beside the nodes that run by now, in a network namespace of its own.
 * Nothing but the cluster knows the address: the machine has no route to it.
 */
export async function startOutsideHost(
  controlPlane: ControlPlane,
  address: string,
): Promise<OutsideHost> {
  const { network, stopFirst } = internalsOf(controlPlane);
  if (network === undefined) throw new Error('hosts need a control plane with reachableFromNodes');
  const scratch = createScratch('outside');
  const children = new Set<OutsideProcess>();
  let stopped: Promise<void> | undefined;
  const stop = (): Promise<void> => {
    stopped ??= (async () => {
      await Promise.all([...children].map((child) => child.end()));
      await scratch.remove();
      stopFirst.delete(stop);
    })();
    return stopped;
  };
  stopFirst.add(stop);
  try {
    const namespace = await network.addOutside(scratch, address);
    const inside = (command: readonly string[]): string[] => [
      `--net=/run/netns/${namespace}`,
      ...command,
    ];
    return {
      address,
      run: (command) => run('nsenter', inside(command)),
      start(command) {
        const child = spawn('nsenter', inside(command), {
          stdio: ['pipe', 'pipe', 'pipe'],
          env: { PATH: process.env['PATH'], ...scratch.environment },
        });
        let text = '';
        child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        child.stderr.on('data', (chunk: Buffer) => (text += chunk.toString('utf8')));
        // Writing to one that has ended is no failure of the test.
        child.stdin.on('error', () => undefined);
        const exited = new Promise<void>((resolve) => child.once('close', () => resolve()));
        const started: OutsideProcess = {
          output: () => text,
          write: (line) => void child.stdin.write(line),
          async end() {
            child.kill('SIGKILL');
            await exited;
            children.delete(started);
          },
        };
        children.add(started);
        return started;
      },
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}
