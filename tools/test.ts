/**
 * `make test`: runs `make check` and every vitest project, one project at a time, then says once more
 * what failed, and ends with the single line `N passed, N failed` (and `, N skipped`). A check or a
 * suite that dies without having counted its tests counts as one failure, so that nothing can vanish.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly {
      readonly fullName: string;
      readonly status: string;
      readonly failureMessages?: readonly string[];
    }[];
  }[];
}

/** Those that need nodes come last: what nodes need is built meanwhile. */
const PROJECTS = ['unit', 'integration', 'cluster', 'node'] as const;
/** Of the message of a failed test, where it is said once more. */
const MAX_LINES = 12;
const root = path.resolve(import.meta.dirname, '..');
const scratch = mkdtempSync(path.join(tmpdir(), 'strongroom-test-'));
let passed = 0;
let failed = 0;
let skipped = 0;
const failures: string[] = [];

// What is built from source once on a machine, at a low priority. Whoever needs a part of it waits for
// that, or builds it, and tells when it cannot be built.
const builds = spawn('node', ['test/cluster/main.ts', 'build'], { cwd: root, stdio: 'ignore' });
try {
  console.log('== check');
  if (run('make', ['--no-print-directory', 'check'])) passed += 1;
  else fail('check');
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
    failures.push(...failuresOf(project, report));
    // An error outside any test (a hook, an import, an unhandled rejection) fails no test by name.
    if (!ok && (report === undefined || report.numFailedTests === 0)) fail(`${project}: see above`);
  }
} finally {
  builds.kill();
  rmSync(scratch, { recursive: true, force: true });
}
for (const failure of failures) console.log(`FAILED ${failure}`);
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;

function fail(what: string): void {
  failed += 1;
  failures.push(what);
}

/** Each failed test with the beginning of its message, and each file that failed as a whole. */
function failuresOf(project: string, report: Report | undefined): readonly string[] {
  return (report?.testResults ?? []).flatMap(({ name, status, message, assertionResults }) => {
    const file = path.relative(root, name);
    const tests = assertionResults.filter((test) => test.status === 'failed');
    if (tests.length === 0) {
      return status === 'failed' ? [`${project} ${file}\n${beginning(message)}`] : [];
    }
    return tests.map(
      ({ fullName, failureMessages = [] }) =>
        `${project} ${file} > ${fullName}\n${beginning(failureMessages.join('\n'))}`,
    );
  });
}

function beginning(message: string): string {
  return message
    .split('\n')
    .filter((line) => !line.includes('node_modules'))
    .slice(0, MAX_LINES)
    .map((line) => `  ${line}`)
    .join('\n');
}

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
