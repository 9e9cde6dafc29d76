/** Bundles the program into dist/; what `rolldown -c` does, without its table. */
import { chmod } from 'node:fs/promises';
import path from 'node:path';
import { rolldown } from 'rolldown';
import config from '../rolldown.config.ts';

const { output, ...input } = config;
await using bundle = await rolldown(input);
for (const one of [output ?? {}].flat()) await bundle.write(one);
// Its first line names the interpreter; as kubectl-strongroom it is a kubectl plugin.
await chmod(path.resolve(import.meta.dirname, '../dist/strongroom.js'), 0o755);
