import { mkdir, writeFile } from 'node:fs/promises';
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
export async function buildah(args: readonly string[]): Promise<string> {
  const store = join(imageDirectory(), 'store');
  const configuration = join(store, 'containers.conf');
  await mkdir(store, { recursive: true });
  // By default it makes /etc/cni, though builds here have no network of their own.
  const network = `[network]\nnetwork_config_dir = ${JSON.stringify(join(store, 'cni'))}\n`;
  await writeFile(configuration, network);
  const options = [
    `--root=${join(store, 'root')}`,
    `--runroot=${join(store, 'run')}`,
    '--storage-driver=overlay',
  ];
  return run(...withNamespaces('buildah', [...options, ...args]), {
    environment: { BUILDAH_ISOLATION: 'chroot', CONTAINERS_CONF: configuration },
    timeout: 1_800_000,
  });
}
