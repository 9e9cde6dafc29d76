import { run } from '#cli/run.ts';
import { systemIo } from '#cli/system-io.ts';

// Ends the process even when something still hangs: a stop that was forced must be one.
process.exit(await run(systemIo(), process.argv.slice(2)));
