import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { promptSecret } from '#cli/prompt.ts';
import { captureIo } from '../../test/cli/capture-io.ts';

function terminal() {
  const modes: boolean[] = [];
  const stdin = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (mode: boolean) => modes.push(mode),
  });
  return { io: { ...captureIo({ cwd: '.' }), stdin }, stdin, modes };
}

describe('promptSecret', () => {
  it('reads up to Enter, takes back what is deleted, and shows nothing of it', async () => {
    const { io, stdin, modes } = terminal();
    const asked = promptSecret(io, 'privateKey');
    for (const key of ['a', 'b', 'x', '\u007f', 'cé', '\u007f', 'd\r']) stdin.write(key);
    expect(await asked).toBe('abcd');
    expect(io.err()).toBe('privateKey: \n');
    expect(io.out()).toBe('');
    expect(modes).toEqual([true, false]);
  });

  it('gives the terminal back when the person interrupts', async () => {
    const { io, stdin, modes } = terminal();
    const asked = promptSecret(io, 'privateKey');
    stdin.write('half\u0003');
    await expect(asked).rejects.toThrow('interrupted');
    expect(modes).toEqual([true, false]);
  });
});
