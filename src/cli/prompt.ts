import type { Io } from '#cli/io.ts';
import { CliError, usageError } from '#cli/errors.ts';

const ENTER = new Set(['\r', '\n', '\u0004']);
const BACKSPACE = new Set(['\u007f', '\b']);
const INTERRUPT = '\u0003';

/**
 * Asks for a secret on the terminal without showing it. The prompt goes to stderr, because stdout
 * carries the ciphertext. Throws when stdin is not a terminal: a script uses `--stdin`.
 */
export async function promptSecret(io: Io, question: string): Promise<string> {
  const { stdin, stderr } = io;
  if (stdin.isTTY !== true || stdin.setRawMode === undefined) {
    throw usageError(
      'stdin is not a terminal, so nobody can be asked; use --stdin, --from-file, --from-env-file or --from-secret',
    );
  }
  // Raw mode first: an answer that comes with the question must not be echoed either.
  stdin.setRawMode(true);
  stderr.write(`${question}: `);
  stdin.setEncoding('utf8');
  try {
    let value = '';
    for await (const chunk of stdin.iterator({ destroyOnReturn: false })) {
      for (const character of String(chunk)) {
        if (ENTER.has(character)) return value;
        if (character === INTERRUPT) throw new CliError('interrupted');
        if (BACKSPACE.has(character)) value = value.replace(/.$/u, '');
        else value += character;
      }
    }
    return value;
  } finally {
    stdin.setRawMode(false);
    stdin.pause();
    stderr.write('\n');
  }
}
