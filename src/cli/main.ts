import { systemIo } from '#cli/system-io.ts';
import { run } from '#cli/run.ts';

process.exitCode = await run(systemIo(), process.argv.slice(2));
