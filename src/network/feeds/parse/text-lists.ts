import type { CreateLineFormat } from './list-parser.ts';

/**
 * FireHOL's netsets and ipsets: an address or CIDR a line, comments behind `#`.
 * https://github.com/firehol/blocklist-ipsets
 */
export const netset: CreateLineFormat = (add) => ({
  line(text, where) {
    const entry = before(text, /#/);
    if (entry !== '') add(entry, where);
  },
  end: () => undefined,
});

/** Anything with an address or CIDR first in each line; comments behind `#`, `;` and `//`. */
export const plain: CreateLineFormat = (add) => ({
  line(text, where) {
    const entry = text.startsWith('//') ? '' : before(text, /[\s#;]/);
    if (entry !== '') add(entry, where);
  },
  end: () => undefined,
});

function before(text: string, mark: RegExp): string {
  const at = text.search(mark);
  return (at < 0 ? text : text.slice(0, at)).trimEnd();
}
