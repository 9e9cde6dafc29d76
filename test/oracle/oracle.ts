import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { NetworkCase } from './network-cases.ts';

export interface OracleVerdict {
  readonly egress: boolean;
  readonly ingress: boolean;
}

export interface Oracle extends AsyncDisposable {
  /**
   * What cyclonus says of each connection of a case.
   * @throws Error with what it complained of.
   */
  ask(cases: readonly NetworkCase[]): Promise<readonly (readonly OracleVerdict[])[]>;
}

/** Starts the program `network-oracle`, which answers line by line. */
export function startOracle(program: string): Oracle {
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(child, 'exit');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(cases) {
      for (const each of cases) child.stdin.write(`${JSON.stringify(each)}\n`);
      const answers: (readonly OracleVerdict[])[] = [];
      while (answers.length < cases.length) {
        const line = await lines.next();
        if (line.done === true) throw new Error(`${program} ended before it had answered`);
        const { verdicts = [], error } = JSON.parse(line.value) as {
          verdicts?: readonly OracleVerdict[];
          error?: string;
        };
        if (error !== undefined) {
          const asked = JSON.stringify(cases[answers.length]);
          throw new Error(`${program} refuses a case: ${error}\n${asked}`);
        }
        answers.push(verdicts);
      }
      return answers;
    },
    async [Symbol.asyncDispose]() {
      child.stdin.end();
      await ended;
    },
  };
}
