import { describe, expect, it } from 'vitest';
import { readWarnings } from '#kube/warnings.ts';

const asBytes = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

describe('readWarnings', () => {
  it.each<readonly [string, string | readonly string[] | undefined, readonly string[]]>([
    ['no header', undefined, []],
    ['one', '299 - "it is not guarded"', ['it is not guarded']],
    ['several headers', ['299 - "one"', '299 - "two"'], ['one', 'two']],
    ['several in a header', '299 - "one, two", 299 - "three"', ['one, two', 'three']],
    ['a date', '299 - "one" "Thu, 26 Nov 2026 10:00:00 GMT", 299 - "two"', ['one', 'two']],
    ['quotes and backslashes', String.raw`299 - "a \"b\" \\ c"`, [String.raw`a "b" \ c`]],
    ['marks beyond ASCII', asBytes('299 - "names … of désk"'), ['names … of désk']],
    ['those of proxies', '110 proxy "Response is Stale", 299 - "mine"', ['mine']],
    ['an empty one', '299 - ""', []],
    ['none that can be read', 'nonsense', []],
    ['one that does not end', '299 - "one', []],
  ])('reads %s', (_, header, texts) => {
    expect(readWarnings(header)).toEqual(texts);
  });
});
