import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { CliError, EXIT } from '#cli/errors.ts';
import type { Io } from '#cli/io.ts';

/** A file that the person named, relative to where they are. Errors name it as they did. */
export async function readNamedFile(io: Io, file: string): Promise<Buffer> {
  try {
    return await readFile(path.resolve(io.cwd, file));
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    throw new CliError(
      `${file} cannot be read (${code})`,
      code === 'ENOENT' ? EXIT.notFound : EXIT.failed,
    );
  }
}
