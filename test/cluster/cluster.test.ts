import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { contextFiles } from './image.ts';
import {
  type ClusterNode,
  type ControlPlane,
  binary,
  buildImage,
  nodeSupport,
  startControlPlane,
  startNode,
  testImages,
} from './index.ts';
import { run, until } from './process.ts';

const support = nodeSupport();
const progress = (line: string): void => console.error(line);

function client(kubeconfig: string) {
  return async (args: readonly string[], input?: unknown): Promise<string> => {
    const all = ['--kubeconfig', kubeconfig, ...args];
    const kubectl = await binary('kubectl', { progress });
    return run(kubectl, all, input === undefined ? {} : { input: JSON.stringify(input) });
  };
}

describe('control plane', () => {
  let controlPlane: ControlPlane;
  let kubectl: ReturnType<typeof client>;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ progress });
    kubectl = client(controlPlane.kubeconfigPath);
  });
  afterAll(() => controlPlane?.stop());

  test('gives the version that was asked for', async () => {
    const version = JSON.parse(await kubectl(['version', '--output=json'])) as {
      serverVersion: { gitVersion: string };
    };
    expect(version.serverVersion.gitVersion).toMatch(
      process.env['K8S'] === '1.34' ? /^v1\.34\./ : /^v1\.37\./,
    );
  });

  test('knows other identities with their groups, and gives them no rights', async () => {
    const jane = client(await controlPlane.kubeconfigFor('jane', ['traders', 'a=b,c']));
    const answer = await jane(['auth', 'whoami', '--output=jsonpath={.status.userInfo}']);
    expect(JSON.parse(answer)).toMatchObject({
      username: 'jane',
      groups: ['traders', 'a=b,c', 'system:authenticated'],
    });
    await expect(jane(['get', 'secrets'])).rejects.toThrow('forbidden');
  });

  test('answers 410 for versions from before a compaction', async () => {
    const namespace = JSON.parse(
      await kubectl(['create', 'namespace', 'before', '--output=json']),
    ) as { metadata: { resourceVersion: string } };
    const version = namespace.metadata.resourceVersion;
    await kubectl(['create', 'namespace', 'after']);
    await controlPlane.compact();
    const path = '/api/v1/namespaces';
    const watch = `${path}?watch=1&timeoutSeconds=1&resourceVersion=${version}`;
    expect(await kubectl(['get', '--raw', watch])).toContain('"code":410');
    const list = `${path}?resourceVersionMatch=Exact&resourceVersion=${version}`;
    await expect(kubectl(['get', '--raw', list])).rejects.toThrow('too old');
  });

  test('restarts each component without losing anything', async () => {
    await kubectl(['create', 'configmap', 'kept']);
    await controlPlane.restart('etcd');
    await controlPlane.restart('kube-apiserver');
    await controlPlane.restart('kube-controller-manager');
    await controlPlane.restart('kube-scheduler');
    expect(await kubectl(['get', 'configmap', 'kept', '--output=name'])).toBe('configmap/kept\n');
  });

  test('falls silent while a component is paused and goes on when it is resumed', async () => {
    const get = ['get', 'namespaces', '--output=name', '--request-timeout=2s'];
    controlPlane.pause('kube-apiserver');
    await expect(kubectl(get)).rejects.toThrow(/timeout|deadline|timed out/i);
    controlPlane.resume('kube-apiserver');
    await until('the API server answers', () => kubectl(get));
  });

  test('runs beside others, which have nothing in common', async () => {
    await using other = await startControlPlane({ progress });
    await client(other.kubeconfigPath)(['create', 'namespace', 'only-there']);
    expect(await kubectl(['get', 'namespaces', '--output=name'])).not.toContain('only-there');
    await expect(kubectl(['--server', other.server, 'get', 'namespaces'])).rejects.toThrow(
      'certificate',
    );
  });

  test('refuses a node that its network was not made for', async () => {
    await expect(startNode(controlPlane)).rejects.toThrow('reachableFromNodes');
  });
});

const reason = support.supported ? '' : ` (skipped: ${support.reason})`;

