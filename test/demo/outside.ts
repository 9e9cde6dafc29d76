import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const state = path.resolve(import.meta.dirname, '../../.cluster/state.json');

/**
 * Gives this machine an address on its link to the cluster, and takes connections there on port 8443.
 * The address goes with the cluster's link, if not before.
 */
export async function startOutside(address: string): Promise<AsyncDisposable> {
  const { nodes } = JSON.parse(await readFile(state, 'utf8')) as {
    nodes: readonly { address: string }[];
  };
  const { stdout } = await execute('ip', ['-json', 'route', 'get', nodes[0]?.address ?? '']);
  const [route] = JSON.parse(stdout) as readonly { dev: string }[];
  const link = route?.dev ?? '';
  await execute('ip', ['address', 'replace', `${address}/32`, 'dev', link]);
  const server = createServer((socket) => socket.on('error', () => undefined).end());
  server.listen(8443, address);
  await once(server, 'listening');
  return {
    async [Symbol.asyncDispose]() {
      server.close();
      await execute('ip', ['address', 'del', `${address}/32`, 'dev', link]);
    },
  };
}
