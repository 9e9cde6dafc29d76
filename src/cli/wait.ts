import { setTimeout as delay } from 'node:timers/promises';
import type { Io } from '#cli/io.ts';

const INTERVAL_MS = 250;

/** Asks again and again until there is an answer; undefined when the time is over. */
export async function pollUntil<T>(
  io: Io,
  timeoutSeconds: number,
  probe: () => Promise<T | undefined>,
): Promise<T | undefined> {
  const deadline = performance.now() + timeoutSeconds * 1000;
  for (;;) {
    const answer = await probe();
    if (answer !== undefined || performance.now() > deadline) return answer;
    await delay(INTERVAL_MS, undefined, { signal: io.signal });
  }
}