describe.skipIf(!support.supported)(`nodes${reason}`, () => {
  let controlPlane: ControlPlane;
  let nodes: ClusterNode[];
  let kubectl: ReturnType<typeof client>;

  beforeAll(async () => {
    controlPlane = await startControlPlane({ progress, reachableFromNodes: true });
    kubectl = client(controlPlane.kubeconfigPath);
    const { shell } = await testImages(progress);
    nodes = [];
    for (let count = 0; count < 2; count++) {
      const node = await startNode(controlPlane, { progress });
      nodes.push(node);
      await node.loadImage(shell);
    }
    for (const [name, nodeName] of [
      ['near', 'node-1'],
      ['server', 'node-1'],
      ['far', 'node-2'],
    ]) {
      await kubectl(['apply', '--filename=-'], pod(name ?? '', nodeName ?? ''));
    }
    await kubectl(['wait', '--for=condition=Ready', 'pod', '--all', '--timeout=120s']);
    await kubectl(['expose', 'pod', 'server', '--port=80', '--target-port=8080']);
  });
  afterAll(() => controlPlane?.stop());

  const address = (kind: string, path: string): Promise<string> =>
    kubectl(['get', kind, 'server', `--output=jsonpath={${path}}`]);
  const ask = (from: string, host: string, port = 8080): Promise<string> => {
    const command = `cat < /dev/tcp/${host}/${port}`;
    return kubectl(['exec', from, '--', 'timeout', '2', 'bash', '-c', command]);
  };

  test('carry traffic between pods of one node and of two', async () => {
    const server = await address('pod', '.status.podIP');
    expect(await ask('near', server)).toBe('hello\n');
    expect(await ask('far', server)).toBe('hello\n');
  });

  test('reach services, the API server at its service address among them', async () => {
    const service = await address('service', '.spec.clusterIP');
    for (const from of ['near', 'far']) {
      await until('the service answers', () => ask(from, service, 80));
    }
    const connect = 'exec 3<>"/dev/tcp/$KUBERNETES_SERVICE_HOST/443" && echo connected';
    expect(await kubectl(['exec', 'far', '--', 'timeout', '5', 'bash', '-c', connect])).toBe(
      'connected\n',
    );
  });

  test('enforce network policies', async () => {
    const server = await address('pod', '.status.podIP');
    await kubectl(['apply', '--filename=-'], {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'near-only' },
      spec: {
        podSelector: { matchLabels: { name: 'server' } },
        policyTypes: ['Ingress'],
        ingress: [{ from: [{ podSelector: { matchLabels: { name: 'near' } } }] }],
      },
    });
    const denied = (): Promise<true | undefined> =>
      ask('far', server).then(
        () => undefined,
        () => true,
      );
    await until('far is denied', denied);
    expect(await ask('near', server)).toBe('hello\n');
    await kubectl(['delete', 'networkpolicy', 'near-only']);
    await until('far is allowed again', () => ask('far', server));
  });

  test('show a changed Secret in a mounted volume', async () => {
    const secret = (value: string) => ({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'mounted' },
      stringData: { key: value },
    });
    await kubectl(['apply', '--filename=-'], secret('first'));
    await kubectl(['apply', '--filename=-'], {
      ...pod('reader', 'node-2', {
        volumes: [{ name: 'mounted', secret: { secretName: 'mounted' } }],
        mounts: [{ name: 'mounted', mountPath: '/mounted' }],
      }),
    });
    await kubectl(['wait', '--for=condition=Ready', 'pod/reader', '--timeout=120s']);
    const read = (): Promise<string> => kubectl(['exec', 'reader', '--', 'cat', '/mounted/key']);
    expect(await read()).toBe('first');
    await kubectl(['apply', '--filename=-'], secret('second'));
    const seen = async (): Promise<true | undefined> =>
      (await read()) === 'second' ? true : undefined;
    await until('the pod sees the change', seen, { timeout: 120_000, interval: 500 });
  });

  test('run an image that was built from a Dockerfile', async () => {
    const context = await mkdtemp(join(tmpdir(), 'strongroom-context-'));
    onTestFinished(() => rm(context, { recursive: true }));
    await writeFile(join(context, 'message'), 'built here');
    const dockerfile = join(context, 'Dockerfile');
    const lines = [
      'FROM docker.io/library/node:26-bookworm-slim',
      'COPY message /message',
      'RUN npm --version > /npm-version',
      'USER 1000:1000',
      'ENTRYPOINT ["node", "-e", "console.log(fs.readFileSync(\'/message\', \'utf8\'))"]',
    ];
    await writeFile(dockerfile, lines.join('\n'));
    const options = { dockerfile, context, tag: 'strongroom.test/built:1', progress };
    const archive = await buildImage(options);
    expect(await buildImage(options)).toBe(archive);
    await nodes[0]?.loadImage(archive);
    const overrides = JSON.stringify({ spec: { nodeName: nodes[0]?.name } });
    const image = '--image=strongroom.test/built:1';
    await kubectl(['run', 'built', image, '--restart=Never', `--overrides=${overrides}`]);
    const finished = '--for=jsonpath={.status.phase}=Succeeded';
    await kubectl(['wait', finished, 'pod/built', '--timeout=120s']);
    expect(await kubectl(['logs', 'built'])).toBe('built here\n');
  });

  test('leave nothing when one of them stops', async () => {
    const [, second] = nodes;
    if (second === undefined) throw new Error('there is one node only');
    await second.stop();
    expect(leftovers('', second.networkNamespace)).toEqual([]);
  });
});

const onLinux = process.platform === 'linux';

