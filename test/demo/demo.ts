/**
 * The main job on real input, step by step: a credential is sealed, lies in git, is applied to a real
 * cluster, arrives in a pod's mount, and changes there when a new version is sealed; then a desk may
 * look at it, and somebody else may not; whoever may only deploy is refused, and somebody of the desk
 * gets in in the open; then an address is banned. Leaves the cluster running and says how to look
 * around.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { externalCluster, nodeSupport, testImages } from '../cluster/index.ts';
import { eventually } from '../eventually.ts';
import { installChart } from './install.ts';
import { kubeconfigOf } from './people.ts';
import { startOutside } from './outside.ts';
import { refusal, showBreakGlass, showRefusals } from './refused.ts';
import type { GuardedDemo } from './refused.ts';
import { createShell } from './shell.ts';

const root = path.resolve(import.meta.dirname, '../..');
const namespace = 'trading';
const work = mkdtempSync(path.join(tmpdir(), 'strongroom-demo-'));
const manifest = path.join(work, 'maker.yaml');
const external = externalCluster();
const support =
  external === undefined
    ? nodeSupport()
    : {
        supported: false as const,
        reason: 'KUBECONFIG is set: the image is not loaded into foreign nodes',
      };
const kubeconfig = external?.kubeconfig ?? path.join(root, '.cluster', 'kubeconfig');
const shell = createShell({ root, cwd: work, env: { ...process.env, KUBECONFIG: kubeconfig } });
const { step, say, run, kubectl, strongroom } = shell;

/** Of a range for documentation (RFC 5737). */
const SCANNER = '198.51.100.66';

const MAKER = `# Quotes BTC and ETH perpetuals. Ask the market making desk before you touch it.
apiVersion: strongroom.dev/v1alpha1
kind: ExchangeCredential
metadata:
  name: maker
  namespace: ${namespace}
spec:
  exchange: Hyperliquid
  type: PrivateKey
  environment: Production
  owner: market-making
  delivery:
    secret: { name: maker, keys: { privateKey: HL_PRIVATE_KEY } }
`;

const POD = `apiVersion: v1
kind: Pod
metadata: { name: bot, namespace: ${namespace} }
spec:
  serviceAccountName: maker
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: 0
  containers:
    - name: bot
      image: strongroom.test/shell:1
      imagePullPolicy: Never
      command: [sleep, infinity]
      volumeMounts: [{ name: key, mountPath: /keys, readOnly: true }]
  volumes:
    - name: key
      secret: { secretName: maker }
`;

const POLICY = `apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: desk-mm }
spec:
  subjects: [{ kind: Group, name: desk-mm }]
  roles: [Trader]
  environments: [Production]
  credentials: { namespaces: [${namespace}] }
`;

const BOT_POLICY = `apiVersion: strongroom.dev/v1alpha1
kind: AccessPolicy
metadata: { name: desk-mm-bot }
spec:
  subjects: [{ kind: ServiceAccount, namespace: ${namespace}, name: maker }]
  permissions: [AccessSecrets]
  environments: [Production]
  credentials: { namespaces: [${namespace}], names: [maker] }
`;

/** A made-up key of the right form. It opens nothing anywhere. */
function newKey(): string {
  return `0x${randomBytes(32).toString('hex')}`;
}

/** What is shown of a key: enough to see that it is the same one, not enough to use it. */
function hint(key: string): string {
  return `${key.slice(0, 6)}…${key.slice(-4)}`;
}

async function sealAndCommit(key: string, message: string): Promise<void> {
  await strongroom(['seal', '--into', manifest, '--field', 'privateKey', '--stdin'], key);
  await run('git', ['add', 'maker.yaml']);
  await run('git', [
    '-c',
    'user.name=demo',
    '-c',
    'user.email=demo@example.invalid',
    'commit',
    '-qm',
    message,
  ]);
  say(
    `committed "${message}"; in git the key is eyJ…${readFileSync(manifest, 'utf8').match(/eyJ\S+(\S{24})/)?.[1]}`,
  );
  await kubectl(['apply', '-f', manifest]);
}

async function waitForVersion(version: number): Promise<void> {
  await eventually(
    async () => {
      const { stdout } = await strongroom(['status', 'maker', '-n', namespace, '-o', 'json']);
      const status = JSON.parse(stdout) as { delivery?: { version: number } };
      return status.delivery?.version === version;
    },
    { what: `version ${version} to be delivered`, timeoutMs: 60_000, intervalMs: 250 },
  );
}

async function inPod(): Promise<string> {
  return (await kubectl(['exec', '-n', namespace, 'bot', '--', 'cat', '/keys/HL_PRIVATE_KEY']))
    .stdout;
}

async function inSecret(): Promise<string> {
  const { stdout } = await kubectl([
    'get',
    'secret',
    'maker',
    '-n',
    namespace,
    '-o',
    'jsonpath={.data.HL_PRIVATE_KEY}',
  ]);
  return Buffer.from(stdout, 'base64').toString('utf8');
}

