/** Lines of a text that comes in chunks; a line that goes on and on takes no memory. */
export interface LineSplitter {
  push(chunk: string): void;
  /** The last line, where no newline ends it. */
  end(): void;
}

/** No entry of any list is nearly so long. */
export const LONGEST_LINE = 4096;

/**
 * Calls `online` for each line, without its end and the spaces around it. A longer line than
 * {@link LONGEST_LINE} is cut there. `isLast` is true for a line that no newline ends.
 */
export function createLineSplitter(
  online: (line: string, number: number, isLast: boolean) => void,
): LineSplitter {
  let number = 0;
  let rest = '';

  function keep(part: string): void {
    if (rest.length < LONGEST_LINE) rest += part.slice(0, LONGEST_LINE - rest.length);
  }

  return {
    push(chunk) {
      let start = 0;
      for (;;) {
        const end = chunk.indexOf('\n', start);
        if (end < 0) break;
        keep(chunk.slice(start, end));
        number += 1;
        online(rest.trim(), number, false);
        rest = '';
        start = end + 1;
      }
      keep(chunk.slice(start));
    },
    end() {
      if (rest === '') return;
      number += 1;
      online(rest.trim(), number, true);
      rest = '';
    },
  };
}
