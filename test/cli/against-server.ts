import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startServer } from '../http-server.ts';
import { captureIo } from './capture-io.ts';
import type { CapturedIo } from './capture-io.ts';

export interface AgainstServer extends AsyncDisposable {
  /** For one command in namespace trading. */
  readonly io: () => CapturedIo;
}

/** Commands whose kubeconfig names an API server that a test plays. */
export async function againstServer(
  answer: Parameters<typeof startServer>[0],
): Promise<AgainstServer> {
  const api = await startServer(answer);
  const cwd = await mkdtemp(join(tmpdir(), 'strongroom-cli-'));
  const kubeconfig = join(cwd, 'config');
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'c', cluster: { server: api.url } }],
      users: [{ name: 'u', user: { token: 't' } }],
      contexts: [{ name: 'x', context: { cluster: 'c', user: 'u', namespace: 'trading' } }],
      'current-context': 'x',
    }),
  );
  return {
    io: () => captureIo({ cwd, env: { KUBECONFIG: kubeconfig } }),
    async [Symbol.asyncDispose]() {
      await api[Symbol.asyncDispose]();
      await rm(cwd, { recursive: true });
    },
  };
}
