/**
 * A node's network without the node: three namespaces in a row, the middle one forwards. What the
 * node agent does to packets can be seen here in seconds, and nothing of the machine is touched.
 *
 *     pods  10.77.0.2, .3 ──── node  10.77.0.1 | 198.51.100.1 ──── outside  198.51.100.7, .8
 *           2001:db8:1::2, ::3     2001:db8:1::1 | 2001:db8:2::1            2001:db8:2::7, ::8
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { run, until } from '../cluster/process.ts';
import { createScratch } from '../cluster/scratch.ts';
import type { Outcome, Request } from './talker.ts';

export const ADDRESSES = {
  pod: { IPv4: '10.77.0.2', IPv6: '2001:db8:1::2' },
  otherPod: { IPv4: '10.77.0.3', IPv6: '2001:db8:1::3' },
  /** The node as those outside see it. */
  node: { IPv4: '198.51.100.1', IPv6: '2001:db8:2::1' },
  banned: { IPv4: '198.51.100.7', IPv6: '2001:db8:2::7' },
  other: { IPv4: '198.51.100.8', IPv6: '2001:db8:2::8' },
} as const;

export interface Router extends AsyncDisposable {
  readonly pods: Host;
  readonly node: Host;
  readonly outside: Host;
  /** Of the node. */
  readonly nft: readonly [string, ...string[]];
}

export interface Host {
  readonly namespace: string;
  ask(request: Request & { readonly act: 'count' }): Promise<number>;
  ask(request: Request): Promise<Outcome>;
}

let count = 0;

export async function startRouter(): Promise<Router> {
  const scratch = createScratch('router');
  const id = `strongroom-router-${process.pid}-${(count += 1)}`;
  const names = { pods: `${id}-pods`, node: `${id}-node`, outside: `${id}-outside` };
  const children: (() => void)[] = [];
  async function stop(): Promise<void> {
    for (const end of children) end();
    await scratch.remove();
  }
  try {
    for (const name of Object.values(names)) {
      scratch.record('network-namespace', name);
      await run('ip', ['netns', 'add', name]);
      // Nobody else can have an address here: without the wait for that all can be used at once.
      const atOnce = ['net.ipv6.conf.all.accept_dad=0', 'net.ipv6.conf.default.accept_dad=0'];
      await set(name, atOnce);
      await run('ip', ['-n', name, 'link', 'set', 'lo', 'up']);
    }
    const { pod, otherPod, node, banned, other } = ADDRESSES;
    await join(names.node, 'pods', ['10.77.0.1/24', '2001:db8:1::1/64'], names.pods, [
      ...Object.values(pod),
      ...Object.values(otherPod),
    ]);
    await join(names.node, 'wan', [`${node.IPv4}/24`, `${node.IPv6}/64`], names.outside, [
      ...Object.values(banned),
      ...Object.values(other),
    ]);
    for (const [name, via4, via6] of [
      [names.pods, '10.77.0.1', '2001:db8:1::1'],
      [names.outside, node.IPv4, node.IPv6],
    ] as const) {
      await run('ip', ['-n', name, 'route', 'add', 'default', 'via', via4]);
      await run('ip', ['-n', name, '-6', 'route', 'add', 'default', 'via', via6]);
    }
    // Where the addresses of Services would lead, did nothing translate them.
    await run('ip', ['-n', names.node, 'route', 'add', '10.96.0.0/16', 'dev', 'wan']);
    await set(names.node, ['net.ipv4.ip_forward=1', 'net.ipv6.conf.all.forwarding=1']);
    const start = async (name: string, listen: readonly string[]): Promise<Host> => {
      const host = await startHost(name, listen, scratch.environment);
      children.push(host.end);
      return host;
    };
    const router = {
      pods: await start(names.pods, [...Object.values(pod), ...Object.values(otherPod)]),
      node: await start(names.node, Object.values(node)),
      outside: await start(names.outside, [...Object.values(banned), ...Object.values(other)]),
    };
    // A new interface takes a second until it sends what it forwards, for each neighbour anew.
    await until('the network is up', async () => {
      const outcomes = await Promise.all(
        (['IPv4', 'IPv6'] as const).flatMap((family) =>
          [pod[family], otherPod[family]].flatMap((inside) =>
            [banned[family], other[family]].flatMap((outside) => [
              router.pods.ask({ act: 'tcp', from: inside, to: outside }),
              router.outside.ask({ act: 'tcp', from: outside, to: inside }),
            ]),
          ),
        ),
      );
      return outcomes.every((outcome) => outcome === 'answered') ? true : undefined;
    });
    return {
      ...router,
      nft: ['nsenter', `--net=/run/netns/${names.node}`, 'nft'],
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function set(namespace: string, settings: readonly string[]): Promise<void> {
  const inside = `--net=/run/netns/${namespace}`;
  await run('nsenter', [inside, 'sysctl', '--quiet', '--write', ...settings]);
}

async function join(
  node: string,
  link: string,
  nodeAddresses: readonly string[],
  host: string,
  hostAddresses: readonly string[],
): Promise<void> {
  const peer = ['type', 'veth', 'peer', 'name', 'eth0', 'netns', host];
  await run('ip', ['-n', node, 'link', 'add', link, ...peer]);
  const add = (namespace: string, device: string, address: string): Promise<string> =>
    run('ip', ['-n', namespace, 'address', 'add', address, 'dev', device]);
  for (const address of nodeAddresses) await add(node, link, address);
  for (const address of hostAddresses) {
    await add(host, 'eth0', `${address}/${address.includes(':') ? 64 : 24}`);
  }
  await run('ip', ['-n', node, 'link', 'set', link, 'up']);
  await run('ip', ['-n', host, 'link', 'set', 'eth0', 'up']);
}

async function startHost(
  namespace: string,
  listen: readonly string[],
  environment: Readonly<Record<string, string>>,
): Promise<Host & { end(): void }> {
  const program = path.join(import.meta.dirname, 'talker.ts');
  const child = spawn(
    'nsenter',
    [`--net=/run/netns/${namespace}`, process.execPath, program, ...listen],
    { stdio: ['pipe', 'pipe', 'inherit'], env: { PATH: process.env['PATH'], ...environment } },
  );
  const waiting = new Map<number, (result: Outcome | number) => void>();
  const ready = Promise.withResolvers<void>();
  child.once('exit', () => ready.reject(new Error(`the host in ${namespace} has ended`)));
  createInterface({ input: child.stdout }).on('line', (line) => {
    if (line === 'ready') return ready.resolve();
    const { id, result } = JSON.parse(line) as { id: number; result: Outcome | number };
    waiting.get(id)?.(result);
    waiting.delete(id);
  });
  await ready.promise;
  let next = 0;
  const ask = (request: Request): Promise<Outcome | number> =>
    new Promise((resolve) => {
      const id = (next += 1);
      waiting.set(id, resolve);
      child.stdin.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  return { namespace, ask: ask as Host['ask'], end: () => void child.kill('SIGKILL') };
}
