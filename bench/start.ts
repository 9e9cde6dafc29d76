/** Start-up of the bundled command line, against a Node that does nothing: what a person waits for. */
import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { buildProgram, scratchDirectory } from '../test/integration/operator-process.ts';
import { sample } from './benchmark.ts';
import type { Benchmark } from './benchmark.ts';

const ROUNDS = 30;
const execute = promisify(execFile);

export const start: Benchmark = {
  name: 'start',
  async run() {
    const program = await buildProgram();
    await using scratch = await scratchDirectory();
    const empty = path.join(scratch.path, 'empty.js');
    await writeFile(empty, '');
    const bare = await sample(ROUNDS, () => execute(process.execPath, [empty]));
    const results = [];
    for (const command of ['version', 'seal --help']) {
      results.push({
        what: `strongroom ${command}`,
        ours: await sample(ROUNDS, () =>
          execute(process.execPath, [program, ...command.split(' ')]),
        ),
        peers: { 'node with an empty file': bare },
      });
    }
    return results;
  },
};
