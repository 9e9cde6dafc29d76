/** Bundles the program into dist/; what `rolldown -c` does, without its table. */
import { rolldown } from 'rolldown';
import config from '../rolldown.config.ts';

const { output, ...input } = config;
await using bundle = await rolldown(input);
for (const one of [output ?? {}].flat()) await bundle.write(one);