describe.skipIf(!onLinux)(
  `a launcher that is killed${onLinux ? '' : ' (skipped: not Linux)'}`,
  () => {
    test('leaves nothing of a control plane', async () => {
      const { launcher, directory } = await launch('control-plane');
      expect(leftovers(directory)).not.toEqual([]);
      await kill(launcher);
      await until('everything is gone', () => nothing(directory));
    });

    test.skipIf(!support.supported)(`leaves nothing of a node and its pods${reason}`, async () => {
      const { launcher, directory, networkNamespace } = await launch('node');
      expect(networkNamespace).toBeDefined();
      expect(leftovers(directory, networkNamespace)).toEqual(
        expect.arrayContaining([
          `network namespace ${networkNamespace}`,
          expect.stringContaining('process'),
          expect.stringContaining('control group'),
          expect.stringContaining('interface'),
        ]),
      );
      await kill(launcher);
      await until('everything is gone', () => nothing(directory, networkNamespace));
    });

    const nothing = (directory: string, namespace?: string): true | undefined => {
      const left = leftovers(directory, namespace);
      if (left.length > 0) throw new Error(left.join(', '));
      return true;
    };
  },
);

test('the files of a build context are those that .dockerignore leaves', async () => {
  const context = await mkdtemp(join(tmpdir(), 'strongroom-context-'));
  onTestFinished(() => rm(context, { recursive: true }));
  const files = ['a.ts', 'src/b.ts', 'src/b.test.ts', 'node_modules/x/index.js', 'docs/a.md'];
  for (const file of files) {
    await mkdir(dirname(join(context, file)), { recursive: true });
    await writeFile(join(context, file), '');
  }
  expect(await contextFiles(context)).toEqual([...files].sort());
  await writeFile(
    join(context, '.dockerignore'),
    '# all but\nnode_modules/\n**/*.test.ts\n/docs\n',
  );
  expect(await contextFiles(context)).toEqual(['.dockerignore', 'a.ts', 'src/b.ts']);
  await writeFile(join(context, '.dockerignore'), '*\n!src\nsrc/*.test.ts\n');
  expect(await contextFiles(context)).toEqual(['src/b.ts']);
});

/** A pod that answers `hello` on port 8080. */
function pod(
  name: string,
  nodeName: string,
  { volumes = [], mounts = [] }: { volumes?: unknown[]; mounts?: unknown[] } = {},
) {
  const program =
    '$s = IO::Socket::INET->new(LocalPort => 8080, Listen => 9, ReuseAddr => 1) or die;' +
    'while ($c = $s->accept) { print $c "hello\\n"; close $c }';
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { name } },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 0,
      volumes,
      containers: [
        {
          name: 'main',
          image: 'strongroom.test/shell:1',
          command: ['perl', '-MIO::Socket::INET', '-e', program],
          volumeMounts: mounts,
        },
      ],
    },
  };
}

interface Launched {
  readonly launcher: ChildProcess;
  readonly directory: string;
  readonly networkNamespace?: string;
}

async function launch(kind: 'control-plane' | 'node'): Promise<Launched> {
  const launcher = spawn(process.execPath, [join(import.meta.dirname, 'launcher.ts'), kind], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void launcher.kill('SIGKILL'));
  for await (const line of createInterface({ input: launcher.stdout })) {
    return { launcher, ...(JSON.parse(line) as Omit<Launched, 'launcher'>) };
  }
  throw new Error('the launcher has ended');
}

async function kill(launcher: ChildProcess): Promise<void> {
  const ended = once(launcher, 'exit');
  launcher.kill('SIGKILL');
  await ended;
}

/**
 * What there is on the machine of the launcher with this scratch directory, and of the node in this
 * network namespace.
 */
function leftovers(directory: string, networkNamespace?: string): string[] {
  const found: string[] = [];
  if (directory !== '') {
    // All scratch directories of one launcher start with its process id and start time.
    const owner = /^\d+-\w+?-/.exec(basename(directory))?.[0] ?? '';
    const root = dirname(directory);
    const names = existsSync(root) ? readdirSync(root) : [];
    found.push(...names.filter((name) => name.startsWith(owner)).map((name) => `file ${name}`));
    const inScratch = join(root, owner);
    for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
      const of = ['cmdline', 'environ'].map((file) => read(`/proc/${pid}/${file}`)).join('\0');
      if (of.includes(inScratch) || of.includes(`reaper.ts\0${owner}`)) {
        found.push(`process ${pid}`);
      }
    }
    if (read('/proc/mounts').includes(inScratch)) found.push('a mount');
  }
  if (networkNamespace !== undefined) {
    const cluster = networkNamespace.replace(/-\d+$/, '');
    if (existsSync(`/run/netns/${networkNamespace}`)) {
      found.push(`network namespace ${networkNamespace}`);
    }
    if (directory !== '') {
      if (existsSync(`/run/netns/${cluster}`)) found.push(`network namespace ${cluster}`);
      const link = cluster.replace('-', '');
      if (existsSync(`/sys/class/net/${link}`)) found.push(`interface ${link}`);
    }
    const groups = ['', ...readdirSync('/sys/fs/cgroup')];
    for (const group of groups.map((name) => join('/sys/fs/cgroup', name, networkNamespace))) {
      if (existsSync(group)) found.push(`control group ${group}`);
    }
  }
  return found;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
