import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { splitLines } from '#kube/lines.ts';

async function* chunked(bytes: Uint8Array, cuts: readonly number[]): AsyncGenerator<Uint8Array> {
  const edges = [...new Set([0, ...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length])];
  edges.sort((a, b) => a - b);
  for (const [index, start] of edges.entries()) yield bytes.subarray(start, edges[index + 1]);
}

async function linesOf(
  text: string | Uint8Array,
  cuts: readonly number[] = [],
  maxBytes?: number,
): Promise<string[]> {
  const bytes = typeof text === 'string' ? new TextEncoder().encode(text) : text;
  const lines: string[] = [];
  for await (const line of splitLines(chunked(bytes, cuts), maxBytes)) lines.push(line);
  return lines;
}

describe('splitLines', () => {
  it('gives the same lines wherever the chunks are cut, inside UTF-8 sequences too', async () => {
    const line = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((s) => !s.includes('\n'));
    await fc.assert(
      fc.asyncProperty(fc.array(line), fc.array(fc.nat()), async (lines, cuts) => {
        const text = lines.map((each) => `${each}\n`).join('');
        expect(await linesOf(text, cuts)).toEqual(lines.filter((each) => each !== ''));
      }),
    );
  });

  it('reads a line that is cut at every byte', async () => {
    const text = '{"name":"Zürich – 東京 🏦"}\n';
    const { length } = new TextEncoder().encode(text);
    const everywhere = Array.from({ length }, (_, index) => index);
    expect(await linesOf(text, everywhere)).toEqual([text.trimEnd()]);
  });

  it('reads lines of a megabyte', async () => {
    const long = 'é'.repeat(500_000);
    expect(await linesOf(`${long}\nshort\n`, [7, 16_385, 700_001])).toEqual([long, 'short']);
  });

  it('does not read bytes again that their sender has overwritten', async () => {
    const buffer = new TextEncoder().encode('one');
    async function* reused(): AsyncGenerator<Uint8Array> {
      yield buffer;
      buffer.fill('x'.charCodeAt(0));
      yield new TextEncoder().encode('!\n');
    }
    const lines: string[] = [];
    for await (const line of splitLines(reused())) lines.push(line);
    expect(lines).toEqual(['one!']);
  });

  it.each([
    ['in one chunk', []],
    ['in many chunks', [1, 2, 3, 4, 5, 6, 7, 8]],
  ])('refuses a line that is too long, %s', async (_, cuts) => {
    expect(await linesOf('12345678\n', cuts, 8)).toEqual(['12345678']);
    await expect(linesOf('123456789\n', cuts, 8)).rejects.toThrow(RangeError);
  });

  it('refuses what is not UTF-8', async () => {
    await expect(linesOf(Uint8Array.of(0xc3, 0x0a))).rejects.toThrow(TypeError);
  });

  it('tells a stream that breaks off inside a line from one that ends', async () => {
    await expect(linesOf('whole\nhalf')).rejects.toMatchObject({
      code: 'ERR_STREAM_PREMATURE_CLOSE',
    });
    expect(await linesOf('whole\n')).toEqual(['whole']);
    expect(await linesOf('')).toEqual([]);
  });
});
