import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import {
  copyFile,
  lstat,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { baseImagesDigest, ensureBaseImages, shellArchive } from './base-images.ts';
import { type Progress } from './build.ts';
import { buildah, imageDirectory } from './buildah.ts';
import { withLock } from './cache.ts';
import { imageTools, installTools } from './packages.ts';
import { run } from './process.ts';

export interface BuildImageOptions {
  /** Path of the Dockerfile. */
  readonly dockerfile: string;
  /** Path of the directory that COPY copies from; its `.dockerignore` counts. */
  readonly context: string;
  /** Full name, such as `strongroom.test/strongroom:dev`. */
  readonly tag: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly progress?: Progress;
}

/**
 * Builds a Dockerfile with buildah and returns the path of an OCI archive. Nothing is built when
 * neither the context's files nor the Dockerfile nor the arguments have changed.
 * @throws Error with what the build printed.
 */
export async function buildImage(options: BuildImageOptions): Promise<string> {
  const progress = options.progress ?? (() => undefined);
  const directory = imageDirectory();
  const name = options.tag.replaceAll(/[^A-Za-z0-9.-]+/g, '_');
  const path = join(directory, `${name}-${(await digestOf(options)).slice(0, 16)}.tar`);
  if (existsSync(path)) return path;

  await installTools(imageTools, progress);
  await ensureBaseImages(progress);
  return withLock(join(directory, `${name}.lock`), async () => {
    if (existsSync(path)) return path;
    progress(`${options.tag}: building the image`);
    const started = performance.now();
    const temporary = `${path}.${process.pid}.tmp`;
    await build(options);
    await buildah(['push', '--quiet', options.tag, `oci-archive:${temporary}:${options.tag}`]);
    for (const old of await readdir(directory)) {
      if (old.startsWith(`${name}-`) && old.endsWith('.tar')) await rm(join(directory, old));
    }
    await rename(temporary, path);
    progress(`${options.tag}: built in ${Math.round((performance.now() - started) / 1000)} s`);
    return path;
  });
}

/** Images for the pods of tests, as OCI archives: `strongroom.test/shell:1` has bash and perl. */
export async function testImages(
  progress: Progress = () => undefined,
): Promise<{ readonly shell: string }> {
  return { shell: await shellArchive(progress) };
}

async function build({ dockerfile, context, tag, buildArgs = {} }: BuildImageOptions) {
  const registry = await mkdtemp(join(tmpdir(), 'strongroom-npm-'));
  try {
    await writeRegistryAccess(registry);
    const args = Object.entries(buildArgs).map(([name, value]) => `--build-arg=${name}=${value}`);
    await buildah([
      'build',
      '--pull-never',
      '--layers',
      // npm's global configuration there is this machine's; a mount is no part of a layer.
      `--volume=${registry}:${npmConfigDirectory}:ro`,
      `--file=${resolve(dockerfile)}`,
      `--tag=${tag}`,
      ...args,
      resolve(context),
    ]);
  } finally {
    await rm(registry, { recursive: true, force: true });
  }
}

/** Of the image: exists in every Debian, so that the mount makes no directory in a layer. */
const npmConfigDirectory = '/usr/local/etc';

/** Writes an npmrc that makes npm in the build reach the registry as npm on this machine does. */
async function writeRegistryAccess(directory: string): Promise<void> {
  const lines: string[] = [];
  for (const file of ['globalconfig', 'userconfig']) {
    const path = await npmConfig(file);
    const text = path === undefined ? '' : await readFile(path, 'utf8').catch(() => '');
    lines.push(...text.split('\n').filter((line) => !/^\s*(cafile|prefix|cache)\s*=/.test(line)));
  }
  const registry = await npmConfig('registry');
  if (registry !== undefined) lines.push(`registry=${registry}`);
  const authorities = (await npmConfig('cafile')) ?? process.env['NODE_EXTRA_CA_CERTS'];
  if (authorities !== undefined && existsSync(authorities)) {
    await copyFile(authorities, join(directory, 'ca.pem'));
    lines.push(`cafile=${npmConfigDirectory}/ca.pem`);
  }
  await writeFile(join(directory, 'npmrc'), `${lines.join('\n')}\n`);
}

async function npmConfig(key: string): Promise<string | undefined> {
  const value = (await run('npm', ['config', 'get', key])).trim();
  return value === '' || value === 'null' || value === 'undefined' ? undefined : value;
}

async function digestOf({ dockerfile, context, tag, buildArgs }: BuildImageOptions) {
  const hash = createHash('sha256')
    .update(JSON.stringify([tag, buildArgs ?? {}, await baseImagesDigest()]))
    .update(await readFile(dockerfile));
  const root = resolve(context);
  for (const file of await contextFiles(root)) {
    const path = join(root, file);
    const { mode } = await lstat(path);
    hash.update(`\0${file}\0${mode}\0`);
    const link = await readlink(path).catch(() => undefined);
    if (link !== undefined) hash.update(link);
    else for await (const chunk of createReadStream(path)) hash.update(chunk as Buffer);
  }
  return hash.digest('hex');
}

/** The files of a build context, relative and sorted, without what its `.dockerignore` names. */
export async function contextFiles(context: string): Promise<string[]> {
  const text = await readFile(join(context, '.dockerignore'), 'utf8').catch(() => '');
  const rules = text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => ({
      keep: line.startsWith('!'),
      pattern: patternOf(line.replace(/^!?\/?|\/$/g, '')),
    }));
  const exceptions = rules.some((rule) => rule.keep);
  const ignored = (path: string): boolean => {
    const parents = path.split('/').map((_, index, parts) => parts.slice(0, index + 1).join('/'));
    // The last rule that matches the path or a directory above it decides.
    const rule = rules.findLast((each) => parents.some((at) => each.pattern.test(at)));
    return rule !== undefined && !rule.keep;
  };
  const walk = async (directory: string): Promise<string[]> => {
    const found: string[] = [];
    for (const entry of await readdir(join(context, directory), { withFileTypes: true })) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (path === '.git') continue;
      if (entry.isDirectory()) {
        if (exceptions || !ignored(path)) found.push(...(await walk(path)));
      } else if ((entry.isFile() || entry.isSymbolicLink()) && !ignored(path)) found.push(path);
    }
    return found;
  };
  return (await walk('')).sort();
}

/** A pattern of `.dockerignore`; unlike a shell's, its `*` matches names with a dot too. */
function patternOf(pattern: string): RegExp {
  const parts: Readonly<Record<string, string>> = {
    '**/': '(?:.*/)?',
    '**': '.*',
    '*': '[^/]*',
    '?': '[^/]',
  };
  const source = pattern.replaceAll(
    /\*\*\/|\*\*|[*?]|[\\^$.|+(){}]/g,
    (part) => parts[part] ?? `\\${part}`,
  );
  return new RegExp(`^${source}$`);
}
