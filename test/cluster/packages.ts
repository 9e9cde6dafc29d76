import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Progress } from './build.ts';
import { cacheDirectory, withLock } from './cache.ts';
import { run } from './process.ts';

/** Programs that come from the system, with the Debian package that each is in. */
export const nodeTools = {
  ip: 'iproute2',
  nsenter: 'util-linux',
  unshare: 'util-linux',
  setpriv: 'util-linux',
  sysctl: 'procps',
  iptables: 'iptables',
  conntrack: 'conntrack',
  nft: 'nftables',
  runc: 'runc',
  ptp: 'containernetworking-plugins',
} as const;

export const imageTools = {
  buildah: 'buildah',
  mmdebstrap: 'mmdebstrap',
  tar: 'tar',
} as const;

/** Where Debian puts CNI plugins, which are not on the PATH. */
export const cniDirectory = '/usr/lib/cni';

/** The programs of `tools` that this machine does not have. */
export function missingTools(tools: Readonly<Record<string, string>>): string[] {
  const directories = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', cniDirectory];
  return Object.keys(tools).filter(
    (tool) => !directories.some((directory) => existsSync(join(directory, tool))),
  );
}

/**
 * Installs the Debian packages of the tools that are missing.
 * @throws Error with apt-get's message, or if there is no apt-get.
 */
export async function installTools(
  tools: Readonly<Record<string, string>>,
  progress: Progress,
): Promise<void> {
  if (missingTools(tools).length === 0) return;
  await withLock(join(cacheDirectory(), 'packages.lock'), async () => {
    const missing = missingTools(tools);
    const packages = [...new Set(missing.map((tool) => tools[tool] ?? tool))];
    if (packages.length === 0) return;
    progress(`installing ${packages.join(', ')} (for ${missing.join(', ')})`);
    const environment = { DEBIAN_FRONTEND: 'noninteractive' };
    const timeout = 600_000;
    await run('apt-get', ['update', '--quiet'], { environment, timeout });
    await run('apt-get', ['install', '--yes', '--quiet', '--no-install-recommends', ...packages], {
      environment,
      timeout,
    });
  });
}
