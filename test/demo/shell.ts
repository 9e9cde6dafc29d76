import { spawn } from 'node:child_process';
import { openSync } from 'node:fs';
import path from 'node:path';

export interface Output {
  readonly stdout: string;
  readonly stderr: string;
}

export interface Shell {
  step(title: string): void;
  say(text: string): void;
  /** Runs a program without a shell. Rejects with its stderr when it fails. */
  run(command: string, args: readonly string[], input?: string): Promise<Output>;
  /** Runs a program whose output the person sees. */
  show(command: string, args: readonly string[], cwd?: string): Promise<void>;
  kubectl(args: readonly string[], input?: string): Promise<Output>;
  helm(args: readonly string[]): Promise<Output>;
  strongroom(args: readonly string[], input?: string): Promise<Output>;
  startOperator(kubeconfig: string): Promise<void>;
  operatorPid(): number | undefined;
}

export function createShell(options: {
  readonly root: string;
  readonly cwd: string;
  readonly env: NodeJS.ProcessEnv;
}): Shell {
  const { root, cwd, env } = options;
  let steps = 0;
  let operator: number | undefined;
  const bin = (name: string): string =>
    env['KUBECONFIG'] === path.join(root, '.cluster', 'kubeconfig')
      ? path.join(root, '.cluster', 'bin', name)
      : name;

  function run(command: string, args: readonly string[], input?: string): Promise<Output> {
    return new Promise((resolve, reject) => {
      const child = spawn(command, args, { cwd, env, stdio: ['pipe', 'pipe', 'pipe'] });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
      child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
      child.on('error', reject);
      child.on('close', (code) => {
        const stdout = Buffer.concat(out).toString('utf8');
        const stderr = Buffer.concat(err).toString('utf8');
        if (code === 0) resolve({ stdout, stderr });
        else
          reject(
            new Error(
              `${path.basename(command)} ${args.slice(0, 3).join(' ')} failed (${code}): ${stderr.trim()}`,
            ),
          );
      });
      // A program that ends without reading what it is given says why itself.
      child.stdin.on('error', () => undefined);
      child.stdin.end(input ?? '');
    });
  }

  return {
    step(title) {
      steps += 1;
      console.log(`\n${steps}. ${title}`);
    },
    say: (text) => console.log(text.replaceAll(/^/gm, '   ')),
    run,
    show(command, args, directory = root) {
      return new Promise((resolve, reject) => {
        const child = spawn(command, args, {
          cwd: directory,
          env,
          stdio: ['ignore', 'inherit', 'inherit'],
        });
        child.on('error', reject);
        child.on('close', (code) =>
          code === 0 ? resolve() : reject(new Error(`${path.basename(command)} failed (${code})`)),
        );
      });
    },
    kubectl: (args, input) => run(bin('kubectl'), args, input),
    helm: (args) => run(bin('helm'), args),
    strongroom: (args, input) =>
      run(process.execPath, [path.join(root, 'dist/strongroom.js'), ...args], input),
    async startOperator(kubeconfig) {
      const log = openSync(path.join(root, '.cluster', 'operator.log'), 'a', 0o600);
      const child = spawn(
        process.execPath,
        [
          path.join(root, 'dist/strongroom.js'),
          'operator',
          '--kubeconfig',
          kubeconfig,
          '--namespace',
          'strongroom-system',
          '--health-port',
          '0',
        ],
        { cwd: root, env, detached: true, stdio: ['ignore', log, log] },
      );
      child.unref();
      operator = child.pid;
    },
    operatorPid: () => operator,
  };
}
