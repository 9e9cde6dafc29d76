/**
 * `make test`: runs `make check` and every vitest project, one project at a time, and ends with
 * the single line `N passed, N failed` (and `, N skipped`). A check or a suite that dies without
 * having counted its tests counts as one failure, so that nothing can vanish.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly success: boolean;
}

const PROJECTS = ['unit', 'cluster', 'integration', 'node'] as const;
const root = path.resolve(import.meta.dirname, '..');
const scratch = mkdtempSync(path.join(tmpdir(), 'strongroom-test-'));
let passed = 0;
let failed = 0;
let skipped = 0;

try {
  console.log('== check');
  if (run('make', ['--no-print-directory', 'check'])) passed += 1;
  else failed += 1;
  for (const project of PROJECTS) {
    console.log(`== ${project}`);
    const file = path.join(scratch, `${project}.json`);
    const ok = run('vitest', [
      'run',
      '--project',
      project,
      '--passWithNoTests',
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${file}`,
    ]);
    const report = read(file);
    passed += report?.numPassedTests ?? 0;
    failed += report?.numFailedTests ?? 0;
    skipped += report?.numPendingTests ?? 0;
    // An error outside any test (a hook, an import, an unhandled rejection) fails no test by name.
    if (!ok && (report === undefined || report.numFailedTests === 0)) failed += 1;
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function run(command: string, args: readonly string[]): boolean {
  const result = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  return result.status === 0;
}

function read(file: string): Report | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Report;
  } catch {
    return undefined;
  }
}
