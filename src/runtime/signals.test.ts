import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';

const SIGNALS = new URL('signals.ts', import.meta.url).href;
const children: ChildProcess[] = [];

/** A process that ends gracefully, or hangs, when it is asked to stop. */
async function start(onStop: 'ends' | 'hangs') {
  const script = `
    import { terminationSignal } from '${SIGNALS}';
    const work = setInterval(() => undefined, 1000);
    terminationSignal(process).addEventListener('abort', () => {
      process.stdout.write('stopping');
      if (${JSON.stringify(onStop)} === 'ends') clearInterval(work);
    });
    process.stdout.write('ready');
  `;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const output = child.stdout[Symbol.asyncIterator]();
  const said = async (): Promise<string> => String((await output.next()).value);
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  expect(await said()).toBe('ready');
  return { child, said, ended };
}

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

describe('terminationSignal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)('asks for a graceful stop on %s', async (signal) => {
    const { child, said, ended } = await start('ends');
    child.kill(signal);
    expect(await said()).toBe('stopping');
    expect(await ended).toEqual([0, null]);
  });

  it.each([
    ['SIGTERM', 'SIGTERM', 143],
    ['SIGINT', 'SIGINT', 130],
    ['SIGTERM', 'SIGINT', 130],
  ] as const)('ends at once on %s and then %s, with %i', async (first, second, code) => {
    const { child, said, ended } = await start('hangs');
    child.kill(first);
    expect(await said()).toBe('stopping');
    child.kill(second);
    expect(await ended).toEqual([code, null]);
  });
});
