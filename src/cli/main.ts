/** The entry; in syntax that older Node versions can read, so that they get a sentence. */
const MINIMUM_NODE = 24;
const [major = 0] = process.versions.node.split('.').map(Number);

if (major < MINIMUM_NODE) {
  process.stderr.write(
    `strongroom: needs Node ${MINIMUM_NODE} or newer; this is ${process.versions.node} (${process.execPath})\n`,
  );
  process.exit(2);
}
const [{ run }, { systemIo }] = await Promise.all([
  import('#cli/run.ts'),
  import('#cli/system-io.ts'),
]);
// Ends the process even when something still hangs: a stop that was forced must be one.
process.exit(await run(systemIo(), process.argv.slice(2)));
