/** What becomes of an operator that loses its lease, with the durations that it runs with. */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { loadClusterConfig } from '../../src/kube/config.ts';
import { LEASES } from '../../src/kube/resources.ts';
import { eventually } from '../eventually.ts';
import { startStallableProxy } from '../faults/stallable-proxy.ts';
import type { StallableProxy } from '../faults/stallable-proxy.ts';
import { createInstallation } from './installation.ts';
import type { Installation } from './installation.ts';
import { kubeconfigOf } from './operator-process.ts';

describe('an operator that loses its lease', () => {
  const cleanup = new AsyncDisposableStack();
  let installation: Installation;
  let proxy: StallableProxy;
  /** Leads through the proxy, with the rights of the chart. */
  let proxied: string;

  beforeAll(async () => {
    installation = cleanup.use(await createInstallation());
    const { namespace, scratch } = installation;
    const { server, tlsServerName } = await loadClusterConfig({ kubeconfig: inject('kubeconfig') });
    proxy = cleanup.use(await startStallableProxy(server));
    const direct = await kubeconfigOf(
      inject('kubeconfig'),
      namespace,
      'strongroom-operator',
      scratch,
    );
    const config = JSON.parse(await readFile(direct, 'utf8')) as {
      clusters: { cluster: Record<string, string> }[];
    };
    const { hostname } = new URL(server);
    for (const { cluster } of config.clusters) {
      cluster['server'] = `https://127.0.0.1:${proxy.port}`;
      if (hostname !== '127.0.0.1') cluster['tls-server-name'] = tlsServerName ?? hostname;
    }
    proxied = path.join(scratch, 'proxied.kubeconfig');
    await writeFile(proxied, JSON.stringify(config), { mode: 0o600 });
  });

  afterAll(() => cleanup.disposeAsync());

  function leadsNow(identity: string): Promise<unknown> {
    const at = { namespace: installation.namespace, name: 'strongroom-operator' };
    return eventually(
      async () => {
        const lease = await installation.client.find(LEASES, at);
        return lease?.spec?.holderIdentity?.startsWith(identity) === true;
      },
      { what: `${identity} to lead`, timeoutMs: 40_000 },
    );
  }

  it('ends by itself when the API server falls silent; another one leads', async () => {
    await using first = await installation.start('silenced', ['--kubeconfig', proxied]);
    await leadsNow('silenced');
    await using second = await installation.start('successor');
    proxy.stall();
    const stalledMs = performance.now();
    expect(await first.exited).toBe(1);
    // The renewal's deadline, and the time to stop everything while nothing answers.
    expect(performance.now() - stalledMs).toBeLessThan(20_000);
    expect(first.output()).toContain('Lease lost');
    await leadsNow('successor');
    proxy.resume();
    expect(await second.stop()).toBe(0);
  });

  it('ends when it wakes up from a halt that was longer than its lease', async () => {
    await using first = await installation.start('halted');
    await leadsNow('halted');
    await using second = await installation.start('heir');
    process.kill(first.pid, 'SIGSTOP');
    await leadsNow('heir');
    process.kill(first.pid, 'SIGCONT');
    expect(await first.exited).toBe(1);
    expect(first.output()).toContain('Lease lost');
    await leadsNow('heir');
    expect(await second.stop()).toBe(0);
  });
});
