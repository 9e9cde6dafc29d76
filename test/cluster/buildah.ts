import { join } from 'node:path';
import { cacheDirectory } from './cache.ts';
import { run } from './process.ts';

/** Where base images, buildah's store and finished archives are. */
export function imageDirectory(): string {
  return join(cacheDirectory(), 'images');
}

/**
 * A command line in namespaces of its own: mounts and processes that it makes are gone when it
 * is, and it ends with this process.
 */
export function withNamespaces(program: string, args: readonly string[]): [string, string[]] {
  const unshare = ['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return ['setpriv', ['--pdeathsig', 'KILL', ...unshare, program, ...args]];
}

/** Runs buildah on a store of our own, without any container engine. Returns what it prints. */
export function buildah(args: readonly string[]): Promise<string> {
  const store = join(imageDirectory(), 'store');
  const options = [
    `--root=${join(store, 'root')}`,
    `--runroot=${join(store, 'run')}`,
    '--storage-driver=overlay',
  ];
  return run(...withNamespaces('buildah', [...options, ...args]), {
    environment: { BUILDAH_ISOLATION: 'chroot' },
    timeout: 1_800_000,
  });
}