async function demo(): Promise<void> {
  step('A real Kubernetes cluster');
  if (external === undefined) {
    await shell.show(process.execPath, [
      path.join(root, 'test/cluster/main.ts'),
      'up',
      '--nodes',
      support.supported ? '1' : '0',
    ]);
  }
  if (!support.supported)
    say(`No node can run here (${support.reason}): everything but the pod is shown.`);
  say((await kubectl(['version'])).stdout.trim());

  step('The operator');
  await shell.show(process.execPath, [path.join(root, 'tools/build.ts')]);
  await installOperator();

  step(`A guarded namespace, "${namespace}"`);
  await kubectl(['create', 'namespace', namespace]).catch(() => undefined);
  await kubectl(['delete', 'exchangecredential,pod', '--all', '-n', namespace]);
  await kubectl(['label', '--overwrite', 'namespace', namespace, 'strongroom.dev/guarded=true']);
  await kubectl(['create', 'serviceaccount', 'maker', '-n', namespace]).catch(() => undefined);

  step('A key is sealed into a manifest that lies in git');
  await run('git', ['init', '-q']);
  writeFileSync(manifest, MAKER);
  const first = newKey();
  say(`the desk's key: ${hint(first)}`);
  await sealAndCommit(first, 'Add the key of the maker bot');
  const version = await deliveredVersion(first);
  say(`delivered as version ${version} in the Secret "maker"`);

  if (support.supported) {
    step('A pod mounts it, since a policy lets its ServiceAccount');
    say(BOT_POLICY.trimEnd());
    await kubectl(['apply', '-f', '-'], BOT_POLICY);
    await eventually(() => kubectl(['apply', '-f', '-'], POD), {
      what: 'the pod to be let mount the key',
      timeoutMs: 60_000,
      intervalMs: 500,
    });
    await kubectl(['wait', '-n', namespace, '--for=condition=Ready', 'pod/bot', '--timeout=120s']);
    say(`in the pod, /keys/HL_PRIVATE_KEY is ${hint(await inPod())}`);
  }

  step('The key is replaced: sealed anew, committed, applied');
  const second = newKey();
  say(`the new key: ${hint(second)}`);
  await sealAndCommit(second, 'Replace the key of the maker bot');
  await waitForVersion(version + 1);
  if (support.supported) {
    say('waiting for the kubelet to bring it into the mount …');
    await eventually(async () => (await inPod()) === second, {
      what: 'the new key in the pod',
      timeoutMs: 180_000,
      intervalMs: 1000,
    });
    say(
      `in the pod, /keys/HL_PRIVATE_KEY is now ${hint(await inPod())}; the pod was not restarted`,
    );
  } else {
    say(`in the Secret, HL_PRIVATE_KEY is now ${hint(await inSecret())}`);
  }

  step('What the operator says');
  say((await strongroom(['status', 'maker', '-n', namespace])).stdout.trimEnd());
  say('');
  say((await strongroom(['versions', 'maker', '-n', namespace])).stdout.trimEnd());

  step('A desk may look at its credential, and nobody else may');
  await showAccess();

  if (support.supported) {
    const guarded: GuardedDemo = { shell, namespace, work };
    step('Somebody who may deploy does not get at the key by that');
    await showRefusals(guarded);
    step('Orders are stuck: alice must get into the pod, and nobody gets in alone');
    await showBreakGlass(guarded);
  } else {
    say(
      '\nAdmission and break-glass are not shown: the operator runs outside of the cluster here.',
    );
  }

  step('An address is banned, for a time');
  await showBlock();
}

/** The machine itself takes an address that is nobody's, and is the host on the internet. */
async function showBlock(): Promise<void> {
  await kubectl(['delete', 'ipblock', '--all']);
  await using outside = support.supported ? await startOutside(SCANNER) : undefined;
  if (outside !== undefined) await seen('before', true);
  const ban = ['block', 'add', SCANNER, '--reason', 'tries keys', '--for', '90s', '--name', 'demo'];
  for (const command of [[...ban, '--dry-run'], ban]) {
    say(`\nstrongroom ${command.join(' ')}`);
    say((await strongroom(command)).stdout.trimEnd());
  }
  await enforcement((now) => now !== undefined && now !== 'Pending');
  if (outside !== undefined) await seen('now', false);
  const looks: readonly (readonly string[])[] = [
    ['strongroom', 'block', 'test', SCANNER],
    ['kubectl', 'get', 'ipblocks'],
    ['kubectl', 'get', 'networkpolicies', '-n', namespace],
  ];
  for (const [program = '', ...args] of looks) {
    say(`\n${program} ${args.join(' ')}`);
    say((await (program === 'kubectl' ? kubectl(args) : strongroom(args))).stdout.trimEnd());
  }
  say('\nwaiting for the ban to end by itself …');
  await enforcement((now) => now === 'Expired');
  if (outside !== undefined) await seen('afterwards', true);
}

