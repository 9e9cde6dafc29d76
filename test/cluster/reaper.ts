/**
 * Runs beside a launcher and waits for it to end, even by SIGKILL: the standard input is a pipe
 * from it and ends with it. Then takes away whatever the launcher left behind.
 */
import { reapOwnedBy } from './scratch.ts';

const prefix = process.argv[2];
if (prefix === undefined) throw new Error('usage: reaper.ts <prefix of the scratch directories>');
for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, () => undefined);
process.stdin.resume();
process.stdin.once('close', () => void reapOwnedBy(prefix));
