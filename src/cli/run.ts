import { CommanderError } from 'commander';
import { EXIT, exitCodeOf, messageOf, NegativeAnswer } from '#cli/errors.ts';
import type { ExitCode } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';
import { createProgram } from '#cli/program.ts';

/** Runs one command line and returns the exit code. Errors go to stderr, in one line. */
export async function run(io: Io, argv: readonly string[]): Promise<ExitCode> {
  try {
    await createProgram(io).parseAsync(argv, { from: 'user' });
    return EXIT.ok;
  } catch (error) {
    // Commander has printed its message (or the help) itself.
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (error instanceof NegativeAnswer) return error.exitCode;
    io.stderr.write(`strongroom: ${messageOf(error)}\n`);
    return exitCodeOf(error);
  }
}
