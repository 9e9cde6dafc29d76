/**
 * Checks the direction of imports: a folder of `src/` may import only the folders listed for it.
 * The table is the architecture; a new arrow is a decision to be made here, in the open.
 */
import { readFileSync } from 'node:fs';
import { globSync } from 'node:fs';
import path from 'node:path';

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  api: [],
  audit: [],
  kube: [],
  runtime: ['kube'],
  vault: ['kube'],
  credentials: ['api', 'audit', 'kube', 'runtime', 'vault'],
  access: ['api', 'audit', 'kube', 'runtime'],
  network: ['access', 'api', 'audit', 'kube', 'runtime'],
  admission: ['access', 'api', 'audit', 'kube', 'runtime'],
  cli: [
    'access',
    'admission',
    'api',
    'audit',
    'credentials',
    'kube',
    'network',
    'runtime',
    'vault',
  ],
};

const root = path.resolve(import.meta.dirname, '..');
const faults: string[] = [];
for (const file of globSync('src/**/*.ts', { cwd: root })) {
  const folder = file.split(path.sep)[1];
  if (folder === undefined) continue;
  const allowed = ALLOWED[folder];
  if (allowed === undefined) {
    faults.push(`${file}: the folder ${folder} is not in the table of tools/check-imports.ts`);
    continue;
  }
  const text = readFileSync(path.join(root, file), 'utf8');
  for (const [, specifier = ''] of text.matchAll(/(?:from|import)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    const target = targetFolder(file, specifier);
    if (target === undefined || target === folder || allowed.includes(target)) continue;
    if (target === 'test' && file.endsWith('.test.ts')) continue;
    if (specifier.endsWith('/package.json')) continue;
    faults.push(`${file}: ${folder} must not import ${target} (${specifier})`);
  }
}
if (faults.length > 0) {
  console.error(faults.join('\n'));
  process.exit(1);
}

/** The folder below `src/` (or the top folder) that a specifier leads to; undefined for packages. */
function targetFolder(file: string, specifier: string): string | undefined {
  if (specifier.startsWith('#')) return specifier.slice(1).split('/')[0];
  if (!specifier.startsWith('.')) return undefined;
  const [top, below] = path.join(path.dirname(file), specifier).split(path.sep);
  return top === 'src' ? below : top;
}