async function enforcement(isMet: (now: string | undefined) => boolean): Promise<void> {
  await eventually(
    async () => {
      const { stdout } = await kubectl(['get', 'ipblock', 'demo', '-o', 'json']);
      return isMet(
        (JSON.parse(stdout) as { status?: { enforcement?: string } }).status?.enforcement,
      );
    },
    { what: 'the block to take effect', timeoutMs: 180_000, intervalMs: 250 },
  );
}

/** Whether the bot reaches the address, as it should. */
async function seen(when: string, wanted: boolean): Promise<void> {
  const connect = ['timeout', '2', 'bash', '-c', `exec 3<>/dev/tcp/${SCANNER}/8443`];
  await eventually(
    async () => {
      const isReached = await kubectl(['exec', '-n', namespace, 'bot', '--', ...connect]).then(
        () => true,
        () => false,
      );
      return isReached === wanted;
    },
    { what: `the bot ${wanted ? 'to reach' : 'to be cut off from'} ${SCANNER}`, timeoutMs: 60_000 },
  );
  say(`${when}, the bot ${wanted ? 'reaches' : 'does not reach'} ${SCANNER}`);
}

/** Alice is of the desk, Mallory is not; both come with certificates that the cluster signed. */
async function showAccess(): Promise<void> {
  const alice = await kubeconfigOf(shell, 'alice', ['desk-mm'], work);
  const mallory = await kubeconfigOf(shell, 'mallory', [], work);
  say(POLICY.trimEnd());
  await kubectl(['apply', '-f', '-'], POLICY);
  const look = ['get', 'exchangecredential', 'maker', '-n', namespace];
  const seen = await eventually(() => kubectl(['--kubeconfig', alice, ...look]), {
    what: 'alice to see the credential',
    timeoutMs: 60_000,
    intervalMs: 250,
  });
  say(`\nalice, of the group desk-mm: kubectl ${look.join(' ')}\n${seen.stdout.trimEnd()}`);
  const read = ['get', 'secret', 'maker', '-n', namespace];
  say(`\nalice: kubectl ${read.join(' ')}\n${await refusal(shell, alice, read)}`);
  say(`\nmallory: kubectl ${look.join(' ')}\n${await refusal(shell, mallory, look)}`);
  for (const question of [
    ['explain', 'view', 'maker', '-n', namespace, '--as', 'mallory'],
    ['can-i', 'view', 'maker', '-n', namespace, '--as', 'alice', '--as-group', 'desk-mm'],
    ['who-can', 'view', 'maker', '-n', namespace],
  ]) {
    say(`\nstrongroom ${question.join(' ')}`);
    say((await strongroom(question)).stdout.trimEnd());
  }
}

/** The version that holds `key`: 1 on a fresh cluster, more where the demo ran before. */
async function deliveredVersion(key: string): Promise<number> {
  await eventually(async () => (await inSecret()) === key, {
    what: 'the key in the Secret',
    timeoutMs: 90_000,
    intervalMs: 250,
  });
  return eventually(
    async () => {
      const { stdout } = await strongroom(['status', 'maker', '-n', namespace, '-o', 'json']);
      return (JSON.parse(stdout) as { delivery?: { version: number } }).delivery?.version;
    },
    { what: 'the version in status', timeoutMs: 30_000, intervalMs: 250 },
  );
}

async function installOperator(): Promise<void> {
  if (!support.supported) {
    await kubectl(['apply', '--server-side', '-f', path.join(root, 'crds')]);
    await kubectl(['create', 'namespace', 'strongroom-system']).catch(() => undefined);
    await shell.startOperator(kubeconfig);
    return;
  }
  const { shell: shellImage } = await testImages();
  await installChart(shell, root, [shellImage]);
  say((await kubectl(['get', 'pods', '-n', 'strongroom-system'])).stdout.trimEnd());
}

try {
  await demo();
} finally {
  rmSync(work, { recursive: true, force: true });
}
const program = `${process.execPath} ${path.join(root, 'dist/strongroom.js')}`;
console.log(`
Done. The cluster is still running. Look around:

  export KUBECONFIG=${kubeconfig} PATH=${path.join(root, '.cluster/bin')}:$PATH
  alias strongroom='${program}'
  kubectl get exchangecredentials -A
  kubectl describe exchangecredential maker -n ${namespace}
  kubectl describe accesspolicy desk-mm
  kubectl describe emergencyaccess stuck-orders -n ${namespace}
  strongroom doctor
  strongroom status -A
  strongroom who-can retrieve maker -n ${namespace}
  strongroom rollback maker -n ${namespace} --to 1 --reason "see what happens"
${support.supported ? '  kubectl logs -n strongroom-system -l app.kubernetes.io/name=strongroom --prefix --tail=-1\n' : `  kill ${shell.operatorPid() ?? ''}        # ends the operator, which runs as a process here\n`}
End it:

  make cluster-down
`);
