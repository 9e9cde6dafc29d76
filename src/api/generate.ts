/**
 * Writes the files that are generated from the schemas; with `--check` it writes nothing, names
 * those that are out of date and ends with status 1.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { generatedFiles } from '#api/generated-files.ts';

const root = path.resolve(import.meta.dirname, '../..');
const check = process.argv.includes('--check');

const stale: string[] = [];
for (const { file, text } of generatedFiles()) {
  const target = path.join(root, file);
  if ((await readFile(target, 'utf8').catch(() => undefined)) === text) continue;
  stale.push(file);
  if (check) continue;
  await mkdir(path.dirname(target), { recursive: true });
  await writeFile(target, text);
}
for (const file of stale) console.error(check ? `${file} is out of date` : `wrote ${file}`);
if (check && stale.length > 0) {
  console.error('run "make generate" and commit the result');
  process.exitCode = 1;
}
