import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rename, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Progress } from './build.ts';
import { buildah, imageDirectory, withNamespaces } from './buildah.ts';
import { withLock } from './cache.ts';
import { writeImage } from './oci.ts';
import { imageTools, installTools } from './packages.ts';
import { run } from './process.ts';

const debianImage = 'docker.io/library/debian:bookworm-slim';
const nodeImage = 'docker.io/library/node:26-bookworm-slim';
const shellImage = 'strongroom.test/shell:1';

const nodeVersion = '26.10.0';
const npmVersion = '11.19.1';
const architecture = process.arch;

/** What the public slim image leaves out too. */
const leftOut = [
  '/usr/share/doc/*',
  '/usr/share/info/*',
  '/usr/share/locale/*',
  '/usr/share/man/*',
];

/** Changes whenever the base images would become different ones. */
export async function baseImagesDigest(): Promise<string> {
  return createHash('sha256')
    .update(JSON.stringify([nodeVersion, npmVersion, architecture, leftOut]))
    .update(await readFile(join(import.meta.dirname, 'images', 'node', 'Dockerfile')))
    .digest('hex');
}

/** The root file system of a minimal Debian, made from its packages: path of a tar archive. */
function debianRoot(progress: Progress): Promise<string> {
  const digest = createHash('sha256')
    .update(JSON.stringify([architecture, leftOut]))
    .digest('hex');
  const path = join(imageDirectory(), `debian-bookworm-${digest.slice(0, 12)}.root.tar`);
  return once(path, async (temporary) => {
    await installTools(imageTools, progress);
    progress('debian:bookworm-slim: making it from Debian packages');
    const exclude = leftOut.map((each) => `--dpkgopt=path-exclude=${each}`);
    const args = ['--variant=minbase', '--format=tar', ...exclude, 'bookworm', temporary];
    await run(...withNamespaces('mmdebstrap', args), { timeout: 900_000 });
  });
}

/** A small image for pods of tests: bash, coreutils and perl. Path of the OCI archive. */
export async function shellArchive(progress: Progress): Promise<string> {
  const root = await debianRoot(progress);
  return once(root.replace(/\.root\.tar$/, '.shell.tar'), (output) =>
    writeImage({
      tag: shellImage,
      rootFileSystem: { archive: root },
      command: ['bash'],
      output,
    }),
  );
}

/**
 * Puts `debian:bookworm-slim` and `node:26-bookworm-slim` into buildah's store under their public
 * names, unless they are there.
 */
export async function ensureBaseImages(progress: Progress): Promise<void> {
  const marker = join(imageDirectory(), `bases-${(await baseImagesDigest()).slice(0, 12)}`);
  await once(marker, async (temporary) => {
    await installTools(imageTools, progress);
    const root = await debianRoot(progress);
    const archive = `${temporary}.oci.tar`;
    await writeImage({
      tag: debianImage,
      rootFileSystem: { archive: root },
      command: ['bash'],
      output: archive,
    });
    const id = await buildah(['pull', '--quiet', `oci-archive:${archive}`]);
    await rm(archive);
    await buildah(['tag', id.trim(), debianImage]);
    await buildNodeImage(progress);
    await mkdir(temporary);
  });
}

async function buildNodeImage(progress: Progress): Promise<void> {
  progress('node:26-bookworm-slim: making it from npm packages');
  const directory = await mkdtemp(join(tmpdir(), 'strongroom-node-image-'));
  try {
    const runtime = `node-linux-${architecture}`;
    await run('npm', [
      'install',
      '--no-save',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      `--prefix=${directory}`,
      `${runtime}@${nodeVersion}`,
      `npm@${npmVersion}`,
    ]);
    const installed = join(directory, 'node_modules');
    const local = join(directory, 'local');
    await mkdir(join(local, 'bin'), { recursive: true });
    await mkdir(join(local, 'lib', 'node_modules'), { recursive: true });
    await cp(join(installed, runtime, 'bin', 'node'), join(local, 'bin', 'node'));
    await cp(join(installed, 'npm'), join(local, 'lib', 'node_modules', 'npm'), {
      recursive: true,
    });
    for (const name of ['npm', 'npx']) {
      const target = join('..', 'lib', 'node_modules', 'npm', 'bin', `${name}-cli.js`);
      await symlink(target, join(local, 'bin', name));
    }
    const dockerfile = join(import.meta.dirname, 'images', 'node', 'Dockerfile');
    await buildah(['build', '--pull-never', `--file=${dockerfile}`, `--tag=${nodeImage}`, local]);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Makes a file (or directory) unless it exists; one process at a time, and all of it or nothing. */
async function once(path: string, make: (temporary: string) => Promise<void>): Promise<string> {
  if (existsSync(path)) return path;
  return withLock(`${path}.lock`, async () => {
    if (existsSync(path)) return path;
    await mkdir(imageDirectory(), { recursive: true });
    const temporary = `${path}.${process.pid}.tmp`;
    try {
      await make(temporary);
      await rename(temporary, path);
    } finally {
      await rm(temporary, { recursive: true, force: true });
    }
    return path;
  });
}
